"""conda-store's REST API (2024 and later): which environments the user may use.

conda-store never answers 401: whoever has a wrong, expired or no token is anonymous, and lists are short. What it says of the
caller tells (``permission/``). A list has at most 100 entries a page, silently.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import Any

import certifi
import urllib3

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.locations import existing, expand, is_name, is_visible

PAGE = 100
"""The most that conda-store gives at once."""

TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)
"""Seconds to connect, and to wait for an answer. Nobody waits for it: the dialog shows what is known."""

RETRIES = urllib3.Retry(connect=0, read=0, other=0, status=0, redirect=3)
"""It is asked again soon anyway."""

SECONDS = 30.0
"""How long all pages together may take."""


@dataclass(frozen=True)
class CondaStore:
    """A conda-store server.

    Attributes
    ----------
    url
        Its address with the path under which it is found, such as ``http://host:5000/conda-store``.
    token
        With or without ``Bearer``; empty for none.
    prefix
        Where its environments lie, with ``{namespace}`` and ``{name}``.
    """

    url: str
    token: str = field(repr=False)
    prefix: str

    def environments(self) -> tuple[list[Environment], str]:
        """Return the environments with a completed build that the user may use, and what is wrong if something is.

        Raises
        ------
        EnvironmentsUnknown
            It did not tell.
        """
        if not self.url:
            raise EnvironmentsUnknown(
                "its address is not known: set c.ArgoScheduler.conda_store_url, or CONDA_STORE_SERVICE"
            )
        token = self.token.removeprefix("Bearer").strip()
        # `Bearer` with nothing behind it is answered with 500.
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()
        with urllib3.PoolManager(headers=headers, ca_certs=bundle, timeout=TIMEOUT, retries=RETRIES) as http:
            try:
                known = self._get(http, "permission/")["data"].get("authenticated")
                pairs = self._pairs(http)
            except (KeyError, TypeError, AttributeError) as error:
                raise EnvironmentsUnknown(f"{self.url} answers what conda-store does not") from error
        trouble = ""
        if not known:
            which = (
                "its token (CONDA_STORE_TOKEN) is not valid"
                if token
                else "there is no token (CONDA_STORE_TOKEN)"
            )
            trouble = f"{which}, so only environments that everybody may use are offered"
        return self._named(pairs), trouble

    def on_disk(self) -> list[Environment]:
        """Return the environments whose folders are here, for when the server does not tell."""
        return existing([self.prefix])

    def _pairs(self, http: urllib3.PoolManager) -> list[tuple[str, str]]:
        """Return namespace and name of each environment."""
        pairs: dict[tuple[str, str], None] = {}
        give_up = time.monotonic() + SECONDS
        page = 1
        while True:
            answer = self._get(http, f"environment/?status=COMPLETED&page={page}&size={PAGE}")
            found = [(str(one["namespace"]["name"]), str(one["name"])) for one in answer["data"]]
            before = len(pairs)
            pairs |= dict.fromkeys(found)
            if len(pairs) == before or len(pairs) >= int(answer.get("count", len(pairs) + 1)):
                return [pair for pair in pairs if is_name(pair[0]) and is_name(pair[1])]
            if time.monotonic() > give_up:
                raise EnvironmentsUnknown(f"its list took longer than {SECONDS:g} s")
            page += 1

    def _get(self, http: urllib3.PoolManager, path: str) -> dict[str, Any]:
        url = f"{self.url.rstrip('/')}/api/v1/{path}"
        try:
            response = http.request("GET", url)
        except (urllib3.exceptions.HTTPError, OSError) as error:  # OSError: no such file of certificates
            raise EnvironmentsUnknown(f"{self.url} cannot be reached ({type(error).__name__})") from error
        except ValueError:  # of http.client, whose text has the token
            raise EnvironmentsUnknown(
                "its token (CONDA_STORE_TOKEN) has characters that no token has"
            ) from None
        if response.status != 200:
            raise EnvironmentsUnknown(f"{url} answered {response.status} {response.reason}")
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as error:
            raise EnvironmentsUnknown(f"{self.url} answers what conda-store does not") from error
        return answer

    def _named(self, pairs: list[tuple[str, str]]) -> list[Environment]:
        """Return the environments under the name that conda gives them, ``{namespace}-{name}``, where that is clear.

        ``a-b/c`` and ``a/b-c`` have the same one: it belongs to the one whose folder exists, and others are named with a slash.
        """
        groups: dict[str, list[tuple[str, Environment]]] = {}
        for namespace, name in pairs:
            slashed = f"{namespace}/{name}"
            prefix = expand(self.prefix, namespace=namespace, name=name)
            environment = Environment(f"{namespace}-{name}", prefix, description=f"conda-store: {slashed}")
            groups.setdefault(environment.name, []).append((slashed, environment))
        environments = []
        for group in groups.values():
            there = [one for _, one in group if os.path.isdir(one.prefix)]
            owner = group[0][1] if len(group) == 1 else there[0] if len(there) == 1 else None
            for slashed, one in group:
                if one is owner:
                    environments.append(one)
                elif one in there or not is_visible(one.prefix):
                    environments.append(replace(one, name=slashed))
        return environments
