"""A real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright import sync_api

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def browser() -> Iterator[sync_api.Browser]:
    yield from _launch()


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[sync_api.Browser]:
    """A browser for all tests of a module. Playwright runs a loop meanwhile, so none of them may run another."""
    yield from _launch()


def _launch() -> Iterator[sync_api.Browser]:
    if not CHROMIUM:
        assert not os.environ.get("REQUIRE_BROWSER"), "Chromium is missing: apt-get install chromium"
        pytest.skip("Chromium is missing")
    with sync_api.sync_playwright() as playwright:
        options = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
