"""Every example in a docstring or a page of docs/ gives what it says."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import poolnd

DOCS = Path(__file__).parents[2] / "docs"

MODULES = ["poolnd"] + [
    module.name
    for module in pkgutil.walk_packages(poolnd.__path__, "poolnd.")
    if not module.name.endswith("._core")
]
PAGES = [page for page in sorted(DOCS.glob("*.md")) if ">>>" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    report = doctest.testmod(importlib.import_module(name))
    assert report.failed == 0


def test_there_are_docstrings_with_examples() -> None:
    found = doctest.DocTestFinder().find(poolnd.nn.functional, "functional")
    assert sum(len(test.examples) for test in found) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page: Path) -> None:
    options = {"optionflags": doctest.ELLIPSIS, "encoding": "utf-8"}
    report = doctest.testfile(str(page), module_relative=False, **options)  # type: ignore[arg-type]
    assert report.attempted > 0
    assert report.failed == 0
