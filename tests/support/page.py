"""JupyterLab in a real browser: the words in which its tests are written."""

from __future__ import annotations

import re

from playwright import sync_api

from tests.support.eventually import PATIENCE_SECONDS
from tests.support.lab import Lab

HOSTILE = "<img src=x onerror=document.title='hacked'> \u202ename"
"""A name that a page must show as text."""


def new_page(browser: sync_api.Browser, closes_dialogs: bool = True) -> sync_api.Page:
    """Return an empty page, which can read the clipboard.

    Parameters
    ----------
    closes_dialogs
        Whether dialogs are answered by themselves. JupyterLab reports a restart of its server. It also writes the kernel's language
        into a notebook that it opens, and asks whether to save that.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 800}, permissions=["clipboard-read"])
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    sync_api.expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    if closes_dialogs:
        page.add_locator_handler(page.locator(".jp-Dialog"), close_dialog)
    return page


def close_dialog(dialog: sync_api.Locator) -> None:
    """Discard changes of a notebook; agree with any other dialog."""
    buttons = dialog.get_by_role("button")
    discard = buttons.filter(has_text="Discard")
    (discard if discard.count() else buttons.last).click()


def load(page: sync_api.Page, lab: Lab) -> sync_api.Page:
    """Load JupyterLab, and wait until the file browser is drawn."""
    page.goto(lab.page_of())
    page.locator(".jp-DirListing-item").first.wait_for()
    return page


def execute(page: sync_api.Page, command: str, **arguments: object) -> None:
    """Execute a command of JupyterLab; nothing if it has none of this name."""
    page.evaluate(
        """async ([command, given]) => {
            if (jupyterapp.commands.hasCommand(command)) await jupyterapp.commands.execute(command, given);
        }""",
        [command, arguments],
    )


def press(inside: sync_api.Page | sync_api.Locator, name: str) -> None:
    """Press a button."""
    inside.get_by_role("button", name=name, exact=True).click()


def file(page: sync_api.Page, name: str) -> sync_api.Locator:
    """Return a file in the file browser."""
    execute(page, "filebrowser:activate")
    return page.locator(".jp-DirListing-item", has_text=name)


def open_notebook(page: sync_api.Page, name: str) -> None:
    """Open a notebook, and wait until it is the one that the form is about."""
    file(page, name).dblclick()
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.locator(".jp-DirListing-item.jp-mod-selected", has_text=name).wait_for()


def press_calendar(page: sync_api.Page) -> None:
    """Press the calendar icon in a notebook's toolbar, and wait until the form has filled itself in."""
    page.locator("[data-jp-item-name='create-job'] jp-button").click()
    sync_api.expect(page.get_by_role("checkbox", name="HTML")).to_be_checked()


def open_tab(page: sync_api.Page, title: str | re.Pattern[str]) -> None:
    """Go to a document or panel that is open."""
    page.locator(".lm-TabBar-tab", has_text=title).click()
