"""``docs/openapi.yaml`` describes what this server answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.identity import local_run_id, run_token
from argo_jupyter_scheduler.jobs import answers
from argo_jupyter_scheduler.jupyter.extension import PREFIX
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import Jobs, notebook
from tests.support.routes import ID, fill_ids, list_requests

local = pytest.mark.parametrize("place", ["local"], indirect=True)

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
QUERIES = {"/notebook/parameters": {"path": "n.ipynb"}, "/schedule/preview": {"schedule": "@daily"}}


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield method.upper(), path, item[method]


def check(answer: object, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(answer)


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a schema with those that it inherits."""
    found: dict[str, Any] = dict(schema["properties"])
    for base in schema.get("allOf", []):
        found |= properties(SCHEMAS[base["$ref"].rpartition("/")[2]])
    return found


def test_it_is_valid() -> None:
    validate(DOCUMENT)


def test_it_has_all_routes() -> None:
    described = {(method, re.sub(r"\{.*?\}", ID, PREFIX + path)) for method, path, _ in list_operations()}
    assert described == {(method, path) for method, path in list_requests() if method != "OPTIONS"}


@pytest.mark.parametrize(
    "answer",
    [
        answer
        for answer in vars(answers).values()
        if is_typeddict(answer) and answer.__module__ == answers.__name__
    ],
)
def test_it_has_the_properties_of_each_answer(answer: type) -> None:
    assert properties(SCHEMAS[answer.__name__]).keys() == get_type_hints(answer).keys()


@pytest.mark.parametrize("name", [name for name in SCHEMAS if "properties" in SCHEMAS[name]])
def test_all_properties_are_always_there(name: str) -> None:
    optional = {"reason"} if name == "Refusal" else set()
    assert set(SCHEMAS[name]["required"]) == SCHEMAS[name]["properties"].keys() - optional


BODIES = {"/definitions/apply": {"files": {"a.yaml": "name: a\nnotebook: n.ipynb\n"}}}

NOT_JSON = ("/metrics", "/jobs/{job_id}/result")
"""Text, and off by default; and a redirect."""


@local
async def test_answers_have_its_forms(
    jobs: Jobs, jp_fetch: Callable[..., Any], database: Database, scheduler_config: dict[str, Any]
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1", parameters="a = 1  # one"), parameters={"a": "2"})
    definition_id = await jobs.define("n.ipynb", active=False)
    due = now_ms()
    database.insert_run(local_run_id(definition_id, due), definition_id, due, run_token(definition_id, due))
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    answered = []
    for method, path, operation in sorted(list_operations(), key=lambda one: one[1].endswith("rerun")):
        if path in NOT_JSON:
            continue
        url = path.replace("{job_id}", job_id).replace("{job_definition_id}", definition_id)
        response = await jp_fetch(
            *f"{PREFIX}{url}".split("/"),
            method=method,
            params=QUERIES.get(path, {}),
            body=None if method == "GET" else json.dumps(BODIES.get(path, {})),
        )
        assert response.headers["Content-Type"].startswith("application/json")
        answer = json.loads(response.body)
        check(answer, operation["responses"]["200"]["content"]["application/json"]["schema"])
        assert all(
            answer.get(key) for key in ("jobs", "definitions", "runs", "times", "outputs") if key in answer
        )
        answered.append(path)
    assert len(answered) == len(list(list_operations())) - len(NOT_JSON)


@local
async def test_refusals_have_its_form(jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
    for path in (f"{PREFIX}/jobs/{ID}", f"{PREFIX}/notebook/parameters", f"{PREFIX}/metrics"):
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch(*fill_ids(path).split("/"))
        assert error.value.response
        check(json.loads(error.value.response.body), SCHEMAS["Refusal"])
