"""Puts a run's outputs into the folder that its option ``output`` names; a part of the step `rename-files`.

What was delivered is noted in the run's folder, so that a second process, such as Argo's exit handler, finds it and goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain import messages, output_template
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, RunEnded, RunError
from argo_jupyter_scheduler.domain.output_template import OutputTemplate, parse_output_templates
from argo_jupyter_scheduler.domain.parameters import SCHEDULED_TIME, find_computed, list_defaults, read_value
from argo_jupyter_scheduler.domain.run_settings import ARGO, RunSettings
from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE
from argo_jupyter_scheduler.steps.context import Context, Result, log
from argo_jupyter_scheduler.steps.scheduled_time import find_scheduled_time
from argo_jupyter_scheduler.storage.destinations import Destination, RootFolder, StoreFolder
from argo_jupyter_scheduler.storage.folders import RunFolder, delivered_record
from argo_jupyter_scheduler.storage.schema import JobRow

SHORT_ID = 8
"""Characters of an id that tell two runs or definitions apart in a file's name."""


@dataclass(frozen=True)
class Output:
    """A file that is delivered.

    Attributes
    ----------
    name
        Its path within the run's folder.
    suffix
        The part after the stem in its new name, such as ``.html``, or ``/data.csv`` for a file that the notebook made.
    """

    name: str
    suffix: str


def list_outputs(
    published: Mapping[str, str], suffixes: Mapping[str, str], made: Iterable[str]
) -> list[Output]:
    """Return what is delivered of a run.

    Parameters
    ----------
    published
        The name of each output in the run's folder, by its format.
    suffixes
        The suffix of each output, by its format.
    made
        Paths of the files that the notebook made.
    """
    outputs = [Output(name, f".{suffixes[output_format]}") for output_format, name in published.items()]
    return [*outputs, *(Output(name, f"/{name}") for name in made)]


def deliver(context: Context, job: JobRow, outputs: Collection[Output]) -> None:
    """Copy outputs to where the run's settings say; nothing where they do not say it.

    Raises
    ------
    RunError
        They could not be written. The run has then failed, also for the processes that come after this one.
    """
    settings = context.folder.read_settings()
    there = [output for output in outputs if context.folder.holds(output.name)]
    failures: list[tuple[str, Exception]] = []
    for number, template in enumerate(parse_output_templates(settings.output), start=1):
        place = settings.output
        try:
            delivery = _Delivery(context, job, settings, template, delivered_record(number))
            place = delivery.destination.address
            delivery.put(there)
        except RunEnded:
            raise
        except (ArgoSchedulerError, OSError) as error:  # the other places get the outputs nevertheless
            failures.append((place, error))
    if not failures:
        return
    place, cause = failures[0]
    reason = str(cause) if isinstance(cause, ArgoSchedulerError) else messages.server.unexpected_error(cause)
    message = messages.outputs.outputs_not_delivered(place, reason)
    result = context.read_result()
    if result.succeeded:
        with contextlib.suppress(OSError):  # this process knows it in any case
            context.write_result(Result(False, message, result.attempts))
    raise RunError(message) from cause


def is_owed(folder: RunFolder) -> bool:
    """Return whether a run's outputs are still to be delivered."""
    places = parse_output_templates(folder.read_settings().output)
    records = map(delivered_record, range(1, len(places) + 1))
    return not all(folder.read(record).get("complete") for record in records)


class _Delivery:
    """The delivery of one run's outputs to one place.

    Raises
    ------
    RunError
        The destination cannot be used.
    """

    def __init__(
        self, context: Context, job: JobRow, settings: RunSettings, template: OutputTemplate, record: str
    ) -> None:
        self._folder, self._job, self._settings, self._template = context.folder, job, settings, template
        self._record_name = record
        self._record = self._folder.read(record)
        scheduled_time = find_scheduled_time(context.database, job, settings)
        created = datetime.fromtimestamp(job.create_time / 1000)
        self._scheduled_time = scheduled_time
        self._moment = datetime.fromisoformat(scheduled_time) if scheduled_time else created
        """The time in the outputs' names: the run's moment in the definition's time zone, else when it was created."""
        definition = context.database.get_definition(job.job_definition_id or "")
        self._definition_name = definition.name if definition else job.name
        self._stem = os.path.splitext(job.input_filename)[0]
        self._record["complete"] = False
        status = context.outcome()[0] if job.status in LIVE else job.status
        self._succeeded = status == COMPLETED
        self._values = self._find_values(status)
        self.destination = self._open(template.fill(self._values))

    def put(self, outputs: Collection[Output]) -> None:
        """Put outputs into the destination and, of a definition's run that succeeded, into `latest`."""
        files: dict[str, Any] = self._record.setdefault("files", {})
        stems = self._choose_stems([output for output in outputs if output.name not in files])
        for output in outputs:
            source = self._folder.path / output.name
            found = source.stat()
            version = [found.st_size, found.st_mtime_ns]
            known = files.get(output.name)
            if known and known["version"] == version:
                continue
            if known:  # the log has grown
                name = str(known["name"])
                self.destination.replace(source, name)
            else:
                name = self._create(output.name, source, [stem + output.suffix for stem in stems])
            path = self.destination.locate(name)
            files[output.name] = {"name": name, "path": path, "version": version}
            self._folder.write(self._record_name, self._record)
        if self._succeeded and self._job.job_definition_id:
            self._update_latest(outputs, self._job.job_definition_id)
        self._record["complete"] = True
        self._folder.write(self._record_name, self._record)
        log.info("The outputs are in %s", self.destination.address)

    def _choose_stems(self, outputs: Iterable[Output]) -> list[str]:
        """Return the beginnings of names, in the order in which they are tried.

        A file may have the first one's: of a run of the same second, or of the user.
        """
        stem = f"{self._stem}-{self._moment:%Y-%m-%d-%H-%M-%S}"
        stems = [stem, f"{stem}-{self._job.job_id[:SHORT_ID]}"]
        if "is_first" not in self._record:
            exists = self.destination.exists
            self._record["is_first"] = not any(exists(stem + output.suffix) for output in outputs)
            self._folder.write(self._record_name, self._record)
        return stems if self._record["is_first"] else stems[1:]

    def _create(self, output: str, source: Path, names: Iterable[str]) -> str:
        """Put a new file into the destination; return the first of its names that is free, or was this run's before."""
        begun = (self._record.get("begun") or {}).get(output)
        for name in names:
            exists = self.destination.exists(name)
            if exists and name == begun:  # a process put it there, and was killed before it could note that
                self.destination.replace(source, name)
                return name
            if not exists:
                self._record["begun"] = {output: name}
                self._folder.write(self._record_name, self._record)
            if self.destination.create(source, name):
                return name
        raise RunError(messages.outputs.output_occupied(self.destination.locate(name)))

    def _update_latest(self, outputs: Iterable[Output], definition_id: str) -> None:
        """Replace the definition's files in `latest`, unless a later run has done so."""
        latest = self._open(self._template.fill_latest(self._values))
        # A run about a moment to come must not keep out those until then.
        moment = min(int(self._moment.timestamp()), self._job.create_time // 1000)
        with latest.locked():
            files = _read_entries(latest.read_record())
            own = {name for name, entry in files.items() if entry.get("definition") == definition_id}
            if any(files[name]["moment"] > moment for name in own):
                return
            sources = {}
            for output in outputs:
                candidates = [self._stem, f"{self._stem}-{definition_id[:SHORT_ID]}"]
                name = _choose_name([stem + output.suffix for stem in candidates], own, files, latest)
                sources[name] = self._folder.path / output.name
            entry = {"definition": definition_id, "job": self._job.job_id, "moment": moment}
            files |= dict.fromkeys(sources, entry)
            latest.write_record({"files": files})  # first: what is there without it would not be replaced
            for name, source in sources.items():
                latest.replace(source, name)
            if gone := own - sources.keys():
                for name in gone:
                    latest.delete(name)
                latest.write_record({"files": {name: files[name] for name in files.keys() - gone}})

    def _open(self, folders: Iterable[str]) -> Destination:
        if self._template.store:
            return StoreFolder(self._template.store, list(folders))
        root = self._settings.root_dir
        if not root:
            raise RunError(messages.outputs.ROOT_UNKNOWN)
        staging = self._folder.path.parent
        if self._settings.engine == ARGO and not _is_mounted(Path(root), staging):
            raise RunError(messages.outputs.ROOT_NOT_MOUNTED)
        return RootFolder(Path(root), list(folders), [staging], self._job.job_id)

    def _find_values(self, status: str) -> dict[str, str]:
        """Return what fills the placeholders."""
        job = self._job
        names = set(output_template.find_parameters(self._template))
        given = {name: str(value) for name, value in (job.parameters or {}).items() if name in names}
        if self._scheduled_time:
            given.setdefault(SCHEDULED_TIME, self._scheduled_time)
        defaults = _read_defaults(self._folder.path / job.input_filename) if names - given.keys() else {}
        return {
            **defaults,
            **given,
            output_template.NAME: job.name or self._stem,
            output_template.DATE: f"{self._moment:%Y-%m-%d}",
            output_template.TIME: f"{self._moment:%H-%M-%S}",
            output_template.JOB_ID: job.job_id,
            output_template.DEFINITION: self._definition_name or self._stem,
            output_template.STATUS: status.lower(),
        }


def _is_mounted(root: Path, staging: Path) -> bool:
    """Return whether a pod's root folder is on a volume: the container's own disk is lost with it."""
    try:
        own, root_device = (path.stat().st_dev for path in (Path("/"), root))
    except OSError:
        return False
    return root_device != own or staging.stat().st_dev == own


def _read_entries(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a record of `latest` says of each file, without what no run wrote: anybody can edit it."""
    files = record.get("files")
    entries = files.items() if isinstance(files, dict) else ()
    return {
        name: entry
        for name, entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("moment"), int)
    }


def _choose_name(
    names: Iterable[str], own: Collection[str], files: Mapping[str, Any], latest: Destination
) -> str:
    """Return the name of an output in `latest`: the first one that is free, or this definition's.

    Raises
    ------
    RunError
        A file has it that no run wrote.
    """
    for name in names:
        if name in own:
            return name
        if name not in files:
            if latest.exists(name):
                raise RunError(messages.outputs.output_occupied(latest.locate(name)))
            return name
    raise RunError(messages.outputs.output_occupied(latest.locate(name)))


def _read_defaults(notebook: Path) -> dict[str, str]:
    """Return the defaults of a notebook's parameters; empty where it cannot be read."""
    from argo_jupyter_scheduler.environments import kernels  # few templates need it

    try:
        content = json.loads(notebook.read_text(encoding="utf-8-sig")) if notebook.is_file() else {}
        _, language = kernels.notebook_kernel(content["metadata"])
        tagged = (cell for cell in content["cells"] if "parameters" in (cell["metadata"].get("tags") or ()))
        source = next(tagged)["source"]
        source = source if isinstance(source, str) else "".join(source)
        found = list_defaults(source, language)
        computed = find_computed(found, language)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, StopIteration):
        return {}
    return {one.name: str(read_value(one.default)) for one in found if one.name not in computed}
