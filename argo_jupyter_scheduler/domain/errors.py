"""The errors of this package, as one tree.

Every error has a message for the person who pressed the button: what happened, why, what to do::

    ArgoSchedulerError
    ├── InvalidConfiguration  a configuration file cannot be read, or asks for the impossible
    ├── InvalidJob            the request cannot be fulfilled: nothing was stored
    │   ├── InvalidPod        Kubernetes would refuse the pods that the configuration asks for
    │   └── InvalidDefinitions  files of job definitions cannot be applied
    ├── DuplicateJob          there is a job with this idempotency token
    ├── JobNotFound           the job or job definition does not exist
    ├── EnvironmentsUnknown   a source of environments (conda, conda-store, …) does not answer
    ├── PodUnknown            this server's own pod could not be read
    ├── EngineError           the engine did not do what was asked
    │   ├── EngineUnavailable it did not answer (refused, timed out, 5xx)
    │   └── EngineRefused     it answered no (401, 403, 400)
    ├── MessageNotSent        a message about a run could not be sent: its result stands
    └── RunError              a run could not be finished
        ├── EnvironmentUnusable  the picked environment is gone, or has no kernel for the notebook
        ├── NotebookFailed    a cell raised
        └── RunEnded          the run was ended from outside (SIGTERM)
            └── RunTimedOut   it took longer than it may

`jupyter.errors` turns them into Jupyter-Scheduler's ``SchedulerError``, whose text the dialog shows. Errors of
hera, urllib3, SQLAlchemy and papermill are translated where they are met, with their cause kept.
"""

from __future__ import annotations

from collections.abc import Sequence


class ArgoSchedulerError(Exception):
    """The root of all errors of this package.

    Attributes
    ----------
    half_done
        Whether the change may have been made anyway, or in part.
    """

    half_done = False


class InvalidConfiguration(ArgoSchedulerError):
    """A configuration file cannot be read, or asks for a scheduler that cannot be made."""


class InvalidJob(ArgoSchedulerError):
    """The request cannot be fulfilled; nothing was stored."""


class InvalidDefinitions(InvalidJob):
    """Files of job definitions cannot be applied.

    Attributes
    ----------
    problems
        A sentence for each thing that is wrong, with the file and the line.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InvalidPod(InvalidJob):
    """Kubernetes would refuse the pods that the configuration asks for.

    Attributes
    ----------
    trait
        The trait of `ArgoScheduler` that asks for it.
    reason
        The problem with its value.
    """

    def __init__(self, trait: str, reason: str) -> None:
        super().__init__(f"{trait}: {reason}.")
        self.trait = trait
        self.reason = reason


class PodUnknown(ArgoSchedulerError):
    """The server's own pod could not be read, so nothing can be inherited from it."""


class JobNotFound(ArgoSchedulerError):
    """The job or job definition does not exist."""


class DuplicateJob(ArgoSchedulerError):
    """There is a job with the same idempotency token, which is the error's text."""


class EnvironmentsUnknown(ArgoSchedulerError):
    """A source of environments does not answer; for the server's log, and where one is missed."""


class EngineError(ArgoSchedulerError):
    """The engine did not do what was asked.

    Attributes
    ----------
    half_done
        Whether the change may have been made anyway, or in part: its answer was lost.
    status
        The answer's HTTP status; 0 where there was no answer.
    """

    def __init__(self, message: str, half_done: bool = False, status: int = 0) -> None:
        super().__init__(message)
        self.half_done = half_done
        self.status = status


class EngineUnavailable(EngineError):
    """The engine did not answer: connection refused, time limit, or an error of its own (5xx)."""


class EngineRefused(EngineError):
    """The engine answered no: not allowed, not authenticated, or an invalid manifest."""


class MessageNotSent(ArgoSchedulerError):
    """A message about a run could not be sent; the run's result stands."""


class RunError(ArgoSchedulerError):
    """A run could not be finished; the message becomes the job's ``status_message``."""


class EnvironmentUnusable(RunError):
    """The picked environment is not there, or has no kernel for the notebook; also refused at submit if the server sees it."""


class NotebookFailed(RunError):
    """A cell of the notebook raised, or its kernel died."""


class RunEnded(RunError):
    """The run's process was asked to end (SIGTERM), by a stop, an eviction or a shutdown."""


class RunTimedOut(RunEnded):
    """The run took longer than its option `timeout` allows."""
