"""conda-store's REST API (2024 and later): which environments the user may use.

conda-store never answers 401. A caller with a wrong, expired or missing token is anonymous and gets a shorter list, so
``permission/`` is asked whether the caller is known. A page of a list has at most 100 entries, whatever size is asked for.
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
from argo_jupyter_scheduler.environments.sources.source import Found

ENVIRONMENTS_PER_PAGE = 100
"""The most that conda-store returns."""

TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)
"""In seconds. Nobody waits for it: the dialog shows what is known."""

RETRIES = urllib3.Retry(connect=0, read=0, other=0, status=0, redirect=3)
"""None: conda-store is asked again soon anyway."""

LIST_SECONDS = 30.0
"""How long all pages together may take."""


@dataclass(frozen=True)
class CondaStore:
    """A conda-store server.

    Attributes
    ----------
    url
        Its address with the path under which it is served, such as ``http://host:5000/conda-store``.
    token
        With or without ``Bearer``; empty for none.
    prefix
        Pattern of its environments' folders, with ``{namespace}`` and ``{name}``.
    """

    url: str
    token: str = field(repr=False)
    prefix: str

    def find_environments(self) -> Found:
        """Return the environments with a completed build that the user may use.

        Raises
        ------
        EnvironmentsUnknown
            The server did not answer, or with an error, or is not conda-store.
        """
        if not self.url:
            raise EnvironmentsUnknown(
                "its address is unknown: set c.ArgoScheduler.conda_store_url, or CONDA_STORE_SERVICE"
            )
        token = self.token.removeprefix("Bearer").strip()
        # conda-store answers `Bearer` without a token with 500.
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()
        with urllib3.PoolManager(headers=headers, ca_certs=bundle, timeout=TIMEOUT, retries=RETRIES) as http:
            try:
                known = self._get(http, "permission/")["data"].get("authenticated")
                pairs = self._list_pairs(http)
            except (KeyError, TypeError, AttributeError) as error:
                raise EnvironmentsUnknown(f"the server at {self.url} is not conda-store") from error
        trouble = ""
        if not known:
            which = (
                "its token (CONDA_STORE_TOKEN) is not valid"
                if token
                else "its token (CONDA_STORE_TOKEN) is missing"
            )
            trouble = f"{which}, so only public environments are offered"
        return Found(self._name_environments(pairs), trouble)

    def find_on_disk(self) -> list[Environment]:
        """Return the environments whose folders this machine sees, for as long as the server has not answered."""
        return existing([self.prefix])

    def _list_pairs(self, http: urllib3.PoolManager) -> list[tuple[str, str]]:
        """Return namespace and name of each environment."""
        pairs: dict[tuple[str, str], None] = {}
        give_up = time.monotonic() + LIST_SECONDS
        page = 1
        while True:
            answer = self._get(
                http, f"environment/?status=COMPLETED&page={page}&size={ENVIRONMENTS_PER_PAGE}"
            )
            found = [(str(entry["namespace"]["name"]), str(entry["name"])) for entry in answer["data"]]
            before = len(pairs)
            pairs |= dict.fromkeys(found)
            if len(pairs) == before or len(pairs) >= int(answer.get("count", len(pairs) + 1)):
                return [pair for pair in pairs if is_name(pair[0]) and is_name(pair[1])]
            if time.monotonic() > give_up:
                raise EnvironmentsUnknown(f"its list took longer than {LIST_SECONDS:g} s")
            page += 1

    def _get(self, http: urllib3.PoolManager, path: str) -> dict[str, Any]:
        url = f"{self.url.rstrip('/')}/api/v1/{path}"
        try:
            response = http.request("GET", url)
        except (urllib3.exceptions.HTTPError, OSError) as error:  # OSError: no such file of certificates
            raise EnvironmentsUnknown(f"{self.url} cannot be reached ({type(error).__name__})") from error
        except ValueError:  # http.client's, whose text contains the token
            raise EnvironmentsUnknown(
                "its token (CONDA_STORE_TOKEN) contains characters that a token cannot have"
            ) from None
        if response.status != 200:
            raise EnvironmentsUnknown(f"{url} answered {response.status} {response.reason}")
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as error:
            raise EnvironmentsUnknown(f"the server at {self.url} is not conda-store") from error
        return answer

    def _name_environments(self, pairs: list[tuple[str, str]]) -> list[Environment]:
        """Return the environments under the name that conda gives them, ``{namespace}-{name}``, where that is unique.

        ``a-b/c`` and ``a/b-c`` share a name. It belongs to the environment whose folder exists; others are named with a slash.
        """
        groups: dict[str, list[tuple[str, Environment]]] = {}
        for namespace, name in pairs:
            slashed = f"{namespace}/{name}"
            prefix = expand(self.prefix, namespace=namespace, name=name)
            environment = Environment(f"{namespace}-{name}", prefix, description=f"conda-store: {slashed}")
            groups.setdefault(environment.name, []).append((slashed, environment))
        environments = []
        for group in groups.values():
            there = [environment for _, environment in group if os.path.isdir(environment.prefix)]
            owner = group[0][1] if len(group) == 1 else there[0] if len(there) == 1 else None
            for slashed, environment in group:
                if environment is owner:
                    environments.append(environment)
                elif environment in there or not is_visible(environment.prefix):
                    environments.append(replace(environment, name=slashed))
        return environments
