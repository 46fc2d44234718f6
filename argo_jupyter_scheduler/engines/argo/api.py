"""Argo's REST API."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
import os
import re
import ssl
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import certifi
import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, NewConnectionError, ProtocolError, SSLError
from urllib3.util import Retry

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import EngineError, EngineRefused, EngineUnavailable
from argo_jupyter_scheduler.domain.text import one_line
from argo_jupyter_scheduler.engines.argo.connection import Connection
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

WORKFLOWS = "workflows"
CRON_WORKFLOWS = "cron-workflows"

OLDEST_VERSION = (3, 4)
"""The oldest supported version of Argo."""

MAX_RETRIES = 2

BACKOFF_SECONDS = 0.2
"""Wait before the second try; it doubles each time."""

PASSING_STATUSES = (429, 502, 503, 504)
"""Statuses after which the same call may succeed."""

UNREACHABLE = "unreachable"
"""The kind of an error without an answer."""

MAX_MESSAGE_LENGTH = 500
"""Characters that are shown of an error of Argo's."""

MAX_PLAIN_LENGTH = 200
"""Characters that are shown of a plain text, such as a proxy's."""

log = logging.getLogger("argo_jupyter_scheduler")


class _RetryInTime(Retry):
    """Retries as `Retry` does, but only while one more try still ends in time.

    Parameters
    ----------
    until
        When the last try may begin, on `time.monotonic`'s clock.
    """

    def __init__(self, *arguments: Any, until: float = math.inf, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._until = until

    def new(self, **changes: Any) -> _RetryInTime:
        return super().new(until=self._until, **changes)

    def increment(self, *arguments: Any, **keywords: Any) -> _RetryInTime:
        causes = _causes(keywords.get("error"))
        untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes)
        tries = self.new(total=0) if untrusted or time.monotonic() > self._until else self
        return Retry.increment(tries, *arguments, **keywords)


class ArgoApi:
    """Calls of Argo's REST API, each with a time limit and an error that a user can act on.

    Attributes
    ----------
    errors
        How many calls have failed, by HTTP status, or `UNREACHABLE`. An error that is as good as success is none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(maxsize=10, **_tls(connection))

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    @functools.cached_property
    def version(self) -> tuple[int, ...]:
        """The server's version, such as (3, 4, 4), asked for once. A build without a number, or of v0.0.0, counts as newest."""
        given = str(self.ask("version").get("version"))
        numbers = re.match(r"v?([1-9]\d{0,8})\.(\d{1,9})(?:\.(\d{1,9}))?", given, re.ASCII)
        return tuple(int(number or 0) for number in numbers.groups()) if numbers else (999,)

    def require(self, feature: str, since: tuple[int, int]) -> None:
        """Refuse a feature for which the server is too old.

        Raises
        ------
        EngineRefused
            With the feature's name and the version that has it.
        EngineUnavailable
            The server does not answer with its version.
        """
        if self.version < since:
            actual, needed = (".".join(map(str, version)) for version in (self.version, since))
            raise EngineRefused(messages.argo.argo_too_old(actual, self.connection.url, feature, needed))

    def ask(self, what: str) -> KubernetesObject:
        """Return what the server says about itself: `version`, `info` or `userinfo`; raises as `call`."""
        return self._request("GET", what)

    def call(
        self,
        method: str,
        kind: str,
        path: str,
        body: KubernetesObject | None = None,
        *,
        query: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        accepted_words: str | None = None,
    ) -> KubernetesObject:
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
            It did not answer in time, or it answered with an error of its own.
        EngineRefused
            It refused the call.
        """
        place = f"{kind}/{self.connection.namespace}{path}"
        is_object = method == "POST" or (bool(path) and method != "DELETE")
        return self._request(method, place, body, query, accepted, accepted_words, is_object)

    @contextlib.contextmanager
    def read_answers(self) -> Iterator[None]:
        """Translate errors of code that reads answers as Argo's: a proxy, or another program, may have sent anything.

        Raises
        ------
        EngineUnavailable
            An answer does not have the form of Argo's.
        """
        try:
            yield
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            text = messages.argo.argo_answer_unknown(self.connection.url, error)
            raise EngineUnavailable(text, half_done=True) from error

    def read_log(self, workflow: str) -> list[str]:
        """Return the lines that a workflow's pods have printed, without those of Argo's executor; raises as `call`."""
        place = f"workflows/{self.connection.namespace}/{workflow}/log"
        response, words = self._send("GET", place, None, {"logOptions.container": "main"})
        if response.status >= 300:
            raise self._count(_error(response.status, words, self.connection, half_done=False))
        lines = []
        for line in response.data.decode(errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                lines.append(str(json.loads(line)["result"]["content"]))
        return [line for line in lines if " argo=true" not in line]

    def _request(
        self,
        method: str,
        place: str,
        body: KubernetesObject | None = None,
        query: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (),
        accepted_words: str | None = None,
        is_object: bool = False,
    ) -> KubernetesObject:
        response, words = self._send(method, place, body, query)
        if response.status < 300:
            with contextlib.suppress(ValueError, RecursionError):
                answer = response.json()
                # An empty answer does not say that an object is gone, nor that it was made: a proxy may have sent it.
                if isinstance(answer, dict) and (answer.get("metadata") or not is_object):
                    return answer
        if response.status in accepted or (accepted_words and accepted_words in words):
            return {}
        raise self._count(_error(response.status, words, self.connection, half_done=method != "GET"))

    def _send(
        self, method: str, place: str, body: KubernetesObject | None, query: dict[str, str] | None
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        """Return the answer and, if it is an error, its own words."""
        at = self.connection
        token = at.token.header()
        retries = _RetryInTime(
            total=MAX_RETRIES,
            backoff_factor=BACKOFF_SECONDS,
            status_forcelist=PASSING_STATUSES,
            # Each call may be repeated, also a POST: names are derived, so a second one meets the first's object.
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,  # a user is waiting
            until=time.monotonic() + at.timeout / 2,
        )
        try:
            response = self._pool.request(
                method,
                f"{at.url}api/v1/{place}" + (f"?{urlencode(query)}" if query else ""),
                json=body,
                headers={"Authorization": token} if token else {},
                redirect=False,
                retries=retries,
                timeout=urllib3.Timeout(connect=at.timeout / 4, total=at.timeout * 0.45),
            )
        except HTTPError as error:
            raise self._count(_unreachable(error, at, half_done=method != "GET")) from error
        return response, _message(response, token.partition(" ")[2]) if response.status >= 300 else ""

    def _count(self, error: EngineError) -> EngineError:
        """Return an error that a call ends with, counted."""
        with self._lock:
            self.errors[str(error.status) if error.status else UNREACHABLE] += 1
        return error


def _tls(at: Connection) -> dict[str, Any]:
    """Return what urllib3 needs to know of certificates."""
    if not at.url.startswith("https:"):
        return {}
    if at.verify is False:
        host = urlsplit(at.url).hostname or ""
        log.warning("%s", messages.argo.argo_certificate_not_verified(at.url))
        each_time = f"Unverified HTTPS request is being made to host '{re.escape(host)}'"  # by urllib3
        warnings.filterwarnings("ignore", each_time, InsecureRequestWarning)
        return {"cert_reqs": "CERT_NONE", "assert_hostname": False}
    bundle = certifi.where() if at.verify is True else at.verify
    return {"ca_cert_dir" if os.path.isdir(bundle) else "ca_certs": bundle}


def _message(response: urllib3.BaseHTTPResponse, secret: str) -> str:
    """Return the text of an error: Argo's message, or the plain text of a proxy in front of it.

    Parameters
    ----------
    secret
        The token that was sent. It is removed before the text is cut, since errors are shown and stored.
    """
    try:
        words, length = str(response.json()["message"]), MAX_MESSAGE_LENGTH
    except (ValueError, KeyError, TypeError, RecursionError):
        location = response.headers.get("Location", "").partition("?")[0]
        text = response.data.decode(errors="replace").strip()
        plain = "" if text.startswith(("<", "{", "[")) else text
        words, length = location or plain or response.reason or "no reason given", MAX_PLAIN_LENGTH
    return one_line(words.replace(secret, "…") if secret else words)[:length].rstrip(".")


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, with urllib3's layers unwrapped. The last one is the root cause."""
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next(
            (cause for cause in inner if isinstance(cause, BaseException) and cause not in found), None
        )
    return found


def _unreachable(error: BaseException, at: Connection, half_done: bool) -> EngineError:
    """Return the error for an answer that did not come."""
    causes = _causes(error)
    cause = causes[-1]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return EngineUnavailable(messages.argo.argo_certificate_not_trusted(at.url, cause.verify_message))
    unread = any(isinstance(layer, SSLError) for layer in causes) and not isinstance(cause, ssl.SSLError)
    if unread or "NO_CERTIFICATE" in str(cause):
        return EngineUnavailable(messages.argo.argo_certificates_unreadable(at.verify, cause))
    if "WRONG_VERSION_NUMBER" in str(cause) or "RECORD_LAYER_FAILURE" in str(cause):
        return EngineUnavailable(messages.argo.argo_not_encrypted(at.url))
    # A refused connection counts as a timeout in some versions of urllib3.
    new = any(isinstance(layer, NewConnectionError) for layer in causes)
    if not new and any(
        isinstance(layer, (urllib3.exceptions.TimeoutError, TimeoutError)) for layer in causes
    ):
        return EngineUnavailable(messages.argo.argo_timed_out(at.url, at.timeout), half_done)
    if any(isinstance(layer, ProtocolError) for layer in causes):
        return EngineUnavailable(messages.argo.argo_broke_off(at.url, cause), half_done)
    return EngineUnavailable(messages.argo.argo_unreachable(at.url, cause))


def _refused_token(at: Connection) -> str:
    """Return the message for the status 401."""
    if not at.token.origin:
        return messages.argo.ARGO_UNAUTHENTICATED
    expires = at.token.claims().get("exp")
    expired = ""
    if isinstance(expires, (int, float)) and expires < time.time():
        expired = format_moment(expires)
    return messages.argo.argo_token_refused(at.token.origin, expired, restart=not at.token.file)


def format_moment(seconds: float) -> str:
    """Return seconds since 1970 as a date and time in this machine's time zone."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _error(status: int, words: str, at: Connection, half_done: bool) -> EngineError:
    """Return the error for an answer of Argo's."""
    if status == 429 or status >= 500:
        return EngineUnavailable(messages.argo.argo_failing(at.url, status, words), half_done, status)
    if status < 300:
        return EngineUnavailable(messages.argo.not_argo(at.url), half_done, status)
    if status < 400:
        text = messages.argo.argo_redirects(at.url, status, words)
    elif status == 401:
        text = _refused_token(at)
    elif status == 403:
        text = messages.argo.argo_forbidden(words, at.namespace)
    elif status == 404:
        text = messages.argo.argo_path_unknown(at.url, words, is_argos="argoproj.io" in words)
    else:
        text = messages.argo.argo_refused(status, words)
    return EngineRefused(text, status=status)
