"""libwcodec.so as another project finds it: from an installed tree, through find_package and through pkg-config."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = {"c": ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"], "cpp": ["-std=c++20", "-Wall", "-Werror"]}


def run(*words: object, **options) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(build_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", build_dir, "--prefix", prefix, "--component", "development")
    run("cmake", "--install", build_dir, "--prefix", prefix, "--component", "command")
    moved = prefix.with_name(prefix.name + "-moved")  # nothing in it may know where it was installed
    return prefix.rename(moved)


@pytest.fixture(scope="module")
def library(installed: Path) -> Path:
    (found,) = installed.glob("lib*/**/libwcodec.so")
    return found


def test_what_is_installed(installed, library):
    assert {path.name for path in (installed / "include").iterdir()} == {"wcodec.h", "wcodec.hpp"}
    assert "wcodec" in run(installed / "bin" / "wcodec", "--version")
    assert library.is_symlink()
    soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", library))
    assert soname[1] == "libwcodec.so.0"
    assert (library.parent / soname[1]).exists()
    assert "RUNPATH" not in run("readelf", "-d", library)


def test_only_versioned_symbols_of_the_interface_are_exported(library, source_dir):
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()}
    exported.discard("WCODEC_0")
    header = (source_dir / "api/wcodec.h").read_text()
    declared = set(re.findall(r"^WCODEC_API [^;(]*?(wcodec_\w+)\(", header, re.MULTILINE))
    assert len(declared) > 20
    assert exported == {f"{name}@@WCODEC_0" for name in declared}


@pytest.mark.parametrize("language", PROGRAMS)
def test_program_through_pkg_config(language, installed, library, source_dir, tmp_path):
    environment = os.environ | {"PKG_CONFIG_PATH": str(library.parent / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "wcodec", env=environment).split()
    assert f"-I{installed}" in " ".join(flags).replace(str(library.parent / "pkgconfig/../.."), str(installed))
    compiler = shutil.which("cc" if language == "c" else "c++")
    source = source_dir / "tests/api/installed" / f"program.{language}"
    run(compiler, *PROGRAMS[language], source, "-o", tmp_path / "program", *flags)
    assert "bytes in" in run(tmp_path / "program", env=os.environ | {"LD_LIBRARY_PATH": str(library.parent)})


def test_programs_through_find_package(installed, source_dir, tmp_path):
    run(
        "cmake",
        "-S",
        source_dir / "tests/api/installed",
        "-B",
        tmp_path,
        "-G",
        "Ninja",
        f"-DCMAKE_PREFIX_PATH={installed}",
    )
    run("cmake", "--build", tmp_path)
    assert "C, wcodec 0.1.0" in run(tmp_path / "program_c")
    assert "C++, wcodec 0.1.0" in run(tmp_path / "program_cpp")
