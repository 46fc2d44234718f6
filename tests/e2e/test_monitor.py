"""The job monitor in a real browser, with a real server and real runs."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.storage import schema
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow
from tests.stand_ins.argo import ArgoStandIn
from tests.support.accessibility import check_accessibility
from tests.support.eventually import eventually
from tests.support.jobs import notebook
from tests.support.lab import Lab, running_lab
from tests.support.page import HOSTILE, execute, load, new_page, open_notebook, press, press_calendar

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "assets"
MANY = 1000

expect = sync_api.expect


def write_notebooks(lab: Lab) -> None:
    notebooks = {
        "fine": notebook("print('done')"),
        "failing": notebook("1 / nights", parameters="nights = 0"),
        "slow": notebook(
            "import time",
            "for n in range(600):\n    print('\\x1b[31mline', n, '<b>', flush=True)\n    time.sleep(0.1)",
            "2",
        ),
    }
    for name, text in notebooks.items():
        (lab.root / f"{name}.ipynb").write_text(text)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("monitor"), {}) as lab:
        write_notebooks(lab)
        yield lab


@pytest.fixture(scope="module")
def database(lab: Lab) -> Iterator[Database]:
    database = Database(f"sqlite:///{lab.folder / 'data' / 'scheduler.sqlite'}")
    yield database
    database.dispose()


@pytest.fixture
def page(shared_page: sync_api.Page) -> sync_api.Page:
    """The page with the monitor as it is at first, whatever an earlier test did."""
    execute(shared_page, "application:close-all")
    execute(shared_page, "apputils:dismiss-all-notifications")
    execute(shared_page, "argo-jupyter-scheduler:show-monitor")
    show(shared_page, "Jobs")
    filter_jobs(shared_page, "")
    return shared_page


def show(page: sync_api.Page, view: str) -> None:
    page.locator(".jp-argo-Tabs").get_by_role("button", name=view, exact=True).click()


def filter_jobs(page: sync_api.Page, text: str = "", status: str = "Any status") -> None:
    page.get_by_label("Filter jobs").fill(text)
    page.get_by_label("Status", exact=True).select_option(label=status)


def row(page: sync_api.Page, name: str) -> sync_api.Locator:
    """The row of the newest job of a name, or of a definition."""
    named = page.get_by_role("button", name=name, exact=True)
    return page.locator(".jp-argo-Row", has=named).first


def status(inside: sync_api.Locator, text: str) -> None:
    """Wait for a status."""
    expect(inside.locator(".jp-argo-Status")).to_have_attribute("aria-label", text)


def run_with_three_clicks(page: sync_api.Page) -> None:
    open_notebook(page, "fine.ipynb")
    page.evaluate("window.isSamePage = true")
    press_calendar(page)
    press(page.locator("#notebook-jobs-panel"), "Create")
    toast = page.locator(".Toastify__toast", has_text="fine")
    expect(toast).to_contain_text("has completed.")
    badge = page.locator("[data-id='argo-job-monitor'][data-argo-unseen='1']")
    badge.wait_for()
    assert badge.evaluate("tab => getComputedStyle(tab, '::before').content") == '"1"'
    press(toast, "Open output")
    frame = page.frame_locator(".jp-HTMLViewer iframe")
    frame.get_by_text("done", exact=True).wait_for()
    assert page.evaluate("window.isSamePage")
    badge.click()
    expect(page.locator("[data-id='argo-job-monitor'][data-argo-unseen]")).to_have_count(0)


def watch_and_stop(page: sync_api.Page, lab: Lab) -> None:
    lab.submit("slow-job", "slow.ipynb")
    job = row(page, "slow-job")
    job.get_by_text("cell 2 of 3").wait_for()
    assert job.get_by_role("progressbar").get_attribute("value") == "1.5"  # half of the second of three
    page.get_by_text("1 job running").wait_for()
    press(job, "Log")
    log = job.locator("pre")
    expect(log).to_contain_text(re.compile(r"line \d+ <b>"))
    assert "\x1b" not in (log.text_content() or "")
    before = len(log.text_content() or "")
    eventually(lambda: len(log.text_content() or "") > before)
    press(job, "Stop")
    status(job, "Stopped")
    assert job.get_by_role("button", name="Stop", exact=True).count() == 0
    expect(page.get_by_text("1 job running")).to_have_count(0)


def test_from_a_notebook_to_its_output_in_three_clicks(page: sync_api.Page) -> None:
    run_with_three_clicks(page)


def test_a_running_job_shows_its_cell_and_its_log_and_can_be_stopped(page: sync_api.Page, lab: Lab) -> None:
    watch_and_stop(page, lab)
    press(row(page, "slow-job"), "Open notebook")
    page.locator(".jp-NotebookPanel").get_by_text(re.compile(r"line \d+ <b>")).first.wait_for()


def test_the_same_on_argo(shared_browser: sync_api.Browser, tmp_path: Path) -> None:
    with ArgoStandIn() as argo:
        with running_lab(tmp_path, {}, argo) as lab:
            write_notebooks(lab)
            page = load(new_page(shared_browser), lab)
            execute(page, "argo-jupyter-scheduler:show-monitor")
            run_with_three_clicks(page)
            watch_and_stop(page, lab)
            page.close()
        assert len(argo.runs) == 2


def test_a_failed_job_shows_its_reason_and_runs_again(page: sync_api.Page, lab: Lab) -> None:
    lab.submit("broken-job", "failing.ipynb", parameters={"nights": "0"})
    toast = page.locator(".Toastify__toast", has_text="broken-job")
    expect(toast).to_contain_text("has failed.")
    show(page, "Job definitions")
    press(toast, "Show reason")
    job = row(page, "broken-job")
    expect(job).to_contain_text("ZeroDivisionError: division by zero")
    expect(job).to_be_focused()

    rows = page.locator(".jp-argo-Row", has=page.get_by_role("button", name="broken-job", exact=True))
    press(job, "Run again")
    expect(rows).to_have_count(2)
    status(rows.first, "Failed")

    press(job, "Edit and run again")
    expect(page.get_by_label("Job name")).to_have_value("broken-job")
    expect(page.get_by_label("Input file", exact=True)).to_have_value("failing.ipynb")
    page.locator("input[name='parameter-0-value']").fill("2")
    page.locator("input[name='parameter-0-value']").blur()
    press(page.locator("#notebook-jobs-panel"), "Create")
    expect(rows).to_have_count(3)
    status(rows.first, "Completed")

    (lab.root / "failing.ipynb").rename(lab.root / "moved.ipynb")
    press(rows.last, "Edit and run again")
    refusal = rows.last.get_by_role("alert")
    expect(refusal).to_contain_text("The notebook of this job was moved or deleted")
    expect(refusal).to_be_in_viewport()
    (lab.root / "moved.ipynb").rename(lab.root / "failing.ipynb")


def test_a_definition_is_paused_resumed_run_and_edited(page: sync_api.Page, lab: Lab) -> None:
    id_ = lab.submit("nightly", "fine.ipynb", "job_definitions", schedule="0 3 * * *", timezone="UTC")

    def is_active() -> bool:
        return bool(lab.request(f"scheduler/job_definitions/{id_}")["active"])

    show(page, "Job definitions")
    definition = row(page, "nightly")
    expect(definition).to_contain_text("Next run:")
    press(definition, "Pause")
    expect(definition).to_contain_text("Paused")
    assert not is_active()
    press(definition, "Resume")
    expect(definition).to_contain_text("Next run:")
    assert is_active()
    press(definition, "Run now")
    square = definition.get_by_label("Last runs, oldest first").get_by_role("button", name="Completed")
    square.wait_for()
    page.locator(".Toastify__toast", has_text="nightly").wait_for()
    square.click()
    page.locator("#notebook-jobs-panel").get_by_text("Job ID", exact=True).wait_for()
    press(definition, "Edit")
    page.get_by_label("cron expression").fill("0 4 * * *")
    press(page.locator("#notebook-jobs-panel"), "Save Changes")
    eventually(lambda: lab.request(f"scheduler/job_definitions/{id_}")["schedule"] == "0 4 * * *")

    show(page, "Jobs")
    page.get_by_label("Job definition", exact=True).select_option(label="nightly")
    expect(page.locator(".jp-argo-Row")).to_have_count(1)
    page.get_by_label("Job definition", exact=True).select_option(label="Any definition")
    lab.request(f"scheduler/job_definitions/{id_}", method="DELETE")
    show(page, "Job definitions")
    expect(definition).to_have_count(0)


def test_the_palette_and_the_run_menu_open_the_monitor(page: sync_api.Page) -> None:
    monitor = page.get_by_role("region", name="Job monitor")
    execute(page, "filebrowser:activate")
    expect(monitor).to_be_hidden()
    execute(page, "apputils:activate-command-palette")
    page.locator(".lm-CommandPalette-input").fill("jobs: show")
    page.locator(".lm-CommandPalette-item", has_text="Jobs: Show Monitor").click()
    expect(monitor).to_be_visible()
    execute(page, "filebrowser:activate")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Jobs: Show Monitor").click()
    expect(monitor).to_be_visible()


OPEN = """async () => {
    const begin = performance.now();
    jupyterapp.commands.execute('argo-jupyter-scheduler:show-monitor');
    while (!document.querySelector('.jp-argo-Row')?.checkVisibility()) {
        await new Promise(requestAnimationFrame);
    }
    await new Promise(requestAnimationFrame);
    return performance.now() - begin;
}"""


def test_a_thousand_jobs_stay_smooth(page: sync_api.Page, lab: Lab, database: Database) -> None:
    now = now_ms()
    jobs = [
        JobRow(
            job_id=f"many-{number}",
            name=f"many {number:03}",
            status="FAILED" if number % 2 else "COMPLETED",
            status_message="Out of memory" if number % 2 else None,
            input_filename="fine.ipynb",
            output_formats=("html",),
            create_time=now - number,
            update_time=now,
            start_time=now,
            end_time=now + number,
        )
        for number in range(MANY)
    ]
    with stored(database, *jobs):
        row(page, "many 000").wait_for()
        execute(page, "application:toggle-left-area")
        expect(page.locator(".jp-argo-Monitor")).to_be_hidden()
        assert page.evaluate(OPEN) < 1500  # ms; about 50 on an idle machine
        rows = page.locator(".jp-argo-Row")
        assert rows.count() < 100  # what is not in sight is not drawn
        filter_jobs(page, "MANY 99")
        expect(rows).to_have_count(19)  # 990 to 999, and 099 to 899
        filter_jobs(page, "many 99", "Failed")
        expect(rows).to_have_count(14)
        filter_jobs(page, "out of memory 997")
        expect(rows).to_have_count(1)
        filter_jobs(page, "many")
        page.get_by_label("Order").select_option(label="Longest first")
        expect(rows.first).to_contain_text("many 999")
        page.get_by_label("Order").select_option(label="By name")
        for _ in range(4):
            rows.last.scroll_into_view_if_needed()
            page.wait_for_timeout(100)
        expect(row(page, "many 120")).to_be_attached()
        page.get_by_label("Order").select_option(label="Newest first")
        page.locator(".Toastify__toast", has_text="1000 jobs have ended. 500 of them have failed.").wait_for()
    expect(row(page, "many 000")).to_have_count(0)


def test_what_users_write_is_shown_as_text_in_all_pages(
    page: sync_api.Page, shared_browser: sync_api.Browser, lab: Lab
) -> None:
    lab.write_settings("argo-jupyter-scheduler:plugin", {"notifications": False})
    quiet = load(new_page(shared_browser), lab)
    lab.write_settings("argo-jupyter-scheduler:plugin", {})
    quiet.locator("[data-id='argo-job-monitor']").click()
    (lab.root / "hostile.ipynb").write_text(notebook(f"raise ValueError({HOSTILE!r})"))
    lab.submit(HOSTILE, "hostile.ipynb")
    for each in (page, quiet):
        job = each.locator(".jp-argo-Row", has_text="hacked").first
        status(job, "Failed")
        expect(job.locator("bdi")).to_have_text(HOSTILE)
        expect(job).to_contain_text("ValueError: <img src=x")
        assert job.locator("img").count() == 0
    toast = page.locator(".Toastify__toast", has_text="<img src=x")
    toast.wait_for()
    assert quiet.locator(".Toastify__toast").count() == 0
    press(job, "Log")
    expect(job.locator("pre")).to_contain_text("<img src=x")
    for each in (page, quiet):
        assert "hacked" not in each.title()
    quiet.close()


def test_a_restart_of_the_server_is_survived(page: sync_api.Page, lab: Lab, database: Database) -> None:
    lab.stop()
    page.get_by_text("Not up to date, retrying").wait_for()
    meanwhile = JobRow(job_id="meanwhile", name="meanwhile", status="COMPLETED", create_time=now_ms())
    with stored(database, meanwhile):
        lab.restart()
        row(page, "meanwhile").wait_for()
        expect(page.get_by_text("Not up to date, retrying")).to_have_count(0)
    expect(row(page, "meanwhile")).to_have_count(0)


def nothing_is_asked(page: sync_api.Page) -> None:
    """Fail if the page asks more within seconds than once whether anything has changed."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "argo-scheduler" in request.url else None)
    page.wait_for_timeout(6000)
    assert len(asked) <= 1, asked


def test_nothing_is_asked_while_nothing_runs_and_a_change_is_seen_at_once(
    page: sync_api.Page, lab: Lab, database: Database
) -> None:
    definition = DefinitionRow(job_definition_id="idle-1", name="idle", schedule="0 3 * * *", timezone="UTC")
    with stored(database, definition):
        execute(page, "scheduling:restore-layout", jobsView=6, jobDetailModel={"id": "idle-1"})
        page.get_by_text("No run yet.").wait_for()
        page.get_by_role("region", name="Next runs").get_by_role("listitem").first.wait_for()
        nothing_is_asked(page)
    delays = []
    for number in range(3):
        new = JobRow(job_id=f"new-{number}", name=f"new-{number}", status="QUEUED", pid=0)
        with stored(database, new):
            begin = time.monotonic()
            row(page, f"new-{number}").wait_for()
            delays.append(time.monotonic() - begin)
    assert min(delays) < 1.5, delays  # the least: other tests have the machine, too


@pytest.mark.parametrize("theme", ["Light", "Dark", "Dark High Contrast"])
def test_all_themes_are_accessible(page: sync_api.Page, lab: Lab, database: Database, theme: str) -> None:
    now = now_ms()
    common: dict[str, Any] = {"input_filename": "fine.ipynb", "output_formats": ("html", "ipynb")}
    rows: list[JobRow | DefinitionRow] = [
        JobRow(job_id="axe-1", name="axe failed", status="FAILED", status_message="Out of memory", **common),
        JobRow(job_id="axe-2", name="axe queued", status="QUEUED", pid=0, create_time=now, **common),
        JobRow(
            job_id="axe-3",
            name="axe running",
            status="IN_PROGRESS",
            start_time=now,
            create_time=now,
            **common,
        ),
        JobRow(job_id="axe-4", name="axe completed", status="COMPLETED", job_definition_id="axe-5", **common),
        DefinitionRow(job_definition_id="axe-5", name="axe", schedule="0 3 * * *", active=False, **common),
    ]
    execute(page, "apputils:change-theme", theme=f"JupyterLab {theme}")
    with stored(database, *rows):
        filter_jobs(page, "axe")
        press(row(page, "axe failed"), "Log")
        row(page, "axe failed").locator("pre").wait_for()
        check_accessibility(page, ".jp-argo-Monitor")
        show(page, "Job definitions")
        row(page, "axe").get_by_label("Last runs, oldest first").wait_for()
        check_accessibility(page, ".jp-argo-Monitor")
    execute(page, "apputils:change-theme", theme="JupyterLab Light")


@pytest.mark.skipif("UPDATE_ASSETS" not in os.environ, reason="It makes a picture for the documentation")
def test_a_picture(
    page: sync_api.Page, shared_browser: sync_api.Browser, lab: Lab, database: Database
) -> None:
    for job in lab.request("scheduler/jobs")["jobs"]:
        lab.request(f"scheduler/jobs/{job['job_id']}", method="DELETE")
    now, hour = now_ms(), 3_600_000
    common: dict[str, Any] = {"input_filename": "report.ipynb", "output_formats": ("html", "ipynb")}

    def ended(number: int, name: str, status: str, message: str = "", **more: Any) -> JobRow:
        times: dict[str, Any] = {"create_time": now - number * hour, "start_time": now - number * hour}
        end = now - number * hour + 1000 * (40 + 7 * number)
        return JobRow(
            job_id=f"shown-{number}",
            name=name,
            status=status,
            status_message=message,
            end_time=end,
            **times,
            **more,
            **common,
        )

    failed = "ZeroDivisionError: division by zero (cell 4, In [3])"
    runs = [
        ended(n + 9, "nightly-report", "FAILED" if n in (3, 11) else "COMPLETED", job_definition_id="shown-a")
        for n in range(24)
    ]
    own = [
        ended(1, "bike-rides", "COMPLETED"),
        ended(2, "monthly-costs", "FAILED", failed),
        ended(3, "forecast", "STOPPED", messages.runs.STOPPED_IN_ARGO),
    ]
    definitions = [
        DefinitionRow(job_definition_id=id_, name=name, schedule=schedule, update_time=now, **common)
        for id_, name, schedule in (
            ("shown-a", "nightly-report", "0 3 * * *"),
            ("shown-b", "weekly-summary", "0 8 * * MON"),
        )
    ]
    clip: Any = {"x": 0, "y": 28, "width": 300, "height": 500}
    with stored(database, *own, *runs, *definitions):
        lab.submit("train-model", "slow.ipynb")
        row(page, "train-model").get_by_text("cell 2 of 3").wait_for()
        jobs = page.screenshot(clip=clip)
        show(page, "Job definitions")
        row(page, "weekly-summary").wait_for()
        schedules = page.screenshot(clip=clip)
        show(page, "Jobs")
        press(row(page, "train-model"), "Stop")
        both = shared_browser.new_page(viewport={"width": 620, "height": 500})
        images = [
            f"<img src='data:image/png;base64,{base64.b64encode(image).decode()}'>"
            for image in (jobs, schedules)
        ]
        both.set_content(f"<body style='margin:0;display:flex;gap:20px'>{''.join(images)}")
        both.screenshot(path=ASSETS / "monitor.png")
        both.close()


@contextlib.contextmanager
def stored(database: Database, *rows: JobRow | DefinitionRow) -> Iterator[None]:
    """Have rows in the database for a while."""
    jobs = [row for row in rows if isinstance(row, JobRow)]
    definitions = [row for row in rows if isinstance(row, DefinitionRow)]
    with database.engine.begin() as connection:
        if jobs:
            connection.execute(schema.jobs.insert(), [schema.encode(asdict(job)) for job in jobs])
    for definition in definitions:
        database.insert_definition(definition)
    try:
        yield
    finally:
        _delete(database, jobs, definitions)


def _delete(database: Database, jobs: list[JobRow], definitions: list[DefinitionRow]) -> None:
    with database.engine.begin() as connection:
        ids = [job.job_id for job in jobs]
        connection.execute(schema.jobs.delete().where(schema.jobs.c.job_id.in_(ids)))
    for definition in definitions:
        database.delete_definition(definition.job_definition_id)
