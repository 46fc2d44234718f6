"""Takes a linked input: the notebook as it is in the root folder when the run begins; a part of the step `main`.

The run's folder keeps what is executed. A second attempt executes the same.
"""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, RunError
from argo_jupyter_scheduler.domain.run_settings import LinkedInput, RunSettings
from argo_jupyter_scheduler.steps.commits import Commit, find_commit
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.steps.create_job_id import explain_copy
from argo_jupyter_scheduler.steps.notebook.repair import UnusableNotebook, repair_json
from argo_jupyter_scheduler.storage.folders import TAKEN
from argo_jupyter_scheduler.storage.input_folder import CopyProgress, FolderRules
from argo_jupyter_scheduler.storage.schema import JobRow
from argo_jupyter_scheduler.storage.stable_copies import copy_stable, read_stable

COMMIT_TAG = "commit:"
"""How the tag begins that names the commit of a run's input."""


def take_linked_input(context: Context, job: JobRow) -> None:
    """Copy the linked notebook, with its folder where the job has an input folder, unless an earlier attempt did.

    Raises
    ------
    RunError
        It is missing, broken, or keeps changing; with its path.
    """
    settings = context.folder.read_settings()
    if settings.linked is None or context.folder.read(TAKEN):
        return
    path = settings.origin or job.input_filename
    source = Path(settings.root_dir, path)
    try:
        content = read_stable(source, lambda content: not _find_fault(content))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(messages.inputs.linked_input_gone(path)) from error
    except OSError as error:
        raise RunError(messages.inputs.linked_input_unusable(path, error.strerror)) from error
    if fault := _find_fault(content):
        raise RunError(messages.inputs.linked_input_unusable(path, fault))
    _copy(context, job, settings, settings.linked, content)
    copied = context.folder.path / job.input_filename
    commit = find_commit(source, copied, bool(job.package_input_folder))
    log.info("Input: %s%s", path, f", commit {commit}" if commit else "")
    if commit:
        _write_tag(context, job, commit)
    found = {"commit": commit.id, "with_changes": commit.has_changes} if commit else {}
    context.folder.write(TAKEN, {"path": path, **found})  # last: it says that everything is there


def _copy(context: Context, job: JobRow, settings: RunSettings, linked: LinkedInput, content: bytes) -> None:
    folder = context.folder
    rules = None
    if job.package_input_folder:
        folder.keep_only(set())  # what was staged before may be gone from the folder
        left_out = [folder.path.parent, *map(Path, linked.left_out)]
        rules = FolderRules(linked.excluded, left_out, linked.max_files, linked.max_bytes)
    progress = CopyProgress(lambda text: explain_copy(context, text))
    source = Path(settings.root_dir, settings.origin or job.input_filename)
    try:
        folder.stage_content(content, source, rules, job.input_filename, progress, copy_stable)
    except RunError:
        raise
    except ArgoSchedulerError as error:  # the folder is larger than the rules allow
        raise RunError(str(error)) from error


def _find_fault(content: bytes) -> str:
    """Return why a content is not a notebook; empty where it is one."""
    try:
        repair_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "It is not UTF-8."
    except UnusableNotebook as error:
        return str(error)
    return ""


def _write_tag(context: Context, job: JobRow, commit: Commit) -> None:
    tags = [tag for tag in job.tags or () if not tag.startswith(COMMIT_TAG)]
    context.database.update_job(context.job_id, tags=[*tags, f"{COMMIT_TAG}{commit}"])
