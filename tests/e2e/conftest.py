"""A real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright import sync_api

from tests.support.lab import Lab
from tests.support.page import load, new_page

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def browser() -> Iterator[sync_api.Browser]:
    yield from _launch()


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[sync_api.Browser]:
    """A browser for all tests of a module. Playwright runs a loop meanwhile, so none of them may run another."""
    yield from _launch()


@pytest.fixture(scope="module")
def shared_page(shared_browser: sync_api.Browser, lab: Lab) -> Iterator[sync_api.Page]:
    """JupyterLab with the user's default settings, which takes seconds to load: a module's tests share it, and its `lab`."""
    page = load(new_page(shared_browser), lab)
    yield page
    page.close()


@pytest.fixture(autouse=True)
def jp_asyncio_loop(request: pytest.FixtureRequest) -> Any:
    """No loop for tests that share a browser."""
    return _unless_shared(request)


@pytest.fixture(autouse=True)
def jp_server_cleanup(request: pytest.FixtureRequest) -> Any:
    """Nothing for tests that share a browser: their server is a process of its own."""
    return _unless_shared(request)


def _unless_shared(request: pytest.FixtureRequest) -> Any:
    """Return what a fixture of this name is elsewhere, if no browser is shared."""
    if "shared_browser" in request.fixturenames:
        return None
    return request.getfixturevalue(str(request.fixturename))


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
