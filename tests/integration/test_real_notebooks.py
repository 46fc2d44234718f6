"""Notebooks that people really run, with their bugs: each in a process of its own, with a real kernel."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from argo_jupyter_scheduler.steps.notebook.formats import list_output_formats
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import notebook
from tests.support.runs import Run

Execute = Callable[..., Run]


@pytest.fixture
def execute(database: Database, staging_path: Path, jp_environ: None) -> Execute:
    """Execute a notebook to its end."""

    def run(*cells: str, source: str = "", **fields: Any) -> Run:
        made = Run(database, staging_path, source or notebook(*cells), **fields)
        made.finish()
        return made

    return run


def ended(run: Run) -> tuple[str, str | None]:
    return run.row.status, run.row.status_message


def with_tags(source: str, index: int, *tags: str) -> str:
    content = json.loads(source)
    content["cells"][index]["metadata"]["tags"] = [*tags]
    return json.dumps(content)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


# The end of a run


@pytest.mark.parametrize(
    ("cells", "made", "status"),
    [
        (["print('y' * 100_000)"], {"ipynb"}, "FAILED"),  # the HTML needs more
        (["print('so far')", "open('big', 'w').write('x' * 1_000_000)"], {"ipynb"}, "FAILED"),
        (["print('it fits')"], {"ipynb", "html"}, "COMPLETED"),  # an output has no second copy
    ],
    ids=["html", "notebook", "enough"],
)
def test_a_full_disk_is_named_and_costs_only_what_does_not_fit(
    database: Database, small_disk: Path, jp_environ: None, cells: list[str], made: set[str], status: str
) -> None:
    run = Run(database, small_disk, notebook(*cells), output_formats=("ipynb", "html"))
    run.finish()
    assert run.row.status == status
    assert status == "COMPLETED" or re.search("disk is full|No space left", str(run.row.status_message))
    published = {path.suffix[1:] for path in run.folder.path.glob("n-*")}
    assert published == made


def test_a_cell_that_may_raise_ends_no_run(execute: Execute) -> None:
    source = with_tags(notebook("{}['a']", "print('goes on')"), 0, "raises-exception")
    run = execute(source=source)
    assert ended(run) == ("COMPLETED", None)
    assert run.printed == "goes on\n"


def test_after_a_cell_that_may_raise_the_one_that_fails_is_named(execute: Execute) -> None:
    source = with_tags(notebook("{}['a']", "open('nowhere')"), 0, "raises-exception")
    status, message = ended(execute(source=source))
    assert status == "FAILED"
    assert message == "FileNotFoundError: [Errno 2] No such file or directory: 'nowhere' (cell 2, In [2])"


@pytest.mark.parametrize(
    "code", ["exit()", "quit()", "exit(0)", "import sys; sys.exit()", "raise SystemExit(0)"]
)
def test_a_notebook_that_exits_is_complete(execute: Execute, code: str) -> None:
    run = execute("print('before')", f"print('then')\n{code}", "import time; time.sleep(1); print('after')")
    assert ended(run) == ("COMPLETED", None)
    assert run.printed.startswith("before\nthen\n")
    assert "after" not in run.printed


@pytest.mark.parametrize(
    ("code", "text"),
    [("exit(3)", "3"), ("quit('no data')", "no data"), ("import sys; sys.exit(3)", "3")],
)
def test_an_exit_code_fails_the_run(execute: Execute, code: str, text: str) -> None:
    run = execute(code, "print('after')")
    assert ended(run) == ("FAILED", f"SystemExit: {text} (cell 1, In [1])")
    assert "after" not in run.printed


def test_a_kernel_that_never_replies_fails_the_run(execute: Execute) -> None:
    run = execute("import asyncio\nawait asyncio.sleep(0)\n%no_such_magic")
    assert ended(run)[0] == "FAILED"
    assert "UsageError: Line magic function `%no_such_magic` not found." in str(run.row.status_message)
    assert "(cell 1" in str(run.row.status_message)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os._exit(3)", "The kernel ended with exit code 3 in cell 2."),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "The kernel was killed (SIGSEGV) in cell 2.",
        ),
    ],
)
def test_a_dead_kernel_is_explained(execute: Execute, code: str, message: str) -> None:
    run = execute("print('alive')", code)
    assert ended(run) == ("FAILED", message)
    assert run.printed == "alive\n"


def test_what_a_task_shows_later_is_kept(execute: Execute) -> None:
    begin = (
        "import asyncio\nfrom IPython.display import clear_output\nbegin = asyncio.Event()\n"
        "async def work():\n    await begin.wait()\n    print('gone')\n    clear_output(wait=True)\n    print('from the task')\n"
        "task = asyncio.create_task(work())"
    )
    run = execute(begin, "print('before')\nbegin.set()\nawait task\nprint('after')")
    assert ended(run) == ("COMPLETED", None)
    assert [line for line in run.printed.splitlines() if line != "gone"] == [
        "from the task",
        "before",
        "after",
    ]


def test_a_progress_bar_is_one_line_as_in_jupyterlab(execute: Execute) -> None:
    bar = "import sys\nfor n in range(3):\n    print(f'\\r{n} of 2', end='', file=sys.stderr, flush=True)"
    last = "display('old', display_id='d')\nprint('a', flush=True)\nprint('b')\ndisplay('new', display_id='d', update=True)"
    run = execute(bar, f"{last}\ndisplay('last')")
    assert [output.text for output in run.cells[0].outputs] == ["2 of 2"]
    old, printed, shown = run.cells[1].outputs
    assert (old.data["text/plain"], printed.text, shown.data["text/plain"]) == ("'new'", "a\nb\n", "'last'")
    assert "0 of 2" not in run.published(".html").read_text()


def test_help_is_shown_as_in_jupyterlab(execute: Execute) -> None:
    run = execute("print('first')\nlen?", "len?\n2")
    assert ended(run) == ("COMPLETED", None)
    printed, page = run.cells[0].outputs
    assert printed.text == "first\n"
    assert "Return the number of items" in page.data["text/plain"]
    assert "Return the number of items" in run.published(".html").read_text()


def test_a_notebook_knows_its_path_as_in_jupyterlab(execute: Execute) -> None:
    run = execute(
        "import os; print(os.environ['JPY_SESSION_NAME'] == __session__ == os.path.abspath('n.ipynb'))"
    )
    assert run.printed == "True\n"


# The reason


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("%no_such_magic", "UsageError: Line magic function `%no_such_magic` not found. (cell 1, In [1])"),
        ("%%no_such_magic\nx", "UsageError: Cell magic `%%no_such_magic` not found. (cell 1, In [1])"),
        (
            "def quiet(shell, kind, value, traceback, tb_offset=None):\n    pass\n"
            "get_ipython().set_custom_exc((Exception,), quiet)\nraise LookupError('no such row')",
            "LookupError: no such row (cell 1, In [1])",
        ),
        ("raise OSError('half \\udce4')", "OSError: half \\udce4 (cell 1, In [1])"),
        ("1 +", "SyntaxError: invalid syntax"),
        (
            "input('Who? ')",
            "The notebook asks for input, but nobody can answer in a scheduled run. Use a parameter instead.",
        ),
        ("import getpass; getpass.getpass()", "The notebook asks for input, but nobody can answer"),
    ],
)
def test_the_reason_is_the_kernels_own(execute: Execute, code: str, message: str) -> None:
    status, text = ended(execute(code))
    assert status == "FAILED"
    assert str(text).replace("�", "\\udce4").startswith(message)


def test_a_long_reason_leaves_room_for_the_cell(execute: Execute) -> None:
    run = execute("raise ValueError('long ' * 1000)")
    status, message = ended(run)
    assert status == "FAILED"
    assert re.fullmatch(r"ValueError: (long )+\w*… \(cell 1, In \[1\]\)", str(message))
    assert "long " * 1000 in run.log


def test_a_path_that_leads_out_of_the_folder_is_explained(execute: Execute) -> None:
    assert ended(execute("open('../data/rows.csv')"))[1] == (
        "FileNotFoundError: [Errno 2] No such file or directory: '../data/rows.csv' (cell 1, In [1])."
        " '../data/rows.csv' leads out of the run's folder: use its full path."
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_a_group_is_explained_by_its_first_member(execute: Execute) -> None:
    code = "raise ExceptionGroup('two of three', [OSError('disk'), ExceptionGroup('more', [KeyError('b')])])"
    assert ended(execute(code)) == (
        "FAILED",
        "ExceptionGroup: two of three (2 sub-exceptions); the first is OSError: disk (cell 1, In [1])",
    )
    nested = "raise ExceptionGroup('outer', [ExceptionGroup('inner', [KeyError('b')])])"
    assert "the first is" in str(ended(execute(nested))[1])


def test_cells_are_numbered_as_in_the_users_notebook(execute: Execute, bash_kernel: dict[str, str]) -> None:
    source = notebook("echo one", "echo $name; no-such-program", kernel=bash_kernel)
    run = execute(source=source, parameters={"name": "Ada"})
    assert ended(run)[0] == "FAILED"
    assert str(run.row.status_message).startswith("exit code 127: echo $name; no-such-program (cell 2")
    assert "Ada" in run.printed


# Damaged notebooks


def damaged(**changes: Any) -> str:
    content = json.loads(notebook("print('it ran')", "2"))
    content["cells"][0].update(changes)
    return json.dumps(content)


def test_what_jupyterlab_opens_is_repaired_and_run(execute: Execute) -> None:
    content = json.loads(damaged(id=None, metadata={"tags": None}))
    del content["cells"][1]["metadata"]
    content["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    run = execute(source=json.dumps(content))
    assert ended(run) == ("COMPLETED", None)
    assert run.printed == "it ran\n"
    for line in ("Cell 1: id null", "Cell 1: tags null", "widgets without state"):
        assert line in run.log
    assert "it ran" in run.published(".html").read_text()


def test_a_notebook_of_an_older_format_is_upgraded(execute: Execute) -> None:
    code = {"cell_type": "code", "language": "python", "metadata": {"tags": "parameters"}, "outputs": []}
    cells = [{**code, "input": "n = 1"}, {**code, "input": "print('it ran', n)", "metadata": {}}]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    run = execute(source=json.dumps(old), parameters={"n": "2"})
    assert ended(run) == ("COMPLETED", None)
    assert run.printed == "it ran 2\n"
    assert "it ran" in run.published(".html").read_text()


def test_what_cannot_be_repaired_is_refused_with_the_cell(execute: Execute) -> None:
    assert ended(execute(source=damaged(cell_type="chart"))) == (
        "FAILED",
        "'n.ipynb' cannot be executed: Cell 1: cell_type \"chart\" is unknown.",
    )


def test_output_that_is_not_valid_is_shown_as_text(execute: Execute) -> None:
    code = (
        "class Odd:\n    def _repr_mimebundle_(self, **options):\n"
        "        return {'application/x.odd': {'k': 1}, 'text/plain': {'not': 'text'}}\nOdd()"
    )
    run = execute(code, "print('it ran')")
    assert ended(run) == ("COMPLETED", None)
    nbformat.validate(nbformat.read(run.folder.output("ipynb"), as_version=4))
    assert "output of type application/x.odd was not text" in run.log
    assert "it ran" in run.published(".html").read_text()


# Outputs

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def with_pictures(markdown: str, **attachments: object) -> str:
    """Return a notebook whose first cell is Markdown with attachments."""
    content = json.loads(notebook("print('it ran')"))
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": markdown}
    cell["attachments"] = {name: {"image/png": data} for name, data in attachments.items()}
    content["cells"].insert(0, cell)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("my%20plan.png", "my plan.png"),
        ("my plan.png", "my plan.png"),
        ("sjøkart.png", "sjøkart.png"),
        ("sj%C3%B8kart.png", "sjøkart.png"),
    ],
)
def test_an_attachment_is_in_the_html_whatever_its_name(execute: Execute, reference: str, name: str) -> None:
    run = execute(source=with_pictures(f"![plan](attachment:{reference})", **{name: PIXEL}))
    assert ended(run) == ("COMPLETED", None)
    assert f'<img alt="plan" src="data:image/png;base64,{PIXEL}"/>' in run.published(".html").read_text()


def test_a_chart_needs_no_description(execute: Execute) -> None:
    run = execute(f"import base64, IPython.display as d\nd.Image(base64.b64decode('{PIXEL}'))")
    assert ended(run) == ("COMPLETED", None)
    assert PIXEL in run.published(".html").read_text()
    assert "WARNING" not in run.log


def test_no_picture_costs_a_format(execute: Execute) -> None:
    half = base64.b64encode(base64.b64decode(PIXEL)[:30]).decode()
    bad = {"null.png": None, "number.png": 5, "text.png": "%%%"}
    shown = " ".join(f"![plan](attachment:{name})" for name in (*bad, "gone.png", "half.png"))
    source = with_pictures(f"{shown} ![](gone.png)", **bad, **{"half.png": half})
    formats = tuple(name for name in list_output_formats() if name not in ("webpdf", "qtpdf", "qtpng"))
    run = execute(source=source, output_formats=formats)
    assert ended(run) == ("COMPLETED", None)
    for output_format in formats:
        assert run.folder.output(output_format).stat().st_size
    for suffix in (".md", ".html", ".slides.html"):
        assert run.published(suffix).read_text().replace("\\", "").count("Picture not shown") >= len(bad) + 2
    for name in (*bad, "gone.png"):
        assert f"WARNING Cell 1: the attachment '{name}' is missing or damaged." in run.log
    assert (
        "WARNING Format pdf was made without the pictures in Markdown cells, because one of them is damaged."
        in run.log
    )
    assert "WARNING Cell 1: the picture 'gone.png' was not found next to the notebook" in run.log


def test_attachments_may_be_null(execute: Execute) -> None:
    content = json.loads(with_pictures("text"))
    content["cells"][0]["attachments"] = None
    assert ended(execute(source=json.dumps(content))) == ("COMPLETED", None)


def test_a_format_that_fails_leaves_the_others(execute: Execute) -> None:
    run = execute("print('it ran')", output_formats=("ipynb", "nosuchformat", "html", "script"))
    status, message = ended(run)
    assert status == "FAILED"
    assert str(message).startswith("The notebook was executed, but could not be converted to nosuchformat")
    assert "it ran" in run.published(".html").read_text()
    assert "print('it ran')" in run.published(".py").read_text()


def test_outputs_have_the_suffixes_that_programs_open(execute: Execute, bash_kernel: dict[str, str]) -> None:
    formats = ("ipynb", "html", "slides", "markdown", "script", "log")
    source = notebook("echo it ran", kernel=bash_kernel)
    run = execute(source=source, output_formats=formats)
    assert ended(run) == ("COMPLETED", None)
    names = {path.name.partition(".")[2] for path in run.folder.path.glob("n-*")}
    assert names == {"ipynb", "html", "slides.html", "md", "sh", "log"}
    assert run.row.packaged_files == ()  # outputs are no files of the notebook


def test_a_chart_is_in_the_html_with_its_library(execute: Execute) -> None:
    run = execute("import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2, 3]))")
    assert ended(run) == ("COMPLETED", None)
    text = run.published(".html").read_text()
    assert "Plotly.newPlot" in text
    assert "plotly.js v" in text


# Parameters


def test_types_follow_the_defaults(execute: Execute) -> None:
    source = notebook(
        "print(repr(code), repr(count), repr(on), repr(names), repr(day))",
        parameters="code = '1'\ncount = 1\non = True\nnames = []",
    )
    parameters = {"code": "007", "count": "007", "on": "false", "names": '["a"]', "day": "2024_01_15"}
    run = execute(source=source, parameters=parameters)
    assert ended(run) == ("COMPLETED", None)
    assert run.printed == "'007' 7 False ['a'] '2024_01_15'\n"


def test_parameters_that_cannot_be_environment_variables_reach_the_notebook(execute: Execute) -> None:
    parameters = {"PATH": "/nowhere", "long": "x" * 200_000, "LD_LIBRARY_PATH": "y", "TZ": "z", "fine": "a b"}
    code = "import os\n!echo $fine\nprint(PATH, LD_LIBRARY_PATH, TZ, len(long), 'long' in os.environ, os.environ['PATH'] != PATH)"
    run = execute(code, parameters=parameters)
    assert ended(run) == ("COMPLETED", None)
    assert run.printed.replace("\r", "") == "a b\n/nowhere y z 200000 False True\n"
    for name in ("PATH", "LD_LIBRARY_PATH", "TZ", "long"):
        assert f"Parameter {name} is not an environment variable" in run.log
    assert "/nowhere" not in run.log.replace("/nowhere y z", "")


def test_an_expression_stays_text_and_the_log_says_so(execute: Execute) -> None:
    run = execute("print(repr(n))", parameters={"n": "2+3"})
    assert run.printed == "'2+3'\n"
    assert "Parameter n is text: expressions are not evaluated." in run.log


# The log


def test_the_log_tells_the_run_from_its_beginning_to_its_end(execute: Execute) -> None:
    bar = "import sys, time\nfor n in range(50):\n    print(f'\\r{n} of 50', end='', file=sys.stderr, flush=True)\n    time.sleep(.01)"
    run = execute("print('a line')", bar, "1/0", parameters={"secret": "s3cr3t"}, name="Nightly")
    log = run.log
    lines = [line.split(" ", 3)[3] for line in log.splitlines() if line[:2] == "20"]
    assert lines[1].startswith(f"Job: Nightly ({run.id}), notebook n.ipynb")
    assert lines[2].startswith("Environment: e, kernel python3 (python)")
    assert lines[3] == "Parameters: secret"
    assert "s3cr3t" not in log
    assert "a line" in lines
    assert [line for line in lines if " of 50" in line] == ["49 of 50"]
    assert [line.split(":")[0] for line in lines if line.startswith("Cell ")] == [
        f"Cell {n} of 3" for n in (1, 2, 3)
    ]
    assert "ZeroDivisionError" in log.partition("Traceback of cell 3")[2]
    assert "\x1b" not in log
    assert lines[-1] == "FAILED: ZeroDivisionError: division by zero (cell 3, In [4])"
    assert "WARNING" not in log
    assert run.published(".log").read_text() == log


def test_a_run_that_completes_says_so_last(execute: Execute) -> None:
    log = execute("1").published(".log").read_text()
    assert log.splitlines()[-1].partition("INFO ")[2].startswith("COMPLETED after ")
    assert "WARNING" not in log
    assert "encryption" not in log


def test_a_time_that_is_over_is_told_with_its_value_and_the_cell(execute: Execute) -> None:
    run = execute("1", "import time; time.sleep(60)", tags=["timeout:12s"])
    assert ended(run) == (
        "FAILED",
        "The run took longer than 12 s, the limit that its option timeout sets. It was executing cell 2.",
    )
    assert "Kernel died" not in run.log
