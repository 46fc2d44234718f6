"""The steps of a run and their order, defined once.

A *run* is one execution of a notebook. The places where it can happen differ only in how they group this list: one
process on this machine, one pod on Argo, or one pod a step.
"""

from __future__ import annotations

MAIN = "main"
RENAME_FILES = "rename-files"
SUCCESS = "success"
FAILURE = "failure"

STEPS: tuple[str, ...] = (MAIN, RENAME_FILES, SUCCESS, FAILURE)
"""Every step, in the order in which a run has them. `main` must succeed for `success` to run."""

ALWAYS: frozenset[str] = frozenset({RENAME_FILES, FAILURE})
"""Steps that also run after an earlier one failed. `failure` runs *only* then."""
