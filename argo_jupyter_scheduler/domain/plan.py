"""The steps of a run and their order, defined once.

A *run* is one execution of a notebook. The places where it can happen differ only in how they group this list: one
process on this machine, one pod on Argo, or one pod a step.
"""

from __future__ import annotations

CREATE_JOB_ID = "create-job-id"
MAIN = "main"
RENAME_FILES = "rename-files"
SEND_TO_SLACK = "send-to-slack"
SEND_NOTIFICATIONS = "send-notifications"
SUCCESS = "success"
FAILURE = "failure"

STEPS: tuple[str, ...] = (MAIN, RENAME_FILES, SEND_TO_SLACK, SEND_NOTIFICATIONS, SUCCESS, FAILURE)
"""The steps of a run whose row and folder are there. `main` must succeed for `success` to run; `send-to-slack` and
`send-notifications` look by themselves whether a message is wanted."""

SCHEDULED_STEPS: tuple[str, ...] = (CREATE_JOB_ID, *STEPS)
"""The steps of a scheduled run on Argo, which makes its row and folder itself."""

ALWAYS: frozenset[str] = frozenset({RENAME_FILES, SEND_TO_SLACK, SEND_NOTIFICATIONS, FAILURE})
"""Steps that also run after an earlier one failed. `failure` runs *only* then."""

SENDING_STEPS: frozenset[str] = frozenset({SEND_TO_SLACK, SEND_NOTIFICATIONS})
"""Steps that send messages: only their pods get tokens and addresses, and a pod for a step without a message is left out."""

REPORTING_STEPS: frozenset[str] = frozenset({SEND_TO_SLACK, SEND_NOTIFICATIONS, FAILURE})
"""Steps that report how the run ended. A pod that was ended from outside skips them: Argo knows better why."""
