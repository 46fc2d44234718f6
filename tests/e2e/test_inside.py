"""Our part of the stock frontend's pages: the create form, a job's page, a definition's page."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright import sync_api

from tests.stand_ins.argo import ArgoStandIn
from tests.support.accessibility import check_accessibility
from tests.support.jobs import REAL_ARGO, notebook
from tests.support.lab import Lab, running_lab
from tests.support.page import (
    HOSTILE,
    execute,
    file,
    load,
    new_page,
    open_notebook,
    open_tab,
    press,
    press_calendar,
)

pytestmark = pytest.mark.browser

expect = sync_api.expect

OURS = "argo-jupyter-scheduler"
SETTINGS = f"{OURS}:plugin"
JOBS, DEFINITIONS = 3, 4  # the lists, by the stock frontend's numbers
CITY = 'days = 7  # how far back\ncity: str = "Oslo"\nwhen = str(days)'
TRAITS = {
    "notification_targets": {"team": "json://127.0.0.1:9/"},
    "notification_secrets": {"team": {"name": "notifications", "key": "team"}},
    "argo_ui_url": "https://argo.example.org/{namespace}/{workflow}",
}

in_one_place = pytest.mark.parametrize("lab", ["local"], indirect=True)
"""Marks tests of what is the same wherever runs are."""


@pytest.fixture(scope="module", params=["local", "argo", *REAL_ARGO])
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp(f"inside-{request.param}")
    with contextlib.ExitStack() as stack:
        argo: ArgoStandIn | Literal["real"] | None = None
        if request.param == "real-argo":
            argo = "real"
        elif request.param == "argo":
            argo = stack.enter_context(ArgoStandIn())
        lab = stack.enter_context(running_lab(folder, TRAITS, argo))
        for name in ("edited", "asked", "plain"):
            (lab.root / f"{name}.ipynb").write_text(notebook("print(city, days)", parameters=CITY))
        slow = "import time\nprint('\\x1b[31mred <b>bold</b>')\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(0.1)"
        (lab.root / "slow.ipynb").write_text(notebook("1", slow))
        yield lab


@pytest.fixture
def page(shared_page: sync_api.Page) -> sync_api.Page:
    """JupyterLab without a document, in the light theme."""
    execute(shared_page, "application:close-all")
    execute(shared_page, "apputils:change-theme", theme="JupyterLab Light")
    return shared_page


def open_form(page: sync_api.Page, name: str) -> None:
    """Open the create form from the file browser, which needs no kernel."""
    file(page, f"{name}.ipynb").click()
    execute(page, "scheduling:create-from-filebrowser")
    expect(page.get_by_role("checkbox", name="HTML")).to_be_checked()


def edit_and_press_calendar(page: sync_api.Page, name: str) -> None:
    """Open a notebook, write at the end of its last cell, and press the calendar icon in its toolbar."""
    open_notebook(page, f"{name}.ipynb")
    write(page)
    press_calendar(page)


def write(page: sync_api.Page) -> None:
    page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("; print('unsaved')")


def open_page(page: sync_api.Page, name: str, view: int) -> None:
    """Open the page of a job or a definition from its list."""
    execute(page, "scheduling:restore-layout", jobsView=view)
    page.get_by_title(f'Open detail view for "{name}"').first.click()


def picture(page: sync_api.Page, name: str) -> None:
    """Keep what the page shows, for the documentation where it is asked for."""
    if os.environ.get("UPDATE_ASSETS"):
        page.screenshot(path=Path(__file__).parents[2] / "assets" / f"{name}.png")


def test_a_notebook_runs_as_it_is_seen_with_filled_in_parameters_and_options(
    page: sync_api.Page, lab: Lab
) -> None:
    edit_and_press_calendar(page, "edited")
    name, value = (page.locator(f"input[name='parameter-1-{part}']") for part in ("name", "value"))
    expect(name).to_have_value("city")
    expect(value).to_have_value("Oslo")
    expect(page.locator("input[name='parameter-0-value']")).to_have_value("7")
    assert page.locator("input[name='parameter-2-name']").count() == 0  # it is computed
    page.get_by_text("how far back", exact=True).wait_for()
    checked = page.locator(".jp-create-job-form input:checked[id^='jp-create-job-outputFormat']")
    assert {box.input_value() for box in checked.all()} == {"ipynb", "html"}

    name.fill("citty")
    page.get_by_text("The notebook has no parameter 'citty'. Did you mean 'city'?").wait_for()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("city")
    expect(name).to_have_attribute("aria-invalid", "false")
    value.fill("Bergen")

    press(page, "Additional options")
    limit = page.get_by_label("Time limit")
    limit.fill("soon")
    page.get_by_text("'soon' is not valid. An example: 1h30m.").wait_for()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_disabled()
    limit.fill("2h")
    page.get_by_label("Retries").fill("1")
    page.get_by_label("team").check()
    page.get_by_label("team").uncheck()
    picture(page, "create-form")
    page.get_by_text("Expert").click()
    expect(page.get_by_label("Tag 1")).to_have_value("timeout:2h")
    page.get_by_label("Idempotency token").wait_for()
    check_accessibility(page, ".jp-argo-Options", ".jp-argo-Hints")

    open_tab(page, "edited.ipynb")
    write(page)
    open_tab(page, "Jobs")
    press(page, "Create")
    job = lab.wait_for_job("edited")
    assert job["status"] == "COMPLETED"
    assert job["tags"] == ["timeout:2h", "retries:1"]
    assert lab.read_outputs(job) == "Bergen 7\nunsaved\nunsaved\n"


TYPE_AT_ONCE = """() => {
    const setValue = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const read = Response.prototype.text;
    Response.prototype.text = async function () {
        const text = await read.call(this);
        const type = async () => {
            const field = document.querySelector("input[name='jobName']");
            for (let n = 0; n < 40; n++) {
                await null;
                setValue.call(field, 'typed ' + n);
                field.dispatchEvent(new Event('input', { bubbles: true }));
            }
        };
        if (this.url.includes('notebook/parameters')) {
            type();
            Response.prototype.text = read;
        }
        return text;
    };
}"""
"""Types a name in the very moment in which the answer with the parameters is read."""


@in_one_place
def test_typing_does_not_undo_parameters_that_are_filled_in(page: sync_api.Page, lab: Lab) -> None:
    """The stock form writes what is typed over a change that it has not drawn yet."""
    page.evaluate(TYPE_AT_ONCE)
    open_form(page, "plain")
    expect(page.get_by_label("Job name")).to_have_value("typed 39")
    expect(page.locator("input[name='parameter-1-name']")).to_have_value("city")


@in_one_place
def test_the_calendar_icon_schedules_the_notebook_that_it_belongs_to(page: sync_api.Page, lab: Lab) -> None:
    """The stock command takes the file that is selected in the file browser."""
    folder = lab.root / "Übersicht 2026"
    folder.mkdir()
    (folder / "Umsätze.ipynb").write_text(notebook("1"))
    execute(page, "docmanager:open", path="Übersicht 2026/Umsätze.ipynb")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    for selected in ("plain.ipynb", "asked.ipynb"):
        file(page, selected).click()
        press_calendar(page)
        expect(page.get_by_label("Input file")).to_have_value("Übersicht 2026/Umsätze.ipynb")
        expect(page.get_by_label("Job name")).to_have_value("Ums_tze")
        press(page, "Cancel")
        open_tab(page, "Umsätze.ipynb")


@in_one_place
def test_the_stock_lists_show_what_has_changed_without_reload(page: sync_api.Page, lab: Lab) -> None:
    execute(page, "scheduling:restore-layout", jobsView=JOBS)
    rows = page.locator("#notebook-jobs-panel tbody tr")
    page.get_by_role("heading", name="Jobs", exact=True).wait_for()
    lab.submit("listed", "plain.ipynb")
    expect(rows.filter(has_text="listed")).to_contain_text("Completed")
    execute(page, "scheduling:restore-layout", jobsView=DEFINITIONS)
    id_ = lab.submit("listed", "plain.ipynb", "job_definitions", schedule="0 6 * * *", timezone="UTC")
    expect(rows.filter(has_text="listed")).to_contain_text("Active")
    lab.request(f"scheduler/job_definitions/{id_}", {"active": False}, "PATCH")
    expect(rows.filter(has_text="listed")).to_contain_text("Paused")


@in_one_place
def test_a_setting_asks_before_the_notebook_is_saved(shared_browser: sync_api.Browser, lab: Lab) -> None:
    lab.write_settings(SETTINGS, {"saveBeforeScheduling": "ask"})
    page = load(new_page(shared_browser, closes_dialogs=False), lab)
    lab.write_settings(SETTINGS, {})
    edit_and_press_calendar(page, "asked")
    expect(page.locator("input[name='parameter-1-value']")).to_have_value("Oslo")
    press(page, "Create")
    press(page.get_by_role("dialog"), "Cancel")
    assert lab.request("scheduler/jobs?name=asked")["jobs"] == []
    press(page, "Create")
    press(page.get_by_role("dialog"), "Save")
    assert lab.read_outputs(lab.wait_for_job("asked")) == "Oslo 7\nunsaved\n"
    page.close()


def test_the_next_times_are_shown_and_a_refusal_stays_in_sight(page: sync_api.Page, lab: Lab) -> None:
    execute(page, "apputils:change-theme", theme="JupyterLab Dark")
    open_form(page, "plain")
    press(page, "Additional options")
    page.get_by_label("Time limit").fill("soon")
    page.get_by_text("Run on a schedule").click()
    check_accessibility(page, ".jp-argo-Options", ".jp-argo-Hints")
    page.get_by_label("Time limit").fill("")
    page.get_by_label("Time zone").fill("Europe/Oslo")
    page.get_by_role("option", name="Europe/Oslo", exact=True).click()
    page.get_by_label("Interval").click()
    page.get_by_role("option", name="Custom schedule").click()
    page.get_by_label("cron expression").fill("0 12 * 3 0")  # the last Sunday of March is among them
    preview = page.get_by_role("region", name="Next runs")
    preview.get_by_text("Clocks go forward on this day").first.wait_for()
    assert preview.get_by_role("listitem").count() == 5
    assert all("12:00" in text for text in preview.get_by_role("listitem").all_inner_texts())
    check_accessibility(page, ".jp-argo-Preview")

    page.get_by_label("cron expression").fill("* * * * * *")
    preview.get_by_text("has 6 fields").wait_for()
    button = page.get_by_role("button", name="Create", exact=True)
    button.scroll_into_view_if_needed()
    press(page, "Create")
    refusal = page.get_by_role("alert").filter(has_text="has 6 fields")
    refusal.wait_for()
    expect(refusal).to_be_in_viewport(ratio=1)
    expect(button).to_be_in_viewport()
    assert lab.request("scheduler/job_definitions?name=plain")["job_definitions"] == []


def test_a_job_is_followed_until_its_time_limit(page: sync_api.Page, lab: Lab) -> None:
    lab.submit(HOSTILE, "slow.ipynb", tags=["timeout:12s"])
    open_page(page, HOSTILE, JOBS)
    page.get_by_text("Cell 2 of 2", exact=True).wait_for()
    log = page.get_by_label("Text of the log")
    expect(log).to_contain_text(re.compile(r"red <b>bold</b>\n"))
    assert "\x1b" not in log.inner_text()
    expect(log).to_contain_text("line 30")  # it goes on by itself
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight < 50")
    page.get_by_label("Search the log").fill("LINE 1")
    page.get_by_text(re.compile(r"^1 of \d+$")).wait_for()
    page.get_by_label("Search the log").press("Enter")
    page.get_by_text(re.compile(r"^2 of \d+$")).wait_for()
    check_accessibility(page, ".jp-argo-Live")
    press(page, "Copy")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r" red <b>bold</b>\n.* line 0\n", copied)
    assert "\x1b" not in copied
    page.get_by_role("alert").filter(
        has_text="the limit that its option timeout sets"
    ).wait_for()  # the stock page is shown again
    page.get_by_text("Outputs so far:").wait_for()
    press(page, "Notebook")
    page.locator(".lm-TabBar-tab", has_text=re.compile(r"slow-.*\.ipynb")).wait_for()
    assert "hacked" not in page.title()
    assert page.locator("img[src=x]").count() == 0


def test_a_definition_shows_next_runs_and_history_and_can_be_edited(page: sync_api.Page, lab: Lab) -> None:
    id_ = lab.submit(
        "report",
        "plain.ipynb",
        "job_definitions",
        schedule="0 6 * * *",
        timezone="Europe/Oslo",
        tags=["keep:20", "mine"],
        parameters={"days": "3"},
    )
    path = f"scheduler/job_definitions/{id_}"
    execute(page, "apputils:change-theme", theme="JupyterLab Dark High Contrast")
    open_page(page, "report", DEFINITIONS)
    next_runs = page.get_by_role("region", name="Next runs")
    expect(next_runs.get_by_role("listitem")).to_have_count(5)
    page.get_by_text("No run yet.").wait_for()
    lab.request(f"{path}/jobs", {})
    expect(page.get_by_role("button", name=re.compile("^Completed, "))).to_have_count(
        1
    )  # it appears by itself
    page.get_by_text("days = 3", exact=True).wait_for()
    page.get_by_text("Edit all settings").click()
    page.get_by_label("Name", exact=True).fill("weekly")
    page.get_by_label("Schedule (cron)").fill("0 6 * * * *")
    page.get_by_label("Value of parameter 1").fill("30")
    page.get_by_label("Keep", exact=True).fill("10")
    page.get_by_label("If the previous run is still going").select_option("Skip the new run")
    page.get_by_role("checkbox", name="HTML").check()
    check_accessibility(page, ".jp-argo-Live")
    press(page, "Save")
    expect(page.get_by_role("alert").filter(has_text="has 6 fields")).to_be_in_viewport()
    page.get_by_label("Schedule (cron)").fill("0 7 * * 1")
    press(page, "Save")
    page.get_by_role("button", name="Save", exact=True).wait_for(state="detached")
    changed = lab.request(path)
    assert (changed["name"], changed["schedule"], changed["parameters"]) == (
        "weekly",
        "0 7 * * 1",
        {"days": "30"},
    )
    assert changed["tags"] == ["mine", "keep:10", "concurrency:forbid"]
    assert set(changed["output_formats"]) == {"ipynb", "html"}
    expect(
        page.locator("#notebook-jobs-panel nav").get_by_text("weekly")
    ).to_be_visible()  # the stock page, too
    page.get_by_role("button", name=re.compile("^Completed, ")).click()
    page.get_by_role("heading", name="Job Detail").wait_for()


def test_a_retried_run_shows_its_attempts_and_leads_to_argo(
    page: sync_api.Page, lab: Lab, request: pytest.FixtureRequest
) -> None:
    failed, may_end = lab.folder / "failed", lab.folder / "may-end"
    code = f"""
import pathlib, time
if not pathlib.Path({str(failed)!r}).exists():
    pathlib.Path({str(failed)!r}).touch()
    raise OSError("once")
while not pathlib.Path({str(may_end)!r}).exists():
    time.sleep(0.1)"""
    (lab.root / "twice.ipynb").write_text(notebook(code))
    id_ = lab.submit(
        "twice", "twice.ipynb", tags=["retries:1", "timeout:10m"]
    )  # it ends, whatever happens here
    execute(page, "argo-jupyter-scheduler:show-monitor")
    monitor = page.locator(".jp-argo-Row", has=page.get_by_role("button", name="twice", exact=True))
    monitor.get_by_text("cell 1 of 1, attempt 2 of 2").wait_for()
    open_page(page, "twice", JOBS)
    page.get_by_text("Cell 1 of 1, attempt 2 of 2", exact=True).wait_for()
    link = page.get_by_role("link", name="Open in Argo")
    if request.node.callspec.params["lab"] != "local":
        expect(link).to_have_attribute("href", f"https://argo.example.org/dev/job-{id_}")
    else:
        expect(link).to_have_count(0)
    may_end.touch()
    page.get_by_text("Attempts: 2", exact=True).wait_for()
    assert lab.wait_for_job("twice")["status"] == "COMPLETED"


def test_the_stock_form_to_edit_previews_its_schedule(page: sync_api.Page, lab: Lab) -> None:
    id_ = lab.submit(
        "previewed", "plain.ipynb", "job_definitions", schedule="0 6 * * *", timezone="Europe/Oslo"
    )
    open_page(page, "previewed", DEFINITIONS)
    press(page, "Edit Job Definition")
    cron = page.get_by_label("cron expression")
    preview = page.get_by_role("region", name="Next runs")
    expect(preview.get_by_role("listitem").first).to_contain_text("06:00")
    cron.fill("0 7 * * 1")
    expect(preview.get_by_role("listitem").first).to_contain_text("07:00")
    expect(preview.get_by_role("listitem")).to_have_count(5)
    preview.get_by_text("Next runs in Europe/Oslo").wait_for()
    cron.fill("* * * * * *")
    preview.get_by_text("has 6 fields").wait_for()
    check_accessibility(page, ".jp-argo-Preview")
    press(page, "Cancel")
    expect(page.get_by_role("region", name="Next runs").get_by_role("listitem")).to_have_count(5)
    press(page, "Edit Job Definition")
    cron.fill("0 8 * * *")
    expect(preview.get_by_role("listitem").first).to_contain_text("08:00")
    press(page, "Save Changes")
    page.get_by_role("heading", name="Job Definition", exact=True).wait_for()
    assert lab.request(f"scheduler/job_definitions/{id_}")["schedule"] == "0 8 * * *"


def has_stock_options(page: sync_api.Page) -> bool:
    """Return whether the form has the stock additional options, and nothing of ours."""
    open_form(page, "plain")
    press(page, "Additional options")
    page.get_by_title("Add new tag").wait_for()
    return bool(page.get_by_label("Time limit").count() == 0 and page.get_by_text("Expert").count() == 0)


@in_one_place
def test_the_stock_panel_lives_when_our_bundle_is_broken(shared_browser: sync_api.Browser, lab: Lab) -> None:
    page = new_page(shared_browser)
    body = "throw new Error('broken on purpose')"
    page.route(f"**/{OURS}/static/*", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    load(page, lab)
    assert has_stock_options(page)
    page.get_by_title("Add new tag").click()
    page.get_by_label("Tag 1").fill("timeout:1h")
    page.get_by_label("Job name").fill("stock")
    while (
        box := page.locator("[id^='jp-create-job-outputFormat']:checked:not([value=ipynb])").first
    ).count():
        box.uncheck()
    press(page, "Create")
    assert lab.wait_for_job("stock")["tags"] == ["timeout:1h"]
    page.close()


@in_one_place
def test_a_setting_gives_the_stock_options_back(shared_browser: sync_api.Browser, lab: Lab) -> None:
    lab.write_settings(SETTINGS, {"explainedOptions": False})
    page = load(new_page(shared_browser), lab)
    lab.write_settings(SETTINGS, {})
    assert has_stock_options(page)
    lab.submit("unexplained", "plain.ipynb", "job_definitions", schedule="0 6 * * *", timezone="UTC")
    open_page(page, "unexplained", DEFINITIONS)
    press(page, "Edit Job Definition")
    page.get_by_label("cron expression").wait_for()
    assert page.get_by_role("region", name="Next runs").count() == 0
    page.close()


@in_one_place
def test_the_stock_frontend_is_back_when_ours_is_disabled(shared_browser: sync_api.Browser, lab: Lab) -> None:
    lab.disable(OURS)
    page = load(new_page(shared_browser), lab)
    lab.disable()
    assert has_stock_options(page)
    page.close()
