"""Notification targets that no run can reach."""

from __future__ import annotations

from collections.abc import Iterator

from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, warning
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.pods.secrets import find_missing
from argo_jupyter_scheduler.jobs.service import JobService

ADDRESS_ADVICE = "Write one of Apprise's URLs, see docs/notifications.md."
SECRET_ADVICE = "Name a Secret for it in c.ArgoScheduler.notification_secrets; see docs/notifications.md."  # noqa: S105 (advice)
MISSING_ADVICE = "Create the Secret in the namespace of the workflows, with that key."


def check_targets(jobs: JobService) -> Iterator[Finding]:
    """Return a finding for each target whose address is not valid, or does not reach the runs; the others in one."""
    addresses = jobs.settings.notification_targets
    reachable = set(jobs.staging.notification_settings().targets)
    if not addresses and not reachable:
        return
    faults = list(_find_faults(jobs, reachable))
    yield from faults
    if not faults:
        yield ok("notifications", f"targets: {', '.join(sorted(reachable))}")


def _find_faults(jobs: JobService, reachable: set[str]) -> Iterator[Finding]:
    addresses = jobs.settings.notification_targets
    if addresses:
        from argo_jupyter_scheduler.notify.target_client import is_understood  # which takes a second

        for target, address in addresses.items():
            if not is_understood(address):
                words = f"Apprise does not understand the address of target '{target}'."
                yield warning("notifications", words, ADDRESS_ADVICE)
    engine = jobs.engine
    if not isinstance(engine, ArgoEngine):
        return
    for target in sorted(addresses.keys() - reachable):
        words = f"runs on Argo cannot notify target '{target}', because no Secret has its address."
        yield warning("notifications", words, SECRET_ADVICE)
    secrets = engine.settings.notification_secrets
    namespace = engine.settings.connection.namespace
    for target in find_missing(engine.settings.pods.service_account_path, namespace, secrets):
        secret = secrets[target]
        words = (
            f"target '{target}': Kubernetes has no Secret '{secret['name']}' with the key '{secret['key']}'."
        )
        yield warning("notifications", words, MISSING_ADVICE)
