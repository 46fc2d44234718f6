"""Argo's REST API."""

from __future__ import annotations

import functools
import re
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from argo_jupyter_scheduler.engines.connection import Connection
from argo_jupyter_scheduler.errors import EngineRefused, EngineUnavailable

WORKFLOWS = "workflows"
CRON_WORKFLOWS = "cron-workflows"


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

    @functools.cached_property
    def version(self) -> tuple[int, ...]:
        """The server's version, such as (3, 4, 4), asked for once; of an unknown build, a high one."""
        numbers = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", str(self._request("GET", "version").get("version")))
        return tuple(int(number or 0) for number in numbers.groups()) if numbers else (999,)

    def call(
        self,
        method: str,
        kind: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        accepted_words: str | None = None,
    ) -> dict[str, Any]:
        """Call ``api/v1/<kind>/<namespace><path>`` and return the answer; empty for an accepted error.

        Parameters
        ----------
        kind
            `WORKFLOWS` or `CRON_WORKFLOWS`.
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
        place = f"{kind}/{self._connection.namespace}{path}"
        return self._request(method, place, body, query, accepted, accepted_words)

    def _request(
        self,
        method: str,
        place: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        accepted_words: str | None = None,
    ) -> dict[str, Any]:
        at = self._connection
        try:
            response = self._session.request(
                method,
                f"{at.url}api/v1/{place}",
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
            raise EngineUnavailable(self._unreachable(error), half_done=method != "GET") from error
        words = _message(response)
        if response.status_code in accepted or (accepted_words and accepted_words in words):
            return {}
        raise _error(response.status_code, words, at, half_done=method != "GET")

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


def _error(status: int, words: str, at: Connection, half_done: bool) -> Exception:
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
            f"Argo's server at {at.url} has a problem ({status}): {words}. Try again later.", half_done
        )
    return EngineRefused(f"Argo refused this ({status}): {words}.")
