"""The lines of this package's log: names, tags, kernels and Argo cannot begin lines of their own, or steer a terminal."""

from __future__ import annotations

import logging

from argo_jupyter_scheduler.domain.text import remove_control_characters


def keep_records_on_lines(log: logging.Logger) -> None:
    """Write each record of a log without control characters, and in one line unless its own text has several."""
    if _keep_on_line not in log.filters:
        log.addFilter(_keep_on_line)


def _keep_on_line(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # the handler reports it
        return True
    lines = text.split("\n") if "\n" in str(record.msg) else [text]
    record.msg, record.args = "\n".join(map(remove_control_characters, lines)), ()
    return True
