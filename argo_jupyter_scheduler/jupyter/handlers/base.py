"""The base of all handlers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.models import DescribeJob
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs.answers import Output
from argo_jupyter_scheduler.jobs.changes import ChangeWatcher
from argo_jupyter_scheduler.jobs.definition_files import DefinitionFiles
from argo_jupyter_scheduler.jobs.metrics import Metrics
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.jobs.views import Views
from argo_jupyter_scheduler.jupyter.errors import (
    BAD_REQUEST,
    NOT_FOUND,
    SERVER_ERROR,
    read_in_thread,
    refuse,
    run_in_thread,
    user_facing_errors,
)
from argo_jupyter_scheduler.storage.output_names import find_delivered

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Number = TypeVar("Number", int, float)


@runtime_checkable
class Services(Protocol):
    """The part of `ArgoScheduler` that handlers need."""

    jobs: JobService
    changes: ChangeWatcher
    views: Views
    metrics: Metrics | None
    definition_files: DefinitionFiles

    async def get_job(self, job_id: str) -> DescribeJob:
        """Return a job as Jupyter-Scheduler describes it."""


class SchedulerHandler(APIHandler):
    """Answers with what this server's scheduler knows."""

    auth_resource = "argo-scheduler"

    @property
    def services(self) -> Services:
        """The scheduler that Jupyter-Scheduler's extension has made.

        Raises
        ------
        HTTPError
            404: it is another one, or there is none.
        """
        scheduler = self.settings.get("scheduler")
        if not isinstance(scheduler, Services):
            raise HTTPError(NOT_FOUND, messages.server.OTHER_SCHEDULER)
        return scheduler

    async def prepare(self) -> None:
        """Refuse a body that is not a JSON object, from somebody who is logged in; others are turned away by the method."""
        await super().prepare()
        if self.current_user and self.request.body and not self._finished:
            try:
                is_object = isinstance(json.loads(self.request.body), dict)
            except (ValueError, RecursionError):
                is_object = False
            if not is_object:
                refuse(InvalidJob(messages.requests.BODY_NOT_AN_OBJECT))

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a part of the path, which has no name, or an argument of the query, as text.

        Raises
        ------
        HTTPError
            400: it is not UTF-8, or an id has a NUL character, which PostgreSQL refuses.
        """
        text: str = super().decode_argument(value, name)
        if name is None and "\0" in text:
            raise HTTPError(BAD_REQUEST, messages.requests.has_nul("id"))
        return text

    async def call(
        self, function: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
    ) -> Result:
        """Call a function that blocks, off the event loop.

        Raises
        ------
        HTTPError
            500 and the reason, without a traceback in the log.
        """
        try:
            return await run_in_thread(function, *arguments, **keywords)
        except SchedulerError as error:
            raise HTTPError(SERVER_ERROR, str(error)) from error

    async def read(
        self, function: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
    ) -> Result:
        """Call a function that only reads rows or files, off the event loop; it never waits for a copy of files.

        Raises
        ------
        HTTPError
            404 or 500 and the reason, without a traceback in the log.
        """
        try:
            with user_facing_errors():
                return await read_in_thread(function, *arguments, **keywords)
        except SchedulerError as error:
            raise HTTPError(SERVER_ERROR, str(error)) from error

    async def list_outputs(self, job_id: str) -> list[Output]:
        """Return the outputs of a job, and where those are that have been fetched.

        Raises
        ------
        HTTPError
            404: the job does not exist.
        """
        try:
            job = await self.services.get_job(job_id)
        except SchedulerError as error:
            raise HTTPError(SERVER_ERROR, str(error)) from error
        paths = find_delivered(
            self.services.jobs.folder(job_id), job.input_filename, job.create_time, job.output_formats or []
        )
        urls = {name: path for name, path in paths.items() if "://" in path}
        return [
            Output(
                format=file.file_format,
                display_name=file.display_name,
                path=file.file_path,
                url=urls.get(file.file_format),
            )
            for file in job.job_files
            if file.file_format != "input"
        ]

    async def fetch_outputs(self, job_id: str) -> list[Output]:
        """Copy the outputs of a job into the root folder, unless its run has put them there, and return them.

        Raises
        ------
        HTTPError
            404: the job does not exist. 500: they could not be copied, with the reason.
        """
        await self.read(self.services.jobs.get_job, job_id)
        outputs = await self.list_outputs(job_id)
        if outputs and all(output["path"] for output in outputs):
            return outputs
        try:
            with user_facing_errors():
                await self.settings["job_files_manager"].copy_from_staging(job_id)
        except SchedulerError as error:
            raise HTTPError(SERVER_ERROR, str(error)) from error
        return await self.list_outputs(job_id)

    def get_number(self, name: str, default: Number, low: float, high: float) -> Number:
        """Return a number of the request's query, of the type of its default.

        Raises
        ------
        HTTPError
            400: it is not such a number, or not within the limits.
        """
        text = self.get_query_argument(name, str(default))
        number: Number | None
        try:
            number = type(default)(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise HTTPError(BAD_REQUEST, messages.requests.query_out_of_range(name, text, low, high))
        return number
