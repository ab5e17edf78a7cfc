"""Folders are stages, and an include points only to the left (CONTRIBUTING.md). Also: headers stand on their own, are
guarded, leave namespaces alone and include in no circle; file names are snake_case.

The rules are functions of a source tree, so that the tests at the end can show each of them a tree that breaks it."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From left to right; folders that stand side by side do not know of each other.
LAYERS = (
    ("core",),
    ("quantizers",),
    ("predictors", "transforms"),
    ("entropy",),
    ("codec",),
    ("products",),
    ("api", "baselines"),
    ("experiments",),
    ("tools", "python"),
)
RANK = {folder: rank for rank, folders in enumerate(LAYERS) for folder in folders}
OUTSIDE = ("tests", "bench")  # may include anything; nothing above may include them
SOURCES = {".cpp", ".hpp", ".h", ".cu", ".cuh", ".c"}
HEADERS = {".hpp", ".h", ".cuh"}
NAMED = SOURCES | {".py", ".sh", ".cmake"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
SNAKE_CASE = re.compile(r"^_{0,2}[a-z0-9]+(_[a-z0-9]+)*_{0,2}(\.[a-z0-9]+)+$")


def files(root: Path, suffixes: set[str]) -> list[Path]:
    """Paths below root's own folders, relative to it."""
    found = []
    for folder in (*RANK, *OUTSIDE):
        for directory, folders, names in os.walk(root / folder):
            folders[:] = [name for name in folders if not name.startswith((".", "__pycache__", "build"))]
            found += [(Path(directory) / name).relative_to(root) for name in names if Path(name).suffix in suffixes]
    return sorted(found)


def includes(root: Path, path: Path) -> Iterator[str]:
    """What a file includes from this project, as written; system headers are not its concern."""
    for quote, target in INCLUDE.findall((root / path).read_text(encoding="utf-8")):
        if quote == '"' or target.split("/")[0] in RANK:
            yield target


def broken_layers(root: Path) -> Iterator[str]:
    for path in files(root, SOURCES):
        here = path.parts[0]
        for target in includes(root, path):
            there = target.split("/")[0]
            if "/" not in target:
                if here in RANK and (root / path.parent / target).exists():
                    yield f'{path}: write "{path.parent}/{target}" instead of "{target}"'
                continue  # a generated header
            if here in OUTSIDE and there in (*RANK, *OUTSIDE):
                continue
            if there not in RANK:
                yield f'{path}: "{target}" begins with no stage'
            elif there != here and RANK[there] >= RANK[here]:
                side = "beside" if RANK[there] == RANK[here] else "to the right of"
                yield f'{path}: "{target}" is {side} {here}'


def cycles(root: Path) -> Iterator[str]:
    known = {path.as_posix(): path for path in files(root, SOURCES)}
    state: dict[str, bool] = {}  # True while a file is on the current path

    def visit(name: str, trail: list[str]) -> Iterator[str]:
        state[name] = True
        for target in includes(root, known[name]):
            if state.get(target):
                yield " -> ".join([*trail[trail.index(target) :], target])
            elif target in known and target not in state:
                yield from visit(target, [*trail, target])
        state[name] = False

    for name in known:
        if name not in state:
            yield from visit(name, [name])


def unguarded(root: Path) -> Iterator[str]:
    for path in files(root, HEADERS):
        text = (root / path).read_text(encoding="utf-8")
        guard = re.search(r"^#ifndef (\w+)\n#define \1\b", text, re.MULTILINE) if path.suffix == ".h" else None
        if not guard and not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield f"{path} has no #pragma once"


def open_namespaces(root: Path) -> Iterator[str]:
    for path in files(root, HEADERS):
        text = COMMENTS.sub("", (root / path).read_text(encoding="utf-8"))
        if re.search(r"\busing\s+namespace\b", text):
            yield f"{path} says using namespace"


def misnamed(root: Path) -> Iterator[str]:
    for path in files(root, NAMED):
        if not SNAKE_CASE.match(path.name):
            yield f"{path} is not in snake_case"


RULES = (broken_layers, cycles, unguarded, open_namespaces, misnamed)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_tree_keeps(rule):
    assert list(rule(ROOT)) == []


# --- headers compile on their own ---------------------------------------------------------------------------

COMPILER = os.environ.get("CXX") or "g++"
PASSED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wcodec" / "headers"
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++", "-isystem", "/usr/include/eigen3"]


def closure(root: Path, path: Path) -> list[Path]:
    """A header and all of ours that it reaches."""
    reached, todo = set(), [path]
    while todo:
        path = todo.pop()
        if path not in reached and (root / path).is_file():
            reached.add(path)
            todo += [Path(target) for target in includes(root, path)]
    return sorted(reached)


@cache
def compiler_version() -> bytes:
    return subprocess.run([COMPILER, "--version"], capture_output=True, check=True).stdout


def proven_by_build(root: Path, header: Path) -> bool:
    """Whether a .cpp of the same name includes the header before anything else, so that the build compiles it alone."""
    body = root / header.with_suffix(".cpp")
    first = INCLUDE.search(body.read_text(encoding="utf-8")) if body.exists() else None
    return first is not None and first[2] == header.as_posix()


def compile_alone(root: Path, header: Path, memory: Path) -> str:
    """The compiler's complaints. A header that passed is compiled again once it or something it includes changes."""
    parts = [(root / path).read_bytes() for path in closure(root, header)]
    key = hashlib.sha256(b"\0".join([compiler_version(), repr((FLAGS, str(header))).encode(), *parts])).hexdigest()
    passed = memory / key
    if passed.exists():
        return ""
    command = [COMPILER, *FLAGS, f"-I{root}", f"-I{root}/api", f"-I{root}/build/generated", "-"]
    run = subprocess.run(command, input=f'#include "{header}"\n', capture_output=True, text=True)
    if run.returncode == 0:
        memory.mkdir(parents=True, exist_ok=True)
        passed.touch()
    return run.stderr if run.returncode else ""


def compilable(root: Path) -> list[Path]:
    headers = (path for path in files(root, HEADERS - {".cuh"}) if path.parts[0] in RANK)
    return [path for path in headers if not proven_by_build(root, path)]


@pytest.fixture(scope="session")
def complaints() -> dict[Path, str]:
    headers = compilable(ROOT)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda header: compile_alone(ROOT, header, PASSED), headers)
        return dict(zip(headers, results, strict=True))


@pytest.mark.parametrize("header", compilable(ROOT), ids=str)
def test_header_compiles_alone(header, complaints):
    assert complaints[header] == ""


# --- the rules themselves -----------------------------------------------------------------------------------


def tree(root: Path, **contents: str) -> Path:
    """A source tree; `core__a_hpp="text"` is core/a.hpp."""
    for name, text in contents.items():
        folder, _, rest = name.partition("__")
        stem, _, suffix = rest.rpartition("_")
        path = root / folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n" + text)
    return root


def test_a_good_tree_passes(tmp_path):
    tree(
        tmp_path,
        core__a_hpp="#include <vector>\n",
        codec__b_hpp='#include "core/a.hpp"\n',
        codec__b_cpp='#include "codec/b.hpp"\n#include "predictors/p.hpp"\n#include "generated_version.hpp"\n',
        predictors__p_hpp='#include "core/a.hpp"  // never say: using namespace std\n',
        tests__t_cpp='#include "tests/u.hpp"\n#include "codec/b.hpp"\n',
    )
    assert [message for rule in RULES for message in rule(tmp_path)] == []


@pytest.mark.parametrize(
    ("path", "target", "why"),
    [
        ("core__a_hpp", "codec/b.hpp", "to the right of core"),
        ("predictors__p_cpp", "transforms/t.hpp", "beside predictors"),
        ("transforms__t_hpp", "predictors/p.hpp", "beside transforms"),
        ("baselines__z_cpp", "experiments/run.hpp", "to the right of baselines"),
        ("python__m_cpp", "tools/main.hpp", "beside python"),
        ("core__a_hpp", "tests/t.hpp", "begins with no stage"),
    ],
)
def test_a_wrong_include_is_found(tmp_path, path, target, why):
    tree(tmp_path, **{path: f'#include "{target}"\n'})
    assert [message for message in broken_layers(tmp_path) if target in message and why in message]


def test_an_angled_include_of_ours_counts(tmp_path):
    tree(tmp_path, core__a_hpp="#  include <codec/b.hpp>\n")
    assert list(broken_layers(tmp_path))


def test_an_include_names_its_folder(tmp_path):
    tree(tmp_path, core__a_hpp="", core__b_hpp='#include "a.hpp"\n')
    assert list(broken_layers(tmp_path)) == ['core/b.hpp: write "core/a.hpp" instead of "a.hpp"']


def test_a_circle_is_found(tmp_path):
    tree(
        tmp_path,
        core__a_hpp='#include "core/b.hpp"\n',
        core__b_hpp='#include "core/c.hpp"\n',
        core__c_hpp='#include "core/a.hpp"\n',
    )
    assert list(cycles(tmp_path)) == ["core/a.hpp -> core/b.hpp -> core/c.hpp -> core/a.hpp"]


def test_bad_headers_and_names_are_found(tmp_path):
    tree(tmp_path, core__a_hpp="using namespace std;\n", core__Bad_hpp="")
    (tmp_path / "core" / "bare.hpp").write_text("int x();\n")
    assert list(open_namespaces(tmp_path)) == ["core/a.hpp says using namespace"]
    assert list(misnamed(tmp_path)) == ["core/Bad.hpp is not in snake_case"]
    assert list(unguarded(tmp_path)) == ["core/bare.hpp has no #pragma once"]


def test_a_header_is_left_to_the_build_only_where_its_source_includes_it_first(tmp_path):
    tree(tmp_path, core__a_hpp="", core__a_cpp='#include "core/a.hpp"\n', core__b_hpp="", core__c_hpp="")
    tree(tmp_path, core__b_cpp='#include <vector>\n#include "core/b.hpp"\n')
    assert [path.name for path in compilable(tmp_path)] == ["b.hpp", "c.hpp"]


def test_a_header_that_leans_on_others_is_found_until_it_is_mended(tmp_path):
    tree(tmp_path, core__a_hpp="inline std::size_t one() { return 1; }\n")
    memory = tmp_path / "memory"
    assert "size_t" in compile_alone(tmp_path, Path("core/a.hpp"), memory)
    tree(tmp_path, core__a_hpp="#include <cstddef>\ninline std::size_t one() { return 1; }\n")
    assert compile_alone(tmp_path, Path("core/a.hpp"), memory) == ""
    assert len(list(memory.iterdir())) == 1
    tree(tmp_path, core__a_hpp='#include "core/b.hpp"\n', core__b_hpp="inline std::size_t two() { return 2; }\n")
    assert "size_t" in compile_alone(tmp_path, Path("core/a.hpp"), memory)
