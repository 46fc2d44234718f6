"""What axe finds in a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api


def check_accessibility(page: sync_api.Page, *selectors: str) -> None:
    """Fail if axe finds anything serious in these elements."""
    context = {"include": [[selector] for selector in selectors]}
    found = Axe().run(page, context=context).response["violations"]
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert not serious, serious
