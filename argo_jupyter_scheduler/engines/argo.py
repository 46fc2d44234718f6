"""The engine of Argo Workflows: one Workflow a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from argo_jupyter_scheduler.database import WAITING, Database, now
from argo_jupyter_scheduler.engines.base import Engine, Observation
from argo_jupyter_scheduler.engines.connection import Connection
from argo_jupyter_scheduler.errors import EngineRefused, EngineUnavailable
from argo_jupyter_scheduler.workflows import JOB_LABEL, PodShape, Site, build_workflow, workflow_name

FIELDS = "items.metadata.name,items.metadata.labels,items.status.phase,items.status.message"
"""What a list answers with; everything else would make it slow."""

PATIENCE = 60_000
"""Milliseconds that a job may wait before its row tells why, or be without a workflow before it counts as gone."""

GONE = "The workflow of this run no longer exists in Argo: it was deleted before the notebook had finished."
NO_REASON = "Argo ended the run without saying why."


class ArgoEngine(Engine):
    """Runs notebooks as Argo Workflows.

    Parameters
    ----------
    connection
        How Argo's server is reached.
    shape
        The pods' shape.
    database
        Where the rows are.
    staging_path
        The staging area, at the same path here and in the pods.
    pod_per_step
        Whether each step of a run gets a pod of its own.
    """

    def __init__(
        self,
        connection: Connection,
        shape: PodShape,
        database: Database,
        staging_path: str,
        pod_per_step: bool,
    ) -> None:
        self._api = ArgoApi(connection)
        self._database = database
        self._site = Site(connection.namespace, database.url, staging_path, pod_per_step, shape)

    def run_settings(self) -> dict[str, Any]:  # noqa: D102 (the base class says it)
        return {}

    def new_row(self) -> dict[str, Any]:  # noqa: D102
        return {}

    def submit(self, job_id: str) -> None:  # noqa: D102
        if not self._site.shape.image:
            raise EngineRefused(
                "No image is configured for the run's pods. Set c.ArgoScheduler.image to one that has "
                "argo-jupyter-scheduler, such as this server's own."
            )
        # The name is derived: one that exists is this call's own earlier try, whose answer was lost.
        self._api.call("POST", "", {"workflow": build_workflow(job_id, self._site)}, accepted=(409,))

    def stop(self, job_id: str) -> None:  # noqa: D102
        name = workflow_name(job_id)
        # A finished workflow cannot be stopped: 500 with these words (Argo 3.4 and 4.1).
        body = {"name": name, "namespace": self._site.namespace}
        self._api.call("PUT", f"/{name}/stop", body, accepted=(404,), accepted_words="completed workflow")

    def delete(self, job_id: str) -> None:  # noqa: D102
        self._api.call("DELETE", f"/{workflow_name(job_id)}", accepted=(404,))

    def observe(self, jobs: Sequence[dict[str, Any]]) -> dict[str, Observation]:
        """Return what Argo knows, from one slim list and one more call for each run that is in trouble."""
        mine = [job for job in jobs if job["pid"] is None]
        if not mine:
            return {}
        query = {"listOptions.labelSelector": JOB_LABEL, "fields": FIELDS}
        items = self._api.call("GET", "", query=query).get("items") or []
        phases = {item["metadata"]["name"]: item.get("status", {}).get("phase", "") for item in items}
        found = {}
        for job in mine:
            observation = self._observation(job, phases.get(workflow_name(job["job_id"])))
            if observation:
                found[job["job_id"]] = observation
        return found

    def _observation(self, job: dict[str, Any], phase: str | None) -> Observation | None:
        patience_is_over = now() - job["create_time"] > PATIENCE
        if phase is None:
            return Observation(ended=True, message=GONE) if patience_is_over else None
        if phase in ("Failed", "Error", "Succeeded"):
            return Observation(ended=True, message=self._reason(job["job_id"]) or NO_REASON)
        if job["status"] in WAITING and patience_is_over:
            reason = self._reason(job["job_id"])
            return Observation(ended=False, message=reason) if reason else None
        return None

    def _reason(self, job_id: str) -> str:
        """Return what Argo says of the pods that failed or cannot start."""
        workflow = self._api.call("GET", f"/{workflow_name(job_id)}", accepted=(404,))
        status = workflow.get("status") or {}
        nodes = (status.get("nodes") or {}).values()
        messages = [node["message"] for node in nodes if node.get("type") == "Pod" and node.get("message")]
        if not messages and status.get("message"):
            messages = [status["message"]]
        return "; ".join(dict.fromkeys(str(message).removeprefix("main: ") for message in messages))


class ArgoApi:
    """Calls of Argo's REST API, each with a time limit and an error that a user can act on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        retry = Retry(
            connect=2,
            read=1,
            status=2,
            backoff_factor=0.2,
            status_forcelist=(429, 502, 503, 504),
            # Each call may be repeated, also a POST: names are derived, so a second one meets the first's object.
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,  # a user is waiting
        )
        self._session = requests.Session()
        self._session.mount("https://", HTTPAdapter(max_retries=retry))
        self._session.mount("http://", HTTPAdapter(max_retries=retry))
        self._session.trust_env = False  # a .netrc must not replace the token

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        accepted_words: str | None = None,
    ) -> dict[str, Any]:
        """Call ``api/v1/workflows/<namespace><path>`` and return the answer; empty for an accepted error.

        Parameters
        ----------
        accepted
            Statuses of errors that are as good as success, such as 404 for a delete.
        accepted_words
            Words that make any error as good as success.

        Raises
        ------
        EngineUnavailable
            It did not answer in time, or with an error of its own.
        EngineRefused
            It answered no.
        """
        at = self._connection
        try:
            response = self._session.request(
                method,
                f"{at.url}api/v1/workflows/{at.namespace}{path}",
                params=query,
                json=body,
                headers=self._headers(),
                verify=at.verify,
                timeout=(at.timeout / 4, at.timeout / 2),
            )
            if response.ok:
                answer: dict[str, Any] = response.json()
                return answer
        except requests.exceptions.InvalidHeader:  # its text has the token
            raise EngineRefused(
                "The token for Argo has characters that no token has; see ARGO_TOKEN."
            ) from None
        except (requests.exceptions.RequestException, ValueError) as error:
            raise EngineUnavailable(self._unreachable(error)) from error
        words = _message(response)
        if response.status_code in accepted or (accepted_words and accepted_words in words):
            return {}
        raise _error(response.status_code, words, at)

    def _unreachable(self, error: BaseException) -> str:
        at = self._connection
        cause = _innermost(error)
        # A refused connection counts as a timeout in urllib3's tree of errors.
        refused = isinstance(cause, urllib3.exceptions.NewConnectionError)
        if isinstance(cause, (urllib3.exceptions.TimeoutError, TimeoutError)) and not refused:
            return f"Argo's server at {at.url} did not answer within {at.timeout:g} s. Try again later."
        if isinstance(error, requests.exceptions.SSLError):
            return (
                f"The certificate of Argo's server at {at.url} is not trusted: {cause}. "
                "Set c.ArgoScheduler.argo_ca_bundle."
            )
        return f"Argo's server at {at.url} cannot be reached: {cause}. Is ARGO_SERVER right?"

    def _headers(self) -> dict[str, str]:
        token = self._connection.token.strip()
        if not token:
            return {}
        return {"Authorization": token if " " in token else f"Bearer {token}"}


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return response.reason or "no reason given"


def _innermost(error: BaseException) -> BaseException:
    """Return what really happened, without the layers of urllib3 and requests around it."""
    while True:
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _error(status: int, words: str, at: Connection) -> Exception:
    """Return the error for an answer of Argo's."""
    if status == 401:
        return EngineRefused(
            "Argo refused the token (401). It may have expired: restart your JupyterLab server to get a new one, "
            "or ask your administrator."
        )
    if status == 403:
        return EngineRefused(
            f"Argo does not allow this (403): {words}. Your administrator can give your account the right to create, "
            f"get, list, update and delete workflows in namespace {at.namespace}."
        )
    if status == 404:
        return EngineRefused(f"Argo's server at {at.url} does not know this (404): {words}.")
    if status == 429 or status >= 500:
        return EngineUnavailable(
            f"Argo's server at {at.url} has a problem ({status}): {words}. Try again later."
        )
    return EngineRefused(f"Argo refused the workflow ({status}): {words}.")
