"""The panel's requests, notebooks and their outputs: the words in which tests are written."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.support.eventually import PATIENCE_SECONDS, eventually_async
from tests.support.processes import marked

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(*cells: str, parameters: str | None = None, kernel: dict[str, str] | None = None) -> str:
    """Return a notebook's text; `parameters` is the source of its first cell, tagged so."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = kernel or KERNEL
    if parameters is not None:
        made.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    made.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    return str(nbformat.writes(made))


def outputs(path: Path | str) -> str:
    """Return all text that the cells of an executed notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs)


def refusal(error: pytest.ExceptionInfo[HTTPClientError]) -> str:
    """Return the message that the dialog shows of a refused request."""
    assert error.value.response
    return str(json.loads(error.value.response.body)["message"])


REAL_ARGO = [pytest.param("real-argo", marks=pytest.mark.argo)] if "ARGO_SERVER" in os.environ else []


PLACES: list[Any] = ["local", "argo", "argo-pod-per-step", *REAL_ARGO]

on_each_engine = pytest.mark.parametrize("place", ["local", "argo", *REAL_ARGO], indirect=True)
"""Marks tests of what is the same with one pod a run and one pod a step."""


POD_VARIABLES = (
    "PATH",
    "HOME",
    "JUPYTER_DATA_DIR",
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
)
"""What a pod has of the server's variables: with a shared home, Jupyter's folders are the same."""


def _pod_environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: variables[name] for name in POD_VARIABLES if name in variables}


def stand_in_argo(url: str, folder: Path, variables: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Traits for the stand-in, whose pods have a folder and the server's variables, and see this machine."""
    return {
        "argo_server": url,
        "image": "stand-in",
        "environment": _pod_environment(variables),
        "volumes": [{"name": "home", "hostPath": {"path": str(folder)}}],
        "volume_mounts": [{"name": "home", "mountPath": str(folder)}],
    }


def real_argo(variables: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Traits for a real Argo, whose pods see this machine's folders and the server's variables; see CONTRIBUTING.md."""
    folders = os.environ.get("ARGO_TEST_FOLDERS", "/usr:/etc:/root:/home:/tmp").split(":")
    names = {folder: "folder" + folder.replace("/", "-") for folder in folders}
    return {
        "image": os.environ.get("ARGO_TEST_IMAGE", "registry.local/host:1"),
        "environment": _pod_environment(variables),
        "volumes": [{"name": name, "hostPath": {"path": folder}} for folder, name in names.items()],
        "volume_mounts": [{"name": name, "mountPath": folder} for folder, name in names.items()],
    }


class Jobs:
    """The panel's requests, sent to a real Jupyter server."""

    def __init__(self, fetch: Callable[..., Any], root: Path, staging_path: Path) -> None:
        self.fetch = fetch
        self.root = root
        self.staging_path = staging_path

    async def request(self, method: str, *path: str, body: Any = None, **query: str) -> Any:
        text = None if body is None else json.dumps(body)
        response = await self.fetch("scheduler", *path, method=method, body=text, params=query)
        return json.loads(response.body) if response.body else None

    def write(self, path: str, content: str) -> str:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content, encoding="utf-8")
        return path

    async def environment(self) -> str:
        return str((await self.request("GET", "runtime_environments"))[0]["name"])

    async def create(self, path: str, content: str | None = None, **fields: Any) -> str:
        if content is not None:
            self.write(path, content)
        body = {
            "name": "a job",
            "input_uri": path,
            "output_formats": ["ipynb", "html"],
            "runtime_environment_name": await self.environment(),
            **fields,
        }
        return str((await self.request("POST", "jobs", body=body))["job_id"])

    async def define(self, path: str, content: str | None = None, **fields: Any) -> str:
        """Create a job definition; return its id."""
        if content is not None:
            self.write(path, content)
        body = {
            "name": "a definition",
            "input_uri": path,
            "output_formats": ["ipynb", "html"],
            "runtime_environment_name": await self.environment(),
            "schedule": "* * * * *",
            "timezone": "UTC",
            **fields,
        }
        return str((await self.request("POST", "job_definitions", body=body))["job_definition_id"])

    async def runs(self, definition_id: str) -> list[dict[str, Any]]:
        """Return a definition's jobs, newest first."""
        answer = await self.request(
            "GET", "jobs", job_definition_id=definition_id, sort_by="desc(create_time)"
        )
        return list(answer["jobs"])

    async def get(self, job_id: str) -> dict[str, Any]:
        return dict(await self.request("GET", "jobs", job_id))

    async def wait(
        self, job_id: str, timeout: float = PATIENCE_SECONDS, until: str | None = None
    ) -> dict[str, Any]:
        """Return the job once it has ended, or has the status `until`."""
        job: dict[str, Any] = {}

        async def is_so() -> bool:
            job.clear()
            job.update(await self.get(job_id))
            return job["status"] == until or job["status"] not in LIVE

        await eventually_async(is_so, timeout, state=lambda: f"{job}\n{self._describe_run(job_id)}")
        return job

    def _describe_run(self, job_id: str) -> str:
        """Return what its log and its processes say of a run that does not end."""
        log = RunFolder(self.staging_path, job_id).log
        text = log.read_text(encoding="utf-8") if log.exists() else "no log"
        return "\n".join([text[-2000:], *map(str, marked(job_id))])

    async def download(self, job_id: str) -> dict[str, Path]:
        """Download the outputs as the panel does; return where they are."""
        await self.fetch("scheduler", "jobs", job_id, "download_files", method="GET")
        files = (await self.get(job_id))["job_files"]
        return {f["file_format"]: self.root / f["file_path"] for f in files if f["file_path"]}


def start_all(schedules: LocalSchedules) -> None:
    """Start what is due, and wait until it is lined up."""
    for start in schedules.start_due():
        start.result(60)


class Minutes:
    """A clock that is never behind this machine's: what a busy machine changed long ago lies in its past.

    Called, it returns milliseconds since 1970.
    """

    def __init__(self) -> None:
        self.moment = now_ms()

    def __call__(self) -> int:
        return self.moment

    async def pass_one(self, schedules: LocalSchedules) -> None:
        """Let a minute pass, and start what is due."""
        self.moment = max(self.moment, now_ms()) + 60_000
        await asyncio.to_thread(start_all, schedules)


class Story:
    """One definition and its runs."""

    def __init__(self, jobs: Jobs, next_minute: Callable[[], Awaitable[None]], definition_id: str) -> None:
        self.jobs, self.next_minute, self.id = jobs, next_minute, definition_id

    async def next_run(self, timeout: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Let a minute pass and return its run once it has ended."""
        before = {job["job_id"] for job in await self.jobs.runs(self.id)}
        await self.next_minute()

        async def find_new() -> list[dict[str, Any]]:
            return [job for job in await self.jobs.runs(self.id) if job["job_id"] not in before]

        new = await eventually_async(find_new, timeout)
        return await self.jobs.wait(new[-1]["job_id"])

    async def no_run(self) -> None:
        """Let a minute pass and see that nothing ran."""
        before = await self.jobs.runs(self.id)
        await self.next_minute()
        await asyncio.sleep(0.3)
        assert [job["job_id"] for job in await self.jobs.runs(self.id)] == [job["job_id"] for job in before]

    async def change(self, **fields: Any) -> None:
        await self.jobs.request("PATCH", "job_definitions", self.id, body=fields)

    async def printed(self, job: dict[str, Any]) -> str:
        return outputs((await self.jobs.download(job["job_id"]))["ipynb"])


async def reconcile_twice(scheduler: ArgoScheduler) -> None:
    """Let the reconciler do what it would do in the next minute, so that what must not happen had its chance."""
    for _ in range(2):
        await asyncio.to_thread(scheduler.reconciler.reconcile)


def restarted(scheduler: ArgoScheduler, **traits: Any) -> ArgoScheduler:
    """Return a scheduler as a server with another configuration has it."""
    config = scheduler.config.copy()
    config.ArgoScheduler.update(traits)
    url = scheduler.jobs.database.url
    return ArgoScheduler(scheduler.root_dir, ArgoEnvironmentManager(), url, config=config)
