"""Notebooks that people really run, at every place where a run can happen: one of each kind, as the panel shows its end."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.jobs import Jobs, notebook, on_each_engine, outputs

AT_ONCE = 3
"""How many run at the same time. The stand-in's pods share this machine's ports, so that many kernels could get in each other's way."""

WAIT_SECONDS = 120

SILENT = "import asyncio\nawait asyncio.sleep(0)\n%nothing"
KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
GROUP = "raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Case:
    """A notebook and how JupyterLab's user would see it end.

    Attributes
    ----------
    message
        A pattern of the whole message; None where the run completes.
    printed
        What the executed notebook has printed.
    shown
        What the HTML contains.
    """

    source: str
    message: str | None = None
    printed: str = ""
    shown: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def changed(source: str, index: int, **changes: Any) -> str:
    """Return a notebook with another cell; a change to None takes the field away."""
    content = json.loads(source)
    cell = {**content["cells"][index], **changes}
    content["cells"][index] = {name: value for name, value in cell.items() if value is not None}
    return json.dumps(content)


def with_attachment(reference: str, name: str) -> str:
    content = json.loads(notebook("print(1)"))
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": f"![a](attachment:{reference})"}
    content["cells"].append({**cell, "attachments": {name: {"image/png": PICTURE}}})
    return json.dumps(content)


CASES = {
    "silent": Case(notebook(SILENT), r"UsageError: .*%nothing.* \(cell 1.*\)"),
    "may-raise": Case(
        changed(notebook("1 / 0", "print('on')"), 0, metadata={"tags": ["raises-exception"]}), printed="on\n"
    ),
    "exit": Case(notebook("print('a')", "exit()", "print('never')"), printed="a\n"),
    "quit-3": Case(notebook("quit(3)", "print('never')"), r"SystemExit: 3 \(cell 1, In \[1\]\)"),
    "magic": Case(notebook("%%nothing\n1"), r"UsageError: .*%%nothing.* \(cell 1, In \[1\]\)"),
    "group": Case(
        notebook(GROUP),
        r"ExceptionGroup: two \(2 sub-exceptions\); the first is ValueError: a \(cell 1, In \[1\]\)",
    ),
    "killed": Case(notebook("1", KILLED), r"The kernel was killed \(SIGKILL\) in cell 2\."),
    "input": Case(
        notebook("name = input('?')"), r"The notebook asks for input, .*Use a parameter.* \(cell 1.*\)"
    ),
    "attachment": Case(
        with_attachment("ein%20Bild%20%C3%BC.png", "ein Bild ü.png"), printed="1\n", shown=PICTURE
    ),
    "no-attachment": Case(with_attachment("gone.png", "other.png"), printed="1\n", shown="gone.png"),
    "object-output": Case(
        notebook("from IPython.display import display\ndisplay({'text/plain': {'a': 1}}, raw=True)"),
        shown='<pre>{"a": 1}</pre>',
    ),
    "null-id": Case(changed(notebook("print(1)"), 0, id=None), printed="1\n"),
    "no-metadata": Case(changed(notebook("print(1)"), 0, metadata=None), printed="1\n"),
    "types": Case(
        notebook("print([day, n, flag, many])", parameters="day = ''; n = 1; flag = True; many = []"),
        printed="['007', 2, False, [1, 2]]\n",
        fields={"parameters": {"day": "007", "n": "2", "flag": "false", "many": "[1, 2]"}},
    ),
    "path": Case(
        notebook("import os; print(PATH, os.environ['PATH'] != PATH)", parameters="PATH = ''"),
        printed="/nowhere True\n",
        fields={"parameters": {"PATH": "/nowhere"}},
    ),
    "long": Case(
        notebook("print(len(text))", parameters="text = ''"),
        printed="200000\n",
        fields={"parameters": {"text": "x" * 200_000}},
    ),
    "名" * 74: Case(notebook("print(1)"), printed="1\n"),
    "beside": Case(
        notebook("import helper"), r"ModuleNotFoundError: .*helper\.py is in the notebook's folder: .*"
    ),
    "slow": Case(
        notebook("import time; time.sleep(600)"),
        r"The run took longer than 20 s, .*timeout.* It was executing cell 1\.",
        fields={"tags": ["timeout:20s"]},
    ),
}


@on_each_engine
async def test_each_ends_as_a_person_would_see_it(jobs: Jobs) -> None:
    jobs.write("helper.py", "")
    free = asyncio.Semaphore(AT_ONCE)

    async def run(name: str, case: Case) -> tuple[str, str]:
        async with free:
            job_id = await jobs.create(f"{name}.ipynb", case.source, **case.fields)
            job = await jobs.wait(job_id, timeout=WAIT_SECONDS)
            return name, find_difference(case, job, await jobs.download(job_id))

    found = await asyncio.gather(*(run(name, case) for name, case in CASES.items()))
    assert {name: difference for name, difference in found if difference} == {}


def find_difference(case: Case, job: dict[str, Any], files: dict[str, Path]) -> str:
    message = job["status_message"]
    if (job["status"] == "COMPLETED") != (case.message is None):
        return f"{job['status']}: {message}"
    if case.message and not re.fullmatch(case.message, message or "", re.DOTALL):
        return f"message: {message}"
    if not {"ipynb", "html"} <= set(files):
        return f"files: {sorted(files)}"
    if case.message is None and (printed := outputs(files["ipynb"])) != case.printed:
        return f"printed: {printed}"
    return "" if case.shown in files["html"].read_text() else "the HTML does not show it"
