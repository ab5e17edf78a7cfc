"""docs/reliability.md is true: every test that it names exists, every row has one, its table is that of the counts."""

import importlib.util
import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def page(source_dir: Path) -> str:
    return (source_dir / "docs" / "reliability.md").read_text()


@pytest.fixture(scope="module")
def tests(source_dir: Path) -> set[str]:
    """GoogleTest's as Suite.Name, pytest's as functions."""
    names: set[str] = set()
    for path in (source_dir / "tests").rglob("*.cpp"):
        names |= {".".join(pair) for pair in re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", path.read_text(), re.M)}
    for path in (source_dir / "tests").rglob("*.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.M))
    return names


def named(text: str) -> set[str]:
    return set(re.findall(r"`([A-Z]\w+\.[A-Z]\w+|test_\w+)`", text))


def test_every_test_that_is_named_exists(page, tests):
    assert named(page) - tests == set()
    assert len(named(page)) > 80


def test_every_row_of_hostile_inputs_has_a_test(page):
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", page, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 49))
    assert all(named(tests_of_row) for _, tests_of_row in rows)


def test_every_target_is_in_the_page(page, source_dir):
    for path in (source_dir / "tests" / "fuzz").glob("*_fuzz.cpp"):
        assert f"`{path.name.removesuffix('_fuzz.cpp')}`" in page


def test_executions_are_those_that_were_counted(page, source_dir):
    spec = importlib.util.spec_from_file_location("table", source_dir / "tests" / "fuzz" / "table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page_with_table(page) == page
