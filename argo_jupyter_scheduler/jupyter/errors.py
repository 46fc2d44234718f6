"""Turns this package's errors into those whose text Jupyter-Scheduler's handlers send to the dialog.

Those handlers answer nearly all errors with 500, and log a traceback, three more lines and the request's headers. A refusal is the
sender's affair, so the request that is being handled is answered here, with a status of its own and one line in the log. See
docs/upstream.md#errors-as-500.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from jupyter_scheduler.exceptions import IdempotencyTokenError, InputUriError, SchedulerError
from jupyter_server import CallContext
from sqlalchemy.exc import NoResultFound, SQLAlchemyError
from traitlets import TraitError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    DuplicateJob,
    InvalidJob,
    InvalidPod,
    JobNotFound,
    RunError,
)
from argo_jupyter_scheduler.domain.text import one_line, shorten

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

BAD_REQUEST, NOT_FOUND, CONFLICT, SERVER_ERROR = 400, 404, 409, 500
"""Statuses of answers. An engine that does not answer, or refuses the server, is not the sender's affair."""

_READERS = ThreadPoolExecutor(4, thread_name_prefix="scheduler-read")
"""Threads that read rows. asyncio's own threads are few, and may all be copying input folders or waiting for Argo."""

_has_been_answered: ContextVar[bool] = ContextVar("_has_been_answered", default=False)
"""Whether the request that is being handled was answered, and logged, by `_answer`. Each request has a context of its own."""


@contextlib.contextmanager
def configuration_errors() -> Iterator[None]:
    """Name the trait that asks for pods that are not possible, as traitlets does for all other traits."""
    try:
        yield
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.{error}") from error


@contextlib.contextmanager
def user_facing_errors(not_found: str = "It does not exist.") -> Iterator[None]:
    """Translate errors for the dialog, and answer the request that is being handled, if there is one.

    Parameters
    ----------
    not_found
        The message where Jupyter-Scheduler's own queries find no row.
    """
    try:
        yield
    except (SchedulerError, InputUriError, IdempotencyTokenError):
        raise
    except DuplicateJob as error:
        duplicate = IdempotencyTokenError(str(error))
        _answer(CONFLICT, str(duplicate))
        raise duplicate from error
    except ArgoSchedulerError as error:
        refuse(error)
        raise SchedulerError(str(error)) from error
    except NoResultFound as error:
        _answer(NOT_FOUND, not_found)
        raise SchedulerError(not_found) from error
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", error)
        raise SchedulerError(messages.server.database_unusable(reason)) from error
    except OSError as error:
        raise SchedulerError(messages.server.files_unusable(error)) from error


async def run_in_thread(
    call: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
) -> Result:
    """Call a function that blocks in a thread, so that JupyterLab answers meanwhile; translate its errors."""
    with user_facing_errors():
        return await asyncio.to_thread(call, *arguments, **keywords)


async def read_in_thread(
    read: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
) -> Result:
    """Call a function that reads rows in a thread of those that only read, so that it never waits for a copy of files."""
    call = functools.partial(read, *arguments, **keywords)
    return await asyncio.get_running_loop().run_in_executor(_READERS, call)


def refuse(error: ArgoSchedulerError) -> None:
    """Answer the request that is being handled, if there is one, with an error's text and status."""
    _answer(_find_status(error), str(error))


def _find_status(error: ArgoSchedulerError) -> int:
    if isinstance(error, JobNotFound):
        return NOT_FOUND
    return BAD_REQUEST if isinstance(error, (InvalidJob, RunError)) else SERVER_ERROR


def _answer(status: int, message: str) -> None:
    """Answer the request that is being handled, and log it in one line.

    The handler still gets an exception, and answers with another one. Tornado then sees that the request has been answered and
    only logs it, which is left out.
    """
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None or handler._finished:  # the command line, or something that outlives its request
        return
    message = shorten(message)
    request, level = handler.request, logging.WARNING if status < SERVER_ERROR else logging.ERROR
    handler.log.log(level, "%s %s %s: %s", status, request.method, request.path, one_line(message))
    for logger in (getattr(handler.log, "logger", handler.log), logging.getLogger("tornado.general")):
        logger.addFilter(_is_about_an_open_request)
    _has_been_answered.set(True)
    handler.set_status(status)
    handler.finish(json.dumps({"message": message, "reason": None}))


def _is_about_an_open_request(record: logging.LogRecord) -> bool:
    """Return whether a line of the log belongs to no request that `_answer` has logged: a filter."""
    return not _has_been_answered.get()
