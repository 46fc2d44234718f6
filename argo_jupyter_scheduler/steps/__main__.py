"""The command that runs steps; see the package's docstring."""

from __future__ import annotations

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):
    # `python -m` puts the working folder first: a user's json.py there must not be imported by this process.
    del sys.path[0]

import argparse
import importlib
import logging
import signal
import time
from dataclasses import replace
from urllib.parse import unquote

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.domain import messages, plan
from argo_jupyter_scheduler.domain.argo_failures import count_attempts, explain_failures
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, RunEnded
from argo_jupyter_scheduler.domain.imports import skip_unneeded_imports
from argo_jupyter_scheduler.domain.log_lines import keep_records_on_lines
from argo_jupyter_scheduler.domain.options import read_options
from argo_jupyter_scheduler.domain.status import FAILED
from argo_jupyter_scheduler.notify import slack, targets
from argo_jupyter_scheduler.steps.context import Context, Scheduled, log
from argo_jupyter_scheduler.steps.run_log import tee
from argo_jupyter_scheduler.steps.termination import end_at_once
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import use_timezone

DATABASE_SECONDS = 600
"""How long a run waits for a database that is locked, away or damaged, each time that it has something to write."""


def main(arguments: list[str] | None = None) -> int:
    """Run the named steps in order; return the exit code, 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m argo_jupyter_scheduler.steps", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=plan.SCHEDULED_STEPS, metavar="STEP")
    parser.add_argument("--db-url", required=True, help="the scheduler's database, without a password")
    parser.add_argument("--staging-path", required=True, help="the staging area")
    parser.add_argument("--job-id", required=True)
    parser.add_argument("--failures", default="", help="Argo's {{workflow.failures}}, for the exit handler")
    parser.add_argument("--attempt", type=int, default=0, help="Argo's {{retries}}: which attempt this is")
    parser.add_argument("--retries", type=int, default=0, help="how many attempts may follow the first")
    parser.add_argument("--local", action="store_true", help="a run of this machine: claim the job first")
    parser.add_argument("--definition-id", help="for a scheduled run on Argo: its job definition")
    parser.add_argument("--workflow", help="for a scheduled run on Argo: {{workflow.name}}")
    parser.add_argument("--created", help="for a scheduled run on Argo: {{workflow.creationTimestamp}}")
    options = parser.parse_args(arguments)

    staging_path = unquote(options.staging_path)  # Argo expands braces, so they are quoted
    folder = RunFolder(staging_path, options.job_id)
    scheduled = None
    if options.definition_id:
        scheduled = Scheduled(options.definition_id, options.workflow, options.created)
    database = Database(unquote(options.db_url), keep_connections=False, patience_seconds=DATABASE_SECONDS)
    reason, stopped = explain_failures(options.failures) if options.failures else ("", False)
    attempts = count_attempts(options.failures) if options.failures else 1
    context = Context(
        options.job_id,
        database,
        folder,
        reason=reason,
        stopped=stopped,
        scheduled=scheduled,
        slack_token=os.environ.get(slack.TOKEN, ""),
        addresses=targets.read_environment(os.environ),
        attempt=max(options.attempt, attempts - 1),
        retries=options.retries,
    )
    if not options.local:
        return run_steps(options.steps, context)

    from argo_jupyter_scheduler.steps.local_queue import claimed_job

    with claimed_job(context.database, staging_path, options.job_id) as is_claimed:
        return run_attempts(options.steps, context) if is_claimed else 0


def run_attempts(steps: list[str], context: Context) -> int:
    """Run `steps` on this machine as often as the job's options say; return the exit code. On Argo the manifest says it."""
    job = context.database.get_job(context.job_id)
    if job is None:
        log.info("Job %s was deleted: nothing to do.", context.job_id)
        return 0
    try:
        asked = read_options(job.tags, job.runtime_environment_parameters, of_run=True)
    except ArgoSchedulerError as error:  # a row that another backend wrote
        context.error = str(error)
        return run_steps(steps, context, local=True)
    deadline = time.monotonic() + asked.timeout if asked.timeout else None
    while True:
        context = replace(context, retries=asked.retries, deadline=deadline, timeout=asked.timeout or None)
        code = run_steps(steps, context, local=True)
        if not context.is_tried_again or context.ended:
            return code
        context = replace(context, attempt=context.attempt + 1)
        end = time.monotonic() + asked.retry_interval  # but not beyond the run's time
        time.sleep(max(0, min(end, deadline or end) - time.monotonic()))


def run_steps(steps: list[str], context: Context, local: bool = False) -> int:
    """Run `steps` as `plan` says which run after a failed one; return 0 if none failed, else 1."""
    signal.signal(signal.SIGTERM, end_at_once)
    if plan.CREATE_JOB_ID in steps:
        _run_step(plan.CREATE_JOB_ID, context)  # makes the folder in which the log lies
    use_timezone(context.folder.read_settings().timezone)
    attempt = f"Attempt {context.attempt + 1} of {context.retries + 1}"
    with tee(context.folder.log):
        log.info("argo-jupyter-scheduler %s", __version__)
        if context.retries:
            log.info(attempt)
        for name in steps:
            if context.over:
                break
            if context.is_tried_again and not (local and context.ended):
                context.database.report_failed_attempt(context.job_id, f"{attempt} failed: {context.error}")
                break
            if name == plan.CREATE_JOB_ID or (context.error and name not in plan.ALWAYS):
                continue
            if name == plan.FAILURE and plan.SUCCESS in steps and not context.error:
                continue  # this process saw the run succeed; the exit handler knows that it did not
            if name in plan.REPORTING_STEPS and context.ended and not local:
                continue  # Argo knows better why it was asked to end: a deadline, a drained node, a next run
            _run_step(name, context)
    return 1 if context.error else 0


def _run_step(name: str, context: Context) -> None:
    module = importlib.import_module(f"argo_jupyter_scheduler.steps.{name.replace('-', '_')}")
    try:
        module.run(context)
    except ArgoSchedulerError as error:
        log.error("%s: %s", FAILED if name == plan.MAIN else name, error)
        context.error = context.error or str(error)
        context.ended = context.ended or isinstance(error, RunEnded)
    except Exception as error:  # a step's bug or a full disk must still end in a row that says so
        log.exception("Step %s failed", name)
        is_gone = not context.folder.private.is_dir()
        context.error = context.error or (
            messages.runs.FOLDER_GONE if is_gone else messages.server.unexpected_error(error)
        )


if __name__ == "__main__":
    skip_unneeded_imports()
    keep_records_on_lines(log)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(main())
