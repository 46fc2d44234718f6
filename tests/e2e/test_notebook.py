"""What Jupyter Notebook, which has no pages of Jupyter-Scheduler, shows of jobs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright import sync_api

from tests.support.accessibility import check_accessibility
from tests.support.jobs import notebook
from tests.support.lab import running_lab
from tests.support.page import execute, new_page, press

pytestmark = pytest.mark.browser

expect = sync_api.expect


def test_jobs_are_followed_and_their_outputs_opened(browser: sync_api.Browser, tmp_path: Path) -> None:
    with running_lab(tmp_path, {}, program="notebook") as server:
        (server.root / "fine.ipynb").write_text(notebook("print('done')"))
        (server.root / "failing.ipynb").write_text(notebook("1 / 0"))
        page = new_page(browser)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{server.url}tree?token=t")
        page.get_by_role("menuitem", name="View", exact=True).click()
        page.locator(".lm-Menu-item", has_text="Left Sidebar").hover()
        page.get_by_role("menuitem", name="Show Job monitor").click()
        page.get_by_text("No jobs yet. Create one in JupyterLab.").wait_for()

        server.submit("failing", "failing.ipynb")
        page.locator(".Toastify__toast", has_text="has failed.").wait_for()
        failed = page.locator(".jp-argo-Row", has_text="failing")
        expect(failed).to_contain_text("ZeroDivisionError: division by zero")
        press(failed, "failing")
        expect(failed.get_by_role("alert")).to_contain_text("This page is in JupyterLab.")
        check_accessibility(page, ".jp-argo-Monitor")

        server.submit("fine", "fine.ipynb")
        toast = page.locator(".Toastify__toast", has_text="has completed.")
        with page.expect_popup() as opened:
            press(toast, "Open output")
        opened.value.get_by_text("done", exact=True).wait_for()
        expect(opened.value).to_have_url(re.compile(r"/notebooks/jobs/.*fine-.*\.ipynb"))
        execute(opened.value, "argo-jupyter-scheduler:show-monitor")
        opened.value.locator(".jp-argo-Row", has_text="fine").wait_for()
        opened.value.locator("[data-status='idle']").wait_for()  # a server does not end while a kernel starts
        assert not [error for error in errors if "argo" in error]
