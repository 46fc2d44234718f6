"""Turns this package's errors into those whose text Jupyter-Scheduler's handlers send to the dialog."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from jupyter_scheduler.exceptions import IdempotencyTokenError, InputUriError, SchedulerError
from sqlalchemy.exc import NoResultFound, SQLAlchemyError
from traitlets import TraitError

from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, DuplicateJob, InvalidPod

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@contextlib.contextmanager
def configuration_errors() -> Iterator[None]:
    """Name the trait that asks for pods that are not possible, as traitlets does for all other traits."""
    try:
        yield
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.{error}") from error


@contextlib.contextmanager
def user_facing_errors(not_found: str = "It does not exist.") -> Iterator[None]:
    """Translate errors for the dialog.

    Parameters
    ----------
    not_found
        What to say where Jupyter-Scheduler's own queries find no row.
    """
    try:
        yield
    except (SchedulerError, InputUriError, IdempotencyTokenError):
        raise
    except DuplicateJob as error:
        raise IdempotencyTokenError(str(error)) from error
    except ArgoSchedulerError as error:
        raise SchedulerError(str(error)) from error
    except NoResultFound as error:
        raise SchedulerError(not_found) from error
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", error)
        raise SchedulerError(f"The scheduler's database cannot be used: {reason}") from error
    except OSError as error:
        raise SchedulerError(f"The job's files could not be written or read: {error}") from error


async def run_in_thread(
    call: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
) -> Result:
    """Call a function that blocks in a thread, so that JupyterLab answers meanwhile; translate its errors."""
    with user_facing_errors():
        return await asyncio.to_thread(call, *arguments, **keywords)
