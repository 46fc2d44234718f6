"""The main job, from the panel's requests to the downloaded files, at every place where a run can happen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from tornado.httpclient import HTTPClientError

from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, on_each_engine, outputs, refusal


async def test_a_notebook_is_executed_and_can_be_downloaded(jobs: Jobs) -> None:
    job_id = await jobs.create("a b/näme 'quoted' $(x) {{y}}.ipynb", notebook("print(6 * 7)"))
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    assert job["status_message"] is None
    assert job["start_time"] >= job["create_time"]
    assert job["end_time"] >= job["start_time"]
    files = await jobs.download(job_id)
    assert set(files) == {"ipynb", "html", "input"}
    assert outputs(files["ipynb"]) == "42\n"
    assert "42" in files["html"].read_text()


@on_each_engine
async def test_parameters_are_typed_and_in_the_environment(jobs: Jobs) -> None:
    text = {
        "n": "3",
        "x": "1.5",
        "yes": "True",
        "none": "None",
        "word": "a 'b' {{c}} $(d) ü",
        "SLACK_TOKEN": "xoxb-1",
        "SLACK_CHANNEL": "#nobody-answers",
    }
    code = "import os, json; print(json.dumps([n, x, yes, none, word])); print(os.environ['n'], os.environ['word'])"
    slack = "print('SLACK_TOKEN' in os.environ, 'SLACK_TOKEN' in globals())"
    source = notebook(code, slack, parameters="n = 0; word = ''")
    job_id = await jobs.create("p.ipynb", source, parameters=text, output_formats=["ipynb", "log"])
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    files = await jobs.download(job_id)
    lines = outputs(files["ipynb"]).splitlines()
    assert json.loads(lines[0]) == [3, 1.5, True, None, text["word"]]
    assert lines[1] == f"3 {text['word']}"
    assert lines[2] == "False False"
    assert "xoxb-1" not in files["ipynb"].read_text() + files["log"].read_text()


async def test_a_failing_notebook_says_what_failed_and_keeps_what_there_is(jobs: Jobs) -> None:
    source = notebook("print('before')", "1 / 0", "print('after')", parameters="a = 1")
    job_id = await jobs.create(
        "f.ipynb", source, parameters={"a": "2"}, output_formats=["ipynb", "html", "log"]
    )
    job = await jobs.wait(job_id)
    assert job["status"] == "FAILED"
    assert job["status_message"] == "ZeroDivisionError: division by zero (cell 3, In [4])"
    assert job["end_time"]
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]) == "before\n"
    assert "ZeroDivisionError" in files["html"].read_text()
    assert "before" in files["log"].read_text()


async def test_input_folder_comes_along_and_new_files_come_back(jobs: Jobs) -> None:
    jobs.write("project/data/in.txt", "hello")
    jobs.write("project/big/ignored.txt", "x")
    source = notebook("text = open('data/in.txt').read(); open('data/out.txt', 'w').write(text.upper());")
    job_id = await jobs.create("project/n.ipynb", source, package_input_folder=True)
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    assert job["packaged_files"] == ["data/out.txt"]  # what the run made or changed
    assert not (jobs.root / "project/data/out.txt").exists()
    files = await jobs.download(job_id)
    assert (files["files"] / "data/out.txt").read_text() == "HELLO"
    assert (await jobs.get(job_id))["downloaded"]


@on_each_engine
async def test_every_offered_format_is_made(jobs: Jobs) -> None:
    offered = (await jobs.request("GET", "runtime_environments"))[0]["output_formats"]
    # Qt and browser exporters need a display or a browser of their own; they are tried where they are set up.
    formats = [one["name"] for one in offered if one["name"] not in ("webpdf", "qtpdf", "qtpng")]
    assert {"ipynb", "html", "markdown", "script", "slides", "log"} <= set(formats)
    source = notebook(f"import base64\nfrom IPython.display import Image\nImage(base64.b64decode('{PIXEL}'))")
    job_id = await jobs.create("formats.ipynb", source, output_formats=formats)
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    files = await jobs.download(job_id)
    assert set(files) == {*formats, "input"}
    suffixes = {name: path.name.partition(".")[2] for name, path in files.items()}
    assert suffixes["slides"] == "slides.html"
    assert (suffixes["markdown"], suffixes["script"], suffixes["html"]) == ("md", "py", "html")
    assert (await jobs.get(job_id))["downloaded"]
    assert "data:image/png;base64" in files["markdown"].read_text()
    if "pdf" in files:
        assert files["pdf"].read_bytes().startswith(b"%PDF")


async def test_a_picture_and_a_chart_are_in_the_html(jobs: Jobs) -> None:
    content = json.loads(notebook("import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2, 3]))"))
    attachments = {"my sjøkart.png": {"image/png": PIXEL}}
    source = "![kart](attachment:my%20sj%C3%B8kart.png) ![](attachment:gone.png)"
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source, "attachments": attachments}
    content["cells"].append(cell)
    job_id = await jobs.create("p.ipynb", json.dumps(content), output_formats=["html", "log"])
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    files = await jobs.download(job_id)
    text = files["html"].read_text()
    assert PIXEL in text
    assert "Picture not shown: gone.png" in text
    assert "Plotly.newPlot" in text
    assert "Cell 2: the attachment 'gone.png' is missing or damaged." in files["log"].read_text()


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@on_each_engine
async def test_the_notebooks_own_kernel_is_used(jobs: Jobs, bash_kernel: dict[str, str]) -> None:
    source = notebook("echo $BASH_VERSION $greeting", kernel=bash_kernel)
    job_id = await jobs.create("b.ipynb", source, parameters={"greeting": "hej"})
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    assert outputs((await jobs.download(job_id))["ipynb"]).strip().endswith("hej")


@on_each_engine
async def test_a_missing_kernel_is_told_with_those_that_are_there(jobs: Jobs, place: str) -> None:
    source = notebook("1", kernel={"name": "ir", "display_name": "R"})
    if place == "local":
        with pytest.raises(HTTPClientError) as error:
            await jobs.create("k.ipynb", source)
        message = refusal(error)
    else:  # the pods may have others
        job = await jobs.wait(await jobs.create("k.ipynb", source))
        assert job["status"] == "FAILED"
        message = job["status_message"]
    assert message.startswith(
        f"Environment '{await jobs.environment()}' ({sys.prefix}) has no kernel for ir, only "
    )
    assert "python3 (python)" in message


@on_each_engine
async def test_a_kernel_that_dies_is_told_with_its_cell(jobs: Jobs) -> None:
    source = notebook("print('alive')", "import os; os._exit(3)")
    job = await jobs.wait(await jobs.create("d.ipynb", source))
    assert job["status"] == "FAILED"
    assert job["status_message"] == "The kernel ended with exit code 3 in cell 2."


async def test_stop_ends_the_run_at_once_and_for_good(jobs: Jobs, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = f"import time, pathlib\nfor _ in range(600):\n    pathlib.Path({str(flag)!r}).write_text(str(time.time())); time.sleep(.1)"
    job_id = await jobs.create("s.ipynb", notebook(code))
    assert (await jobs.wait(job_id, until="IN_PROGRESS"))["status"] == "IN_PROGRESS"
    await eventually_async(flag.exists)
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    assert (await jobs.get(job_id))["status"] == "STOPPED"
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})

    async def has_ended() -> bool:
        before = flag.read_text()
        await asyncio.sleep(0.5)
        return flag.read_text() == before

    await eventually_async(has_ended, 10)  # on Argo it ends a moment after the answer
    assert (await jobs.get(job_id))["status"] == "STOPPED"


@on_each_engine
async def test_delete_also_while_running_and_twice(jobs: Jobs, staging_path: Path) -> None:
    ended = await jobs.create("e.ipynb", notebook("1"))
    running = await jobs.create("r.ipynb", notebook("import time; time.sleep(60)"))
    await jobs.wait(ended)
    await jobs.wait(running, until="IN_PROGRESS")
    for job_id in (ended, running, running):
        await jobs.request("DELETE", "jobs", job_id)
    assert list(staging_path.iterdir()) == []
    assert (await jobs.request("GET", "jobs"))["jobs"] == []
    with pytest.raises(HTTPClientError) as error:
        await jobs.get(ended)
    assert f"Job {ended} not found" in refusal(error)


@on_each_engine
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input_uri": "missing.ipynb"}, "'missing.ipynb' does not exist"),
        ({"input_uri": "../outside.ipynb"}, "outside the root folder"),
        ({"input_uri": "text.ipynb"}, "not a notebook"),
        ({"input_uri": "json.ipynb"}, "not a notebook"),
        ({"output_formats": ["htm"]}, "Output format 'htm' not found. Available: html"),
        ({"runtime_environment_name": "../../etc"}, "Environment '../../etc' not found"),
        ({"input_uri": "damaged.ipynb"}, "its kernelspec is not an object"),
        ({"input_uri": "folder.ipynb"}, "'folder.ipynb' does not exist"),
        ({"parameters": {"a b": "1"}}, "'a b' is not a valid parameter name"),
        ({"name": "n" * 500}, "The name has 500 characters. Use at most 256."),
    ],
)
async def test_bad_input_is_refused_with_nothing_left_behind(
    jobs: Jobs, staging_path: Path, fields: dict[str, object], words: str
) -> None:
    jobs.write("text.ipynb", "no json")
    jobs.write("json.ipynb", "{}")
    jobs.write("damaged.ipynb", '{"nbformat": 4, "metadata": {"kernelspec": [1]}}')
    (jobs.root / "folder.ipynb").mkdir()
    (jobs.root.parent / "outside.ipynb").write_text(notebook("1"))
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("good.ipynb", notebook("1"), **fields)
    assert words in refusal(error)
    assert list(staging_path.iterdir()) == []
    assert (await jobs.request("GET", "jobs"))["jobs"] == []


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_database_that_fails_leaves_no_folder(jobs: Jobs, staging_path: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "scheduler.sqlite")) as connection:
        connection.execute("DROP TABLE jobs")
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("n.ipynb", notebook("1"))
    assert "database cannot be used" in refusal(error)
    assert list(staging_path.glob("[!.]*")) == []


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_job_from_another_one_finds_its_notebook(jobs: Jobs) -> None:
    """Of which a client knows the `input_filename` only."""
    with pytest.raises(HTTPClientError, match="400"):
        await jobs.create("n.ipynb")
    await jobs.create("one/n.ipynb", notebook("print('one')"))
    definition_id = await jobs.define("one/n.ipynb")
    again = await jobs.create("n.ipynb")
    await jobs.wait(again)
    assert outputs((await jobs.download(again))["ipynb"]) == "one\n"
    jobs.write("two/n.ipynb", notebook("print('two')"))
    await jobs.request("PATCH", "job_definitions", definition_id, body={"input_uri": "two/n.ipynb"})
    await jobs.request("POST", "job_definitions", definition_id, "jobs", body={})
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("n.ipynb")
    assert "one/n.ipynb, two/n.ipynb" in refusal(error)
    (jobs.root / "one" / "n.ipynb").unlink()
    again = await jobs.create("n.ipynb")
    await jobs.wait(again)
    assert outputs((await jobs.download(again))["ipynb"]) == "two\n"
    jobs.write("n.ipynb", notebook("print('root')"))
    again = await jobs.create("n.ipynb")
    await jobs.wait(again)
    assert outputs((await jobs.download(again))["ipynb"]) == "root\n"


@on_each_engine
async def test_an_idempotency_token_runs_once(jobs: Jobs, staging_path: Path) -> None:
    job_id = await jobs.create("t.ipynb", notebook("1"), idempotency_token="same")
    with pytest.raises(HTTPClientError, match="409"):
        await jobs.create("t.ipynb", idempotency_token="same")
    assert [path.name for path in staging_path.iterdir()] == [job_id]
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"


@on_each_engine
async def test_a_notebook_without_a_kernel_gets_one(jobs: Jobs) -> None:
    source = json.loads(notebook("print(a)"))
    source["metadata"] = {}
    job_id = await jobs.create("nokernel.ipynb", json.dumps(source), parameters={"a": "7"})
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    assert outputs((await jobs.download(job_id))["ipynb"]) == "7\n"


@on_each_engine
async def test_a_definition_can_be_run_now_and_deleted(jobs: Jobs, staging_path: Path) -> None:
    jobs.write("d.ipynb", notebook("print(a)", parameters="a = 1"))
    body = {"name": "d", "input_uri": "d.ipynb", "output_formats": ["ipynb"], "schedule": "0 0 1 1 *"}
    body["runtime_environment_name"] = await jobs.environment()
    definition = (await jobs.request("POST", "job_definitions", body=body))["job_definition_id"]
    job_id = (
        await jobs.request("POST", "job_definitions", definition, "jobs", body={"parameters": {"a": "5"}})
    )["job_id"]
    await jobs.request("DELETE", "job_definitions", definition)
    job = await jobs.wait(job_id)
    assert (job["status"], job["job_definition_id"]) == ("COMPLETED", definition)
    assert outputs((await jobs.download(job_id))["ipynb"]) == "5\n"
    assert [path.name for path in staging_path.iterdir()] == [job_id]
    assert (await jobs.request("GET", "job_definitions"))["job_definitions"] == []


HOSTILE = [
    "../n.ipynb",
    "/etc/n.ipynb",
    "a/n.ipynb",
    "..",
    ".",
    "a\\n.ipynb",
    "n\0.ipynb",
    "\ud800.ipynb",
    "n" * 256,
]


@pytest.mark.parametrize("place", ["local"], indirect=True)
@pytest.mark.parametrize("name", HOSTILE)
async def test_an_input_filename_leads_nowhere_else(
    jobs: Jobs, staging_path: Path, name: str, tmp_path: Path
) -> None:
    def files() -> set[Path]:
        # The server writes there, whenever it likes.
        return {
            path
            for path in tmp_path.rglob("*")
            if tmp_path / "home" / ".ipython" not in (path, *path.parents)
        }

    before = files()
    jobs.write("n.ipynb", notebook("1"))
    for create in (jobs.create, jobs.define):
        with pytest.raises(HTTPClientError) as error:
            await create("n.ipynb", input_filename=name)
        assert any(word in refusal(error) for word in ("file name", "input_filename"))
    assert list(staging_path.iterdir()) == []
    assert (await jobs.request("GET", "jobs"))["total_count"] == 0
    assert files() - before == {jobs.root / "n.ipynb"}


@on_each_engine
@pytest.mark.parametrize("whole_folder", [False, True])
async def test_a_plain_input_filename_is_honoured(jobs: Jobs, staging_path: Path, whole_folder: bool) -> None:
    job_id = await jobs.create(
        "d/n.ipynb",
        notebook("print('it ran')"),
        input_filename="other.ipynb",
        package_input_folder=whole_folder,
    )
    job = await jobs.wait(job_id)
    assert (job["status"], job["input_filename"]) == ("COMPLETED", "other.ipynb")
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]) == "it ran\n"
    assert files["input"].name == "other.ipynb"


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_change_of_a_job_says_what_is_wrong_with_the_database(jobs: Jobs, tmp_path: Path) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.wait(job_id)
    with contextlib.closing(sqlite3.connect(tmp_path / "scheduler.sqlite")) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(HTTPClientError) as error:
        await jobs.request("PATCH", "jobs", job_id, body={"name": "other"})
    assert "database cannot be used: disk full" in refusal(error)
