"""Argo's cron workflows: created, changed in place or replaced, paused and deleted."""

from __future__ import annotations

import time

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import EngineError, EngineUnavailable
from argo_jupyter_scheduler.engines.argo import live_objects
from argo_jupyter_scheduler.engines.argo.api import CRON_WORKFLOWS, ArgoApi
from argo_jupyter_scheduler.engines.argo.labels import ARGO_PREFIX, MANAGER_SELECTOR
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

MAX_ATTEMPTS = 5
"""How often a change of a live object is tried again when somebody else changed it in between."""

LOOK_AGAIN_SECONDS = 0.2
"""How long to wait between two looks at a deleted object."""


class CronWorkflows:
    """The cron workflows of this package; every method raises as `ArgoApi.call`.

    Attributes
    ----------
    deleted_lingers_seconds
        How long a deleted object may still be seen (Argo 4.1: a moment).
    """

    deleted_lingers_seconds = 5.0

    def __init__(self, api: ArgoApi) -> None:
        self._api = api

    def apply(self, wanted: KubernetesObject) -> None:
        """Make a live object what is wanted.

        It is read, changed and written back, so that what others put into it stays. Where an admission controller rewrote it on its
        way in (Nebari's), it is replaced by our own manifest instead, since such a controller only sees what is created. Pausing
        uses Argo's suspend in either case.

        Parameters
        ----------
        wanted
            An `annotated` manifest.
        """
        name = wanted["metadata"]["name"]
        for _ in range(MAX_ATTEMPTS):
            live = self._api.call("GET", CRON_WORKFLOWS, f"/{name}", accepted=(404,))
            if not live:
                self._create(wanted)
                return
            with self._api.read_answers():
                if self._is_applied(live, wanted):
                    return
        raise EngineUnavailable(messages.argo.cron_workflow_contended(name))

    def _is_applied(self, live: KubernetesObject, wanted: KubernetesObject) -> bool:
        """Make a live object what is wanted; return False where somebody else changed it meanwhile."""
        needs_edit, suspended = live_objects.needs_edit(live, wanted), wanted["spec"]["suspend"]
        if not needs_edit and suspended == bool(live["spec"].get("suspend")):
            return True
        if live_objects.is_rewritten(live, wanted) and (needs_edit or not suspended):
            self._replace(live, wanted)
            return True
        return self._change(live, wanted, needs_edit)

    def _change(self, live: KubernetesObject, wanted: KubernetesObject, needs_edit: bool) -> bool:
        """Change a live object; return whether it still was as it was read."""
        name = wanted["metadata"]["name"]
        body = self._body(name)
        if needs_edit:
            path = f"/{name}"
            body["cronWorkflow"] = live_objects.merge(live, wanted)
        else:
            path = f"/{name}/{'suspend' if wanted['spec']['suspend'] else 'resume'}"
        # Changed or deleted since it was read; Argo 3.4 answers 500 for a change.
        words = "the object has been modified"
        return bool(
            self._api.call("PUT", CRON_WORKFLOWS, path, body, accepted=(404, 409), accepted_words=words)
        )

    def pause(self, name: str) -> None:
        """Suspend a cron workflow. One that does not exist is not an error."""
        self._api.call("PUT", CRON_WORKFLOWS, f"/{name}/suspend", self._body(name), accepted=(404,))

    def delete(self, name: str) -> None:
        """Delete a cron workflow. One that does not exist is not an error."""
        self._api.call("DELETE", CRON_WORKFLOWS, f"/{name}", accepted=(404,))

    def list_metadata(self, *fields: str) -> dict[str, KubernetesObject]:
        """Return these fields of the metadata of all cron workflows, by their name."""
        names = ",".join(f"items.metadata.{field}" for field in ("name", *fields))
        query = {"listOptions.labelSelector": MANAGER_SELECTOR, "fields": names}
        items = self._api.call("GET", CRON_WORKFLOWS, "", query=query).get("items") or []
        with self._api.read_answers():
            return {item["metadata"]["name"]: item["metadata"] for item in items}

    def _body(self, name: str) -> KubernetesObject:
        return {"name": name, "namespace": self._api.connection.namespace}

    def _create(self, wanted: KubernetesObject) -> None:
        # One that exists is this call's own earlier try, whose answer was lost.
        body = {"namespace": self._api.connection.namespace, "cronWorkflow": wanted}
        self._api.call("POST", CRON_WORKFLOWS, "", body, accepted=(409,))

    def _replace(self, live: KubernetesObject, wanted: KubernetesObject) -> None:
        """Delete the live object without its runs, and create ours. After an interruption, the definition's row is the truth."""
        name, old_uid = live["metadata"]["name"], live["metadata"]["uid"]
        others = {
            key: value
            for key, value in live["metadata"].get("labels", {}).items()
            if not key.startswith(ARGO_PREFIX)  # those belong to the object that goes
        }
        wanted["metadata"]["labels"] = {**others, **wanted["metadata"]["labels"]}
        orphan = {"deleteOptions.propagationPolicy": "Orphan"}
        self._api.call("DELETE", CRON_WORKFLOWS, f"/{name}", query=orphan, accepted=(404,))
        give_up = time.monotonic() + self.deleted_lingers_seconds
        while True:
            try:
                self._create(wanted)
            except EngineError as error:
                error.half_done = True  # there is none now, and there should be one
                raise
            found = self._api.call("GET", CRON_WORKFLOWS, f"/{name}", accepted=(404,))
            if found and found["metadata"]["uid"] != old_uid:
                return
            if time.monotonic() > give_up:
                raise EngineUnavailable(
                    messages.argo.cron_workflow_stays(name),
                    half_done=True,
                )
            time.sleep(LOOK_AGAIN_SECONDS)
