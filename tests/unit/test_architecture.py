"""What keeps the package easy to enter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "argo_jupyter_scheduler"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
SOURCES = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_says_in_5_to_20_lines_what_it_is_for(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse(SOURCES[room / "__init__.py"]))
    assert docstring
    assert 5 <= len(docstring.splitlines()) <= 20


def test_the_top_of_the_package_has_at_most_12_entries() -> None:
    entries = {path.name for path in PACKAGE.iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert len(entries) <= 12, sorted(entries)


def test_the_scheduler_has_a_type_wherever_it_is_passed() -> None:
    assert [str(path) for path, text in SOURCES.items() if "scheduler: Any" in text] == []


def test_mappings_without_a_type_stay_few() -> None:
    """Objects of Kubernetes and Argo are such; all else has a dataclass."""
    assert sum(text.count("dict[str, Any]") for text in SOURCES.values()) < 60
