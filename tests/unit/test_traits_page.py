"""The page of all traits."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MADE = runpy.run_path(str(DOCS / "make_traits.py"))


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "traits.md").read_text(encoding="utf-8") == MADE["render"](), (
        "run: python docs/make_traits.py"
    )


@pytest.mark.parametrize("configurable", MADE["classes"](), ids=lambda one: one.__name__)
def test_every_trait_says_what_it_means(configurable: type) -> None:
    page = (DOCS / "traits.md").read_text(encoding="utf-8")
    for name, trait in configurable.class_traits(config=True).items():  # type: ignore[attr-defined]
        if trait.this_class.__module__.startswith("argo_jupyter_scheduler"):
            assert len(trait.help) > 20, name
            assert f"#### {name}\n" in page
