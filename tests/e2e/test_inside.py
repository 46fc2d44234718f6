"""Our part of the stock frontend's pages: the create form, a job's page, a definition's page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from tests.support.accessibility import check_accessibility
from tests.support.eventually import eventually
from tests.support.jobs import notebook, outputs
from tests.support.lab import Lab, running_lab

pytestmark = pytest.mark.browser

expect = sync_api.expect

OURS = "argo-jupyter-scheduler"
SETTINGS = f"{OURS}:plugin"
JOBS, DEFINITIONS = 3, 4  # the lists, by the stock frontend's numbers
HOSTILE = "<img src=x onerror=document.title='hacked'> \u202ename"
CITY = 'days = 7  # how far back\ncity: str = "Oslo"\nwhen = str(days)'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("inside")
    with running_lab(folder, {"notification_targets": {"team": "json://127.0.0.1:9/"}}) as lab:
        for name in ("edited", "asked", "plain"):
            (lab.root / f"{name}.ipynb").write_text(notebook("print(city, days)", parameters=CITY))
        slow = "import time\nprint('\\x1b[31mred <b>bold</b>')\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(0.1)"
        (lab.root / "slow.ipynb").write_text(notebook("1", slow))
        yield lab


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Nothing: Playwright's loop runs during all tests."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nothing: the server is a process of its own."""


@pytest.fixture(scope="module")
def shared_page(shared_browser: sync_api.Browser, lab: Lab) -> Iterator[Any]:
    """JupyterLab with the user's default settings, which takes seconds to load: tests share it."""
    page = load(shared_browser, lab)
    # JupyterLab writes the kernel's language into a notebook that it opens, and asks whether to save that.
    discard = page.get_by_role("dialog").get_by_role("button", name="Discard")
    page.add_locator_handler(discard, lambda button: button.click())
    yield page
    page.close()


@pytest.fixture
def page(shared_page: Any) -> Any:
    """JupyterLab without a document, in the light theme."""
    execute(shared_page, "application:close-all")
    execute(shared_page, "apputils:change-theme", theme="JupyterLab Light")
    return shared_page


def load(browser: sync_api.Browser, lab: Lab, path: str = "", broken: str = "") -> Any:
    """Load JupyterLab, with a bundle that is broken on purpose if it is named."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    if broken:
        body = "throw new Error('broken on purpose')"
        page.route(
            f"**/{broken}/static/*", lambda route: route.fulfill(body=body, content_type="text/javascript")
        )
    page.goto(lab.page_of(path))
    page.locator(".jp-DirListing-item", has_text="plain.ipynb").wait_for()
    return page


def execute(page: Any, command: str, **arguments: object) -> None:
    page.evaluate(
        "([command, given]) => jupyterapp.commands.hasCommand(command) && jupyterapp.commands.execute(command, given)",
        [command, arguments],
    )


def open_form(page: Any, name: str) -> None:
    """Open the create form from the file browser, which needs no kernel."""
    execute(page, "filebrowser:activate")
    page.locator(".jp-DirListing-item", has_text=f"{name}.ipynb").click()
    execute(page, "scheduling:create-from-filebrowser")
    expect(page.get_by_role("checkbox", name="HTML")).to_be_checked()


def edit_and_press_calendar(page: Any, name: str) -> None:
    """Open a notebook, write at the end of its last cell, and press the calendar icon in its toolbar."""
    execute(page, "filebrowser:activate")
    page.locator(
        ".jp-DirListing-item", has_text=f"{name}.ipynb"
    ).dblclick()  # the form is about the selected file
    write(page)
    page.locator("[data-jp-item-name='create-job'] jp-button").click()
    expect(page.get_by_role("checkbox", name="HTML")).to_be_checked()


def write(page: Any) -> None:
    page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("; print('unsaved')")


def open_options(page: Any) -> None:
    page.get_by_role("button", name="Additional options").click()


def create(page: Any) -> None:
    page.get_by_role("button", name="Create", exact=True).click()


def open_page(page: Any, name: str, view: int) -> None:
    """Open the page of a job or a definition from its list."""
    execute(page, "scheduling:restore-layout", jobsView=view)
    page.get_by_title(f'Open detail view for "{name}"').first.click()


def picture(page: Any, name: str) -> None:
    """Keep what the page shows, for the documentation where it is asked for."""
    if os.environ.get("UPDATE_ASSETS"):
        page.screenshot(path=Path(__file__).parents[2] / "assets" / f"{name}.png")


def submit(lab: Lab, path: str, **values: object) -> Any:
    """Create a job or a definition by the REST API."""
    [environment] = lab.request("scheduler/runtime_environments")
    model = {"runtime_environment_name": environment["name"], "output_formats": ["ipynb"], **values}
    return lab.request(f"scheduler/{path}", model)


def find_job(lab: Lab, name: str) -> Any:
    """Return the job of a name as Jupyter-Scheduler describes it, once it has ended."""

    def find() -> Any:
        jobs = lab.request(f"scheduler/jobs?name={name}")["jobs"]
        return jobs and jobs[0]["status"] in ("COMPLETED", "FAILED", "STOPPED") and jobs[0]

    return eventually(find, 60)


def test_a_notebook_runs_as_it_is_seen_with_filled_in_parameters_and_options(page: Any, lab: Lab) -> None:
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

    open_options(page)
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

    page.locator(".lm-TabBar-tab", has_text="edited.ipynb").click()
    write(page)
    page.locator(".lm-TabBar-tab", has_text="Jobs").click()
    create(page)
    job = find_job(lab, "edited")
    assert job["status"] == "COMPLETED"
    assert job["tags"] == ["timeout:2h", "retries:1"]
    [executed] = (lab.folder / "data" / "scheduler_staging_area" / job["job_id"]).glob("edited-*.ipynb")
    assert outputs(executed) == "Bergen 7\nunsaved\nunsaved\n"


def test_a_setting_asks_before_the_notebook_is_saved(shared_browser: sync_api.Browser, lab: Lab) -> None:
    lab.write_settings(SETTINGS, {"saveBeforeScheduling": "ask"})
    page = load(shared_browser, lab)
    lab.write_settings(SETTINGS, {})
    edit_and_press_calendar(page, "asked")
    expect(page.locator("input[name='parameter-1-value']")).to_have_value("Oslo")
    create(page)
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert lab.request("scheduler/jobs?name=asked")["jobs"] == []
    create(page)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    job = find_job(lab, "asked")
    [executed] = (lab.folder / "data" / "scheduler_staging_area" / job["job_id"]).glob("asked-*.ipynb")
    assert outputs(executed) == "Oslo 7\nunsaved\n"
    page.close()


def test_the_next_times_are_shown_and_a_refusal_stays_in_sight(page: Any, lab: Lab) -> None:
    execute(page, "apputils:change-theme", theme="JupyterLab Dark")
    open_form(page, "plain")
    open_options(page)
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
    create(page)
    refusal = page.get_by_role("alert").filter(has_text="has 6 fields")
    refusal.wait_for()
    expect(refusal).to_be_in_viewport(ratio=1)
    expect(button).to_be_in_viewport()
    assert lab.request("scheduler/job_definitions")["job_definitions"] == []


def test_a_job_is_followed_until_its_time_limit(page: Any, lab: Lab) -> None:
    submit(lab, "jobs", name=HOSTILE, input_uri="slow.ipynb", tags=["timeout:12s"])
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
    page.get_by_role("alert").filter(
        has_text="the limit that its option timeout sets"
    ).wait_for()  # the stock page is shown again
    page.get_by_text("Outputs so far:").wait_for()
    page.get_by_role("button", name="Notebook", exact=True).click()
    page.locator(".lm-TabBar-tab", has_text=re.compile(r"slow-.*\.ipynb")).wait_for()
    assert "hacked" not in page.title()
    assert page.locator("img[src=x]").count() == 0


def test_a_definition_shows_next_runs_and_history_and_can_be_edited(page: Any, lab: Lab) -> None:
    values = {"input_uri": "plain.ipynb", "schedule": "0 6 * * *", "timezone": "Europe/Oslo"}
    made = submit(
        lab, "job_definitions", name="report", tags=["keep:20", "mine"], parameters={"days": "3"}, **values
    )
    path = f"scheduler/job_definitions/{made['job_definition_id']}"
    lab.request(f"{path}/jobs", {})
    find_job(lab, "report")
    execute(page, "apputils:change-theme", theme="JupyterLab Dark High Contrast")
    open_page(page, "report", DEFINITIONS)
    next_runs = page.get_by_role("region", name="Next runs")
    expect(next_runs.get_by_role("listitem")).to_have_count(5)
    expect(page.get_by_role("button", name=re.compile("^Completed, "))).to_have_count(1)
    page.get_by_text("days = 3", exact=True).wait_for()
    page.get_by_text("Edit all settings").click()
    page.get_by_label("Name", exact=True).fill("weekly")
    page.get_by_label("Schedule (cron)").fill("0 6 * * * *")
    page.get_by_label("Value of parameter 1").fill("30")
    page.get_by_label("Keep", exact=True).fill("10")
    page.get_by_label("If the previous run is still going").select_option("Skip the new run")
    page.get_by_role("checkbox", name="HTML").check()
    check_accessibility(page, ".jp-argo-Live")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="has 6 fields")).to_be_in_viewport()
    page.get_by_label("Schedule (cron)").fill("0 7 * * 1")
    page.get_by_role("button", name="Save", exact=True).click()
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


def has_stock_options(page: Any) -> bool:
    """Return whether the form has the stock additional options, and nothing of ours."""
    open_form(page, "plain")
    open_options(page)
    page.get_by_title("Add new tag").wait_for()
    return bool(page.get_by_label("Time limit").count() == 0 and page.get_by_text("Expert").count() == 0)


def test_the_stock_panel_lives_when_our_bundle_is_broken(shared_browser: sync_api.Browser, lab: Lab) -> None:
    page = load(shared_browser, lab, broken=OURS)
    assert has_stock_options(page)
    page.get_by_title("Add new tag").click()
    page.get_by_label("Tag 1").fill("timeout:1h")
    page.get_by_label("Job name").fill("stock")
    while (
        box := page.locator("[id^='jp-create-job-outputFormat']:checked:not([value=ipynb])").first
    ).count():
        box.uncheck()
    create(page)
    assert find_job(lab, "stock")["tags"] == ["timeout:1h"]
    page.close()


def test_a_setting_gives_the_stock_options_back(shared_browser: sync_api.Browser, lab: Lab) -> None:
    lab.write_settings(SETTINGS, {"explainedOptions": False})
    page = load(shared_browser, lab)
    lab.write_settings(SETTINGS, {})
    assert has_stock_options(page)
    page.close()


def test_the_stock_frontend_is_back_when_ours_is_disabled(shared_browser: sync_api.Browser, lab: Lab) -> None:
    config = lab.folder / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(exist_ok=True)
    config.write_text(
        json.dumps({"disabledExtensions": {OURS: True}})
    )  # as "jupyter labextension disable" does
    page = load(shared_browser, lab)
    config.unlink()
    assert has_stock_options(page)
    page.close()
