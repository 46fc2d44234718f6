"""``/argo-scheduler/metrics``: who gets it, and that it says what the rows say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyter_server.auth.authorizer import Authorizer
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.identity import local_run_id, run_token
from argo_jupyter_scheduler.jobs.metrics import Metrics
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow
from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import Jobs, notebook, on_each_engine, refusal
from tests.support.services import Services, SmallEngine, SmallLocalEngine
from tests.support.statements import statements

local = pytest.mark.parametrize("place", ["local"], indirect=True)
PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
HOUR = 3_600_000
NOON = 1_772_452_800_000
"""2 March 2026, 12:00 UTC."""

Samples = dict[tuple[str, tuple[str, ...]], float]


def read(content: str) -> Samples:
    """Return all samples by their name, without the common prefix, and the values of their labels, sorted by the labels' names."""
    return {
        (
            sample.name.removeprefix("argo_scheduler_"),
            tuple(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(content)
        for sample in family.samples
    }


class TestAServer:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any]) -> dict[str, Any]:
        return {**scheduler_config, "serve_metrics": True}

    @on_each_engine
    async def test_it_is_what_the_rows_say(
        self, jobs: Jobs, jp_fetch: Callable[..., Any], place: str
    ) -> None:
        for source in ("1", "1 / 0"):
            await jobs.wait(await jobs.create("n.ipynb", notebook(source)))
        response = await jp_fetch("argo-scheduler", "metrics")
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        samples = read(response.body.decode())
        engine = "local" if place == "local" else "argo"
        for status in ("COMPLETED", "FAILED"):
            assert samples["jobs", (engine, status)] == 1
            assert samples["job_duration_seconds_count", (engine, status)] == 1
            assert samples["job_duration_seconds_bucket", (engine, "+Inf", status)] == 1
            assert samples["job_duration_seconds_sum", (engine, status)] > 0
        assert samples["queue_length", (engine,)] == 0

    @pytest.mark.parametrize("place", ["argo"], indirect=True)
    async def test_errors_of_argo(self, jobs: Jobs, jp_fetch: Callable[..., Any], argo: ArgoStandIn) -> None:
        jobs.write("n.ipynb", notebook("1"))
        for status in (403, 403, 422):
            argo.fail_next(status, {"message": "no"}, path="/workflows/dev", method="POST")
            with pytest.raises(HTTPClientError):
                await jobs.create("n.ipynb")
        samples = read((await jp_fetch("argo-scheduler", "metrics")).body.decode())
        assert samples["argo_api_errors_total", ("403",)] == 2
        assert samples["argo_api_errors_total", ("422",)] == 1

    @local
    async def test_the_example_for_prometheus_is_answered(
        self, jobs: Jobs, jp_serverapp: Any, http_server_client: Any
    ) -> None:
        [example] = [block.partition("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]
        [job] = yaml.safe_load(example)["scrape_configs"]
        authorization = job["authorization"]
        assert set(authorization) == {"type", "credentials_file"}
        token = jp_serverapp.identity_provider.token
        response = await http_server_client.fetch(
            jp_serverapp.base_url.rstrip("/") + job["metrics_path"],
            headers={"Authorization": f"{authorization['type']} {token}"},
        )
        assert ("queue_length", ("local",)) in read(response.body.decode())

    @local
    async def test_asking_again_and_again_is_not_activity(
        self, jobs: Jobs, jp_fetch: Callable[..., Any], jp_serverapp: Any
    ) -> None:
        await jobs.environment()
        before = jp_serverapp.web_app.settings["api_last_activity"]
        await jp_fetch("argo-scheduler", "metrics")
        assert jp_serverapp.web_app.settings["api_last_activity"] == before

    @local
    async def test_a_database_that_cannot_be_used_is_one_sentence(
        self, jobs: Jobs, jp_fetch: Callable[..., Any], database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        await jobs.environment()
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE jobs RENAME TO gone"))
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("argo-scheduler", "metrics")
        assert error.value.code == 500
        assert "The scheduler's database cannot be used: no such table: jobs" in refusal(error)
        assert "Uncaught exception" not in caplog.text

    class TestWithoutTheRight:
        @pytest.fixture
        def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
            class NoMetrics(Authorizer):  # type: ignore[misc]
                def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
                    return (action, resource) != ("read", "argo-scheduler")

            jp_server_config["ServerApp"]["authorizer_class"] = NoMetrics
            return jp_server_config

        @local
        async def test_it_is_refused(self, jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
            await jobs.environment()
            with pytest.raises(HTTPClientError) as error:
                await jp_fetch("argo-scheduler", "metrics")
            assert error.value.code == 403


@local
async def test_it_is_off_by_default(jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
    with pytest.raises(HTTPClientError) as error:
        await jp_fetch("argo-scheduler", "metrics")
    assert (error.value.code, refusal(error)) == (404, messages.server.METRICS_OFF)


class TestWithoutThisScheduler:
    @pytest.fixture(params=["another", "none"])
    def jp_server_config(
        self, jp_server_config: dict[str, Any], request: pytest.FixtureRequest
    ) -> dict[str, Any]:
        jp_server_config["SchedulerApp"]["scheduler_class"] = "jupyter_scheduler.scheduler.Scheduler"
        jp_server_config["ServerApp"]["jpserver_extensions"]["jupyter_scheduler"] = request.param == "another"
        return jp_server_config

    @local
    async def test_there_is_nothing(self, jp_fetch: Callable[..., Any]) -> None:
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("argo-scheduler", "metrics")
        assert (error.value.code, refusal(error)) == (404, messages.server.OTHER_SCHEDULER)


@local
async def test_the_order_of_extensions_does_not_matter(
    jp_fetch: Callable[..., Any], jp_serverapp: Any, scheduler: ArgoScheduler
) -> None:
    """Handlers that were added before there was a scheduler find it once it is there."""
    settings = jp_serverapp.web_app.settings
    found = settings.pop("scheduler")
    for message in (messages.server.OTHER_SCHEDULER, messages.server.METRICS_OFF):
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("argo-scheduler", "metrics")
        assert refusal(error) == message
        settings["scheduler"] = found


def test_it_is_installed_where_jupyter_server_looks() -> None:
    lines = (PAGE.parents[1] / "pyproject.toml").read_text().splitlines()
    name = "argo_jupyter_scheduler.json"
    assert f'"jupyter-config/{name}" = "etc/jupyter/jupyter_server_config.d/{name}"' in lines


class Rows:
    """Rows of a definition and its runs, and the metrics at noon."""

    def __init__(self, database: Database, folder: Path, engine: SmallEngine, **settings: Any) -> None:
        self.database = database
        self.services = Services(database, folder, engine, **settings)
        self.services.write("n.ipynb", notebook("1"))
        self.id = self.define()

    def define(self, schedule: str = "0 * * * *", name: str = "nightly") -> str:
        definition_id = self.services.define(name=name, schedule=schedule)
        self.database.update_definition(definition_id, update_time=NOON - 100 * HOUR)
        return definition_id

    def run(self, due: int, **columns: Any) -> str:
        job_id = local_run_id(self.id, due)
        pid = self.services.engine.new_job_pid
        assert self.database.insert_run(job_id, self.id, due, run_token(self.id, due // 1000), pid)
        self.database.update_job(job_id, **columns)
        return job_id

    def samples(self, with_names: bool = False, now: int = NOON) -> Samples:
        return read(Metrics(self.services.jobs, with_names, clock=lambda: now).render().decode())

    def waiting(self, now: int = NOON) -> float:
        return self.samples(now=now)["schedule_waiting_seconds", ()]


@pytest.fixture(params=[SmallEngine, SmallLocalEngine])
def rows(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Rows:
    return Rows(database, tmp_path, request.param())


def test_jobs_durations_and_the_queue(rows: Rows, database: Database) -> None:
    job = {"runtime_environment_name": "e", "input_filename": "n.ipynb"}
    for number, (status, pid, seconds) in enumerate(
        [
            ("COMPLETED", None, 10),
            ("COMPLETED", None, 11),
            ("COMPLETED", 4711, 100_000),
            ("FAILED", 4711, None),
            ("QUEUED", LOCAL_WAITING, None),
            ("QUEUED", None, None),
            ("CREATED", None, None),
            ("IN_PROGRESS", None, None),
        ]
    ):
        times = {} if seconds is None else {"start_time": 5, "end_time": 5 + seconds * 1000}
        database.insert_job(JobRow(job_id=str(number), status=status, pid=pid, **job, **times))  # type: ignore[arg-type]
    samples = rows.samples()
    assert samples["jobs", ("argo", "COMPLETED")] == 2
    assert samples["jobs", ("local", "COMPLETED")] == 1
    assert samples["jobs", ("local", "FAILED")] == 1
    assert (samples["queue_length", ("argo",)], samples["queue_length", ("local",)]) == (2, 1)
    duration = "job_duration_seconds"
    buckets = {
        bound: samples[f"{duration}_bucket", ("argo", bound, "COMPLETED")] for bound in ("10.0", "30.0")
    }
    assert buckets == {"10.0": 1, "30.0": 2}
    assert samples[f"{duration}_sum", ("argo", "COMPLETED")] == 21
    assert samples[f"{duration}_bucket", ("local", "86400.0", "COMPLETED")] == 0
    assert samples[f"{duration}_bucket", ("local", "+Inf", "COMPLETED")] == 1
    assert (f"{duration}_count", ("local", "FAILED")) not in samples


def test_a_schedule_waits_since_the_first_moment_whose_run_has_not_begun(rows: Rows) -> None:
    rows.run(NOON - 4 * HOUR, status="COMPLETED", start_time=NOON - 4 * HOUR + 7_000, end_time=NOON)
    assert rows.waiting() == 3 * 3600
    rows.run(NOON - 2 * HOUR, status="QUEUED")  # it has not begun
    assert rows.waiting() == 3 * 3600
    rows.run(NOON, status="IN_PROGRESS", start_time=NOON + 2_000)
    samples = rows.samples(now=NOON + 60_000)
    assert samples["schedule_waiting_seconds", ()] == 0
    assert samples["schedule_start_delay_seconds", ()] == 2


@pytest.mark.parametrize(
    ("columns", "waiting"),
    [
        ({"status": "FAILED", "status_message": "no input", "end_time": NOON}, 0),
        ({"status": "STOPPED", "status_message": None, "end_time": NOON}, 0),
        ({"status": "QUEUED"}, 60),
    ],
)
def test_a_run_that_ended_before_it_began_does_not_wait(
    rows: Rows, columns: dict[str, Any], waiting: int
) -> None:
    rows.run(NOON - HOUR, status="COMPLETED", start_time=NOON - HOUR, end_time=NOON - HOUR)
    rows.run(NOON, **columns)
    assert rows.waiting(NOON + 60_000) == waiting


def test_paused_and_changed_definitions_do_not_wait(rows: Rows, database: Database) -> None:
    assert rows.waiting() == 99 * 3600
    database.update_definition(rows.id, update_time=NOON - 1)
    assert rows.waiting() == 0
    assert rows.waiting(NOON + 1000) == 1
    database.update_definition(rows.id, active=False)
    assert rows.waiting(NOON + HOUR) == 0


def test_what_is_skipped_by_design_does_not_wait(database: Database, tmp_path: Path) -> None:
    rows = Rows(database, tmp_path, SmallEngine(), concurrency_policy="Forbid")
    job_id = rows.run(NOON - 4 * HOUR, status="IN_PROGRESS", start_time=NOON - 4 * HOUR)
    assert rows.waiting() == 0
    database.update_job(job_id, status="COMPLETED", end_time=NOON - HOUR - 1)
    assert rows.waiting() == 3600


def test_a_run_that_its_user_deleted_does_not_wait(rows: Rows) -> None:
    rows.run(NOON - HOUR, status="COMPLETED", start_time=NOON - HOUR, end_time=NOON)
    job_id = rows.run(NOON, status="COMPLETED", start_time=NOON, end_time=NOON)
    rows.services.jobs.delete_job(job_id)
    assert rows.waiting(NOON + 60_000) == 0


def test_names_are_labels_only_if_they_are_to_be(rows: Rows, database: Database) -> None:
    other = rows.define(name='weekly "report"\n')
    rows.run(NOON, status="COMPLETED", start_time=NOON + 3_000, end_time=NOON + 9_000)
    shown = Metrics(rows.services.jobs, clock=lambda: NOON).render().decode()
    assert not any(word in shown for word in ("nightly", "weekly", rows.id, other))
    samples = rows.samples(with_names=True)
    assert samples["schedule_waiting_seconds", (rows.id, "nightly")] == 0
    assert samples["schedule_start_delay_seconds", (rows.id, "nightly")] == 3
    assert samples["schedule_waiting_seconds", (other, 'weekly "report"\n')] == 99 * 3600
    assert ("schedule_start_delay_seconds", (other, 'weekly "report"\n')) not in samples


def test_schedules_of_another_backend_are_left_out(rows: Rows, database: Database) -> None:
    database.update_definition(rows.id, schedule="0 0 L * *")
    database.update_definition(rows.id, update_time=NOON - HOUR)
    assert rows.waiting() == 0


def test_a_few_statements_count_all_rows(rows: Rows, database: Database) -> None:
    for number in range(20):
        rows.define(name=f"definition {number}")
        rows.run(NOON - number * HOUR, status="COMPLETED", start_time=NOON, end_time=NOON)
    with statements(database) as found:
        rows.samples(with_names=True)
    assert found == ["SELECT"] * 3


def test_the_global_registry_stays_jupyter_servers(rows: Rows) -> None:
    rows.samples()
    assert not [metric for metric in REGISTRY.collect() if metric.name.startswith("argo_scheduler")]


def test_every_metric_is_on_the_page(rows: Rows) -> None:
    rows.run(NOON, status="COMPLETED", start_time=NOON, end_time=NOON)
    page = PAGE.read_text()
    for metric in Metrics(rows.services.jobs).collect():
        assert f"`{metric.name}" in page
