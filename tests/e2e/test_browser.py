"""The dialog and the panel in a real browser; what they show becomes the README's pictures (`UPDATE_ASSETS=1`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from tests.stand_ins.slack import SlackStandIn
from tests.support.environments import with_ipykernel
from tests.support.eventually import eventually
from tests.support.jobs import notebook
from tests.support.lab import Lab, running_lab
from tests.support.page import new_page, press

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.browser


@pytest.fixture
def traits(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Traits of `ArgoScheduler`; by default nothing is configured but what the wheel installs."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def lab(tmp_path: Path, traits: dict[str, Any]) -> Iterator[Lab]:
    with running_lab(tmp_path, traits) as lab:
        shutil.copy(ROOT / "examples" / "analysis.ipynb", lab.root)
        yield lab


@pytest.fixture
def page(browser: sync_api.Browser) -> Any:
    return new_page(browser, closes_dialogs=False)


def picture(page: sync_api.Page, name: str) -> None:
    """Keep what the page shows, for the README where it is asked for."""
    folder = ROOT / "assets" if os.environ.get("UPDATE_ASSETS") else None
    image = page.screenshot()
    assert len(image) > 10_000
    if folder:
        (folder / f"{name}.png").write_bytes(image)


def create_from(page: sync_api.Page, lab: Lab, notebook: str, name: str) -> None:
    """Open a notebook, press the calendar icon in its toolbar, and name the job."""
    field = page.get_by_label("Job name")

    def has_filled_form() -> bool:
        page.goto(lab.page_of(notebook))
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        try:  # the dialog fills itself in when it has the notebook, also over what was typed before
            page.locator("[data-jp-item-name='create-job'] jp-button").click(timeout=30_000)
            sync_api.expect(field).to_have_value(notebook.removesuffix(".ipynb"), timeout=10_000)
        except (AssertionError, sync_api.TimeoutError):
            return False  # JupyterLab did not know yet which notebook is current: the name is `job`, the input empty
        return True

    eventually(has_filled_form)
    page.get_by_role("checkbox", name="Notebook").wait_for()
    field.fill(name)


def drag(page: sync_api.Page, what: Any, where: Any) -> None:
    """Drag as a hand does, in steps: JupyterLab follows the mouse."""
    begin, end = what.bounding_box(), where.bounding_box()
    page.mouse.move(begin["x"] + 20, begin["y"] + begin["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + 20, end["y"] + end["height"] / 2, steps=20)
    page.mouse.up()


def reload_until(page: sync_api.Page, text: str) -> None:
    """Press *Reload* until the panel shows a text."""

    def is_shown() -> bool:
        press(page, "Reload")
        page.wait_for_timeout(500)
        return bool(page.locator("#notebook-jobs-panel").get_by_text(text, exact=True).count())

    eventually(is_shown, state=page.locator("body").inner_text)


def test_create_job_from_the_notebook_toolbar_until_its_outputs_are_there(
    page: sync_api.Page, lab: Lab
) -> None:
    create_from(page, lab, "analysis.ipynb", name="bike-rides")
    page.get_by_role("checkbox", name="Log").check()
    picture(page, "create-job")
    press(page, "Create")
    reload_until(page, "Completed")
    page.get_by_title('Download output files for "bike-rides"').click()
    reload_until(page, "HTML")
    picture(page, "jobs-completed")
    [folder] = (lab.root / "jobs").iterdir()
    suffixes = sorted(path.suffix for path in folder.iterdir())
    assert {".html", ".ipynb", ".log"} <= set(suffixes)
    assert ".markdown" not in suffixes
    page.get_by_title('Open detail view for "bike-rides"').click()
    page.get_by_role("region", name="Log").get_by_text("INFO Job: bike-rides").wait_for()
    picture(page, "job-detail")


def test_a_failing_notebook_shows_its_error(page: sync_api.Page, lab: Lab) -> None:
    shutil.copy(ROOT / "examples" / "failing.ipynb", lab.root)
    create_from(page, lab, "failing.ipynb", name="failing")
    press(page, "Create")
    reload_until(page, "Failed")
    page.get_by_title('Open detail view for "failing"').click()
    page.get_by_role("alert").filter(has_text="ZeroDivisionError: division by zero (cell 4, In [").wait_for()
    picture(page, "job-failed")


def test_the_life_of_a_definition(page: sync_api.Page, lab: Lab) -> None:
    def button(name: str) -> Any:
        return page.get_by_role("button", name=name, exact=True)

    create_from(page, lab, "analysis.ipynb", name="every-minute")
    page.get_by_text("Run on a schedule").click()
    page.get_by_label("Interval").click()
    page.get_by_role("option", name="Custom schedule").click()
    page.get_by_label("cron expression").fill("* * * * *")
    page.get_by_role("region", name="Next runs").get_by_role("listitem").nth(4).wait_for()
    button("Create").scroll_into_view_if_needed()
    picture(page, "create-job-definition")
    page.get_by_label("cron expression").fill("* * * * * *")
    button("Create").click()
    page.get_by_role("alert").filter(has_text="has 6 fields").wait_for()
    page.get_by_label("cron expression").fill("* * * * *")
    button("Create").click()

    page.get_by_title('Open detail view for "every-minute"').click()
    reload_until(page, "Completed")
    button("Reload Job Definition").click()
    page.locator(".jp-argo-Square").first.wait_for()
    picture(page, "job-definition")
    button("Pause").click()
    page.get_by_text("Paused", exact=True).wait_for()
    button("Resume").click()
    page.get_by_text("Active", exact=True).wait_for()
    button("Edit Job Definition").click()
    page.get_by_label("cron expression").fill("0 6 * * *")
    shutil.copy(ROOT / "examples" / "hello.ipynb", lab.root)
    page.get_by_role("button", name="Refresh").first.click()
    file = page.locator(".jp-DirListing-item", has_text="hello.ipynb")
    drag(page, file, page.locator(".jp-input-file-snapshot"))
    sync_api.expect(page.get_by_label("Input file snapshot")).to_have_value("hello.ipynb")
    button("Save Changes").click()
    button("Edit Job Definition").wait_for()  # the form, too, says when the schedule is
    page.get_by_text("At 06:00 AM").wait_for()
    assert list((lab.folder / "data" / "scheduler_staging_area").glob("*/hello.ipynb"))
    button("Delete Job Definition").click()
    button("Delete").click()
    page.get_by_text("There are no job definitions.").wait_for()


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    """A workspace of Slack, which the server's environment names."""
    with SlackStandIn() as slack:
        monkeypatch.setenv("SLACK_TOKEN", slack.token)
        monkeypatch.setenv("SLACK_BASE_URL", slack.base_url)
        yield slack


def add_parameter(page: sync_api.Page, number: int, name: str, value: str) -> None:
    page.get_by_title("Add new parameter").click()
    for field, text in (("name", name), ("value", value)):
        box = page.locator(f"input[name='parameter-{number}-{field}']")
        box.fill(text)
        box.blur()


def test_a_refusal_is_shown_in_the_dialog_and_can_be_mended(page: sync_api.Page, lab: Lab) -> None:
    create_from(page, lab, "analysis.ipynb", name="bike-rides")
    page.locator("input[name='parameter-0-name']").fill("dayz")
    press(page, "Create")
    refusal = "The notebook has no parameter 'dayz'. Did you mean 'days'?"
    page.get_by_role("alert").filter(has_text=refusal).wait_for()
    assert lab.request("scheduler/jobs")["jobs"] == []
    page.locator("input[name='parameter-0-name']").fill("days")
    page.locator("input[name='parameter-0-name']").blur()
    press(page, "Create")
    reload_until(page, "Completed")


def test_a_channel_of_slack_is_told(page: sync_api.Page, slack: SlackStandIn, lab: Lab) -> None:
    create_from(page, lab, "analysis.ipynb", name="bike-rides")
    page.locator("input[name='parameter-2-name']").wait_for()  # the notebook's own three
    for number, parameter in enumerate((("SLACK_CHANNEL", "#reports"), ("SLACK_NOTIFY", "always")), 3):
        add_parameter(page, number, *parameter)
    picture(page, "create-job-slack")
    press(page, "Create")
    reload_until(page, "Completed")

    shutil.copy(ROOT / "examples" / "failing.ipynb", lab.root)
    lab.submit(
        "monthly-report",
        "failing.ipynb",
        output_formats=["html"],
        parameters={"SLACK_CHANNEL": "#reports"},
    )
    reload_until(page, "Failed")
    page.set_viewport_size({"width": 900, "height": 370})
    page.goto(slack.page_of("reports"))
    page.get_by_text("ZeroDivisionError: division by zero (cell 4, In [3])").wait_for()
    assert [message.files[0].name.rpartition(".")[2] for message in slack.messages] == ["html", "ipynb"]
    picture(page, "slack-output")


@pytest.fixture
def environments(tmp_path: Path, traits: dict[str, Any]) -> Path:
    """An environment that can be picked, and compute types."""
    envs = tmp_path / "envs"
    with_ipykernel(envs / "analytics")
    traits["environment_patterns"] = [f"{envs}/{{name}}"]
    traits["compute_types"] = {"small": {"mem_limit": "1G"}, "big": {"mem_limit": "2G"}}
    return envs


def test_environment_compute_type_and_options(environments: Path, page: sync_api.Page, lab: Lab) -> None:
    def pick(field: str, option: str) -> None:
        page.locator(f"#jp-create-job-{field}").click()
        page.get_by_role("option", name=option, exact=True).click()

    code = "import sys, resource; print(sys.prefix, resource.getrlimit(resource.RLIMIT_DATA)[0])"
    (lab.root / "where.ipynb").write_text(notebook(code))
    create_from(page, lab, "where.ipynb", name="where")
    pick("environment", "analytics")
    pick("computeType", "big")
    picture(page, "pickers")
    page.get_by_role("button", name="Additional options").click()
    page.get_by_text("Expert").click()
    page.get_by_title("Add new tag").click()
    page.get_by_label("Tag 1").fill("timeout:500d")
    press(page, "Create")
    page.get_by_role("alert").filter(has_text="Option timeout:").wait_for()
    page.get_by_role("button", name="Additional options").click()
    page.get_by_label("Tag 1").fill("timeout:2h")
    press(page, "Create")
    reload_until(page, "Completed")
    page.get_by_title('Open detail view for "where"').click()
    page.get_by_text("analytics", exact=True).wait_for()
    assert lab.read_outputs(lab.wait_for_job("where")) == f"{environments / 'analytics'} {2 * 1024**3}\n"
