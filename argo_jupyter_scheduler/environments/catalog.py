"""The environments that the server offers, and the meaning of their names.

Sources are asked in the background and their answers are remembered. The dialog shows what is known after a moment, and a submit
waits longer before it refuses a name.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.environments.kernels import find_jupyter_specs, is_program_gone
from argo_jupyter_scheduler.environments.locations import MAX_NAME_CHARACTERS, is_python_gone, own_environment
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.environments.sources.conda import find_conda_environments
from argo_jupyter_scheduler.environments.sources.folders import find_in_folders
from argo_jupyter_scheduler.environments.sources.kernel_specs import find_kernel_specs
from argo_jupyter_scheduler.environments.sources.source import Source

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpecManager

CACHE_SECONDS = 60.0
"""How old the answers of the sources may be when the dialog is opened; older ones are asked for again."""

DIALOG_SECONDS = 0.15
"""How long the dialog waits for sources. What they answer later is there when the dialog is opened again."""

SUBMIT_SECONDS = 12.0
"""How long a submit waits for sources before it refuses an unknown environment."""


class Environments(Protocol):
    """The environments, as `jobs` sees them."""

    @property
    def own(self) -> Environment | None:
        """The environment that this package is installed in; None where another environment manager is in use."""

    def find(self, name: str) -> Environment | None:
        """Return the environment of a name; None where another environment manager knows the name, but not the place.

        Raises
        ------
        InvalidJob
            There is none: with the nearest names, and why a source that might know it does not answer.
        """

    def find_known(self, name: str) -> Environment | None:
        """Return what is known about an environment now, without waiting for a source; None for nothing."""

    def find_kernel(self, notebook_kernel: str, environment: Environment | None) -> Mapping[str, Any] | None:
        """Return the kernel that a notebook names, as the server's kernel spec manager knows it; None if it does not.

        Parameters
        ----------
        notebook_kernel
            The kernel's name in the notebook; empty for none.
        environment
            The environment of the run, if it is known. Only for this package's own are sources waited for.
        """

    def default_name(self) -> str:
        """Return the name of the environment that the dialog picks at first."""


class EnvironmentCatalog:
    """The environments that the server offers; an `Environments`.

    Parameters
    ----------
    settings
        Which environments are offered.
    sources
        Where they come from. The first of two sources decides what a name means.
    log
        The server's log, for settings that match nothing.
    """

    def __init__(
        self, settings: EnvironmentSettings, sources: Sequence[Source], log: logging.Logger | None = None
    ) -> None:
        self._settings = settings
        self._sources = tuple(sources)
        self._log = log or logging.getLogger("argo_jupyter_scheduler")
        self._own = own_environment()
        self._lock = threading.Lock()
        self._asked_at = -float("inf")
        self._answers: list[list[Environment]] | None = None
        self._known: Mapping[str, Environment] = {}
        self._offered: Mapping[str, Environment] = {}
        self._warning = ""

    @property
    def own(self) -> Environment:
        """The environment that this package is installed in."""
        return self._own

    def refresh(self) -> None:
        """Begin to ask all sources again."""
        self._asked_at = time.monotonic()
        for source in self._sources:
            source.ask()

    def wait(self, seconds: float) -> None:
        """Wait until all sources have answered, failed or taken too long, but no longer than `seconds`."""
        until = time.monotonic() + seconds
        for source in self._sources:
            source.wait(until)

    def list_offered(self) -> Mapping[str, Environment]:
        """Return what the dialog shows, by name: the default one first, and all that the sources have answered so far.

        The mapping is the same object for as long as nothing changes.
        """
        if time.monotonic() - self._asked_at > CACHE_SECONDS:
            self.refresh()
        self.wait(DIALOG_SECONDS)
        self._collect()
        return self._offered

    def find_broken(self) -> list[str]:
        """Return the names of environments that are not offered since they cannot start: their Python is gone."""
        return [name for name in self._collect() if name not in self._offered]

    def default_name(self) -> str:
        """Return the name of the environment that the dialog picks at first. One that is configured is waited for."""
        if self._settings.default:
            with contextlib.suppress(InvalidJob):
                name = self.find(self._settings.default).name
                return _find_default(name, self._offered) or name
        return next(iter(self.list_offered()))

    def find(self, name: str) -> Environment:
        """Return the environment of a name, after asking all sources once more for an unknown one.

        A name may mean another environment once all sources have answered. Until then only this server's own is certain.

        Raises
        ------
        InvalidJob
            There is none: with the nearest names, and why a source that might know it does not answer.
        """
        found = self.find_known(name)
        if found is None:
            self.refresh()
        is_certain = found and (found.is_own or all(source.has_settled for source in self._sources))
        if not is_certain:
            self.wait(SUBMIT_SECONDS)
            found = self.find_known(name)
        if found is None:
            troubles = "".join(f" ({source}: {trouble}.)" for source, trouble in self._troubles().items())
            raise InvalidJob(messages.environments.environment_not_found(name, self._offered, troubles))
        return found

    def find_known(self, name: str) -> Environment | None:
        """Return what is known about an environment now, without waiting for a source; None for nothing.

        A kernel spec is also found by its kernel's name, by which it was offered once and jobs may know it.
        """
        known = self._collect()
        if name in known:
            return known[name]
        found = self._find_kernel_spec(name)
        return replace(found, name=name) if found else None

    def _find_kernel_spec(self, kernel_name: str) -> Environment | None:
        specs = (one for one in self._collect().values() if one.kernel and one.kernel_name == kernel_name)
        return next(specs, None)

    def find_kernel(self, notebook_kernel: str, environment: Environment | None) -> Mapping[str, Any] | None:
        """Return the kernel that a notebook names, as the server's kernel spec manager knows it; None if it does not.

        Parameters
        ----------
        notebook_kernel
            The kernel's name in the notebook; empty for none.
        environment
            The environment of the run, if it is known. Only for this package's own are sources waited for.
        """
        found = self._find_kernel_spec(notebook_kernel)
        is_own = environment is not None and environment.name == self._own.name
        is_missing = bool(notebook_kernel) and is_own and found is None
        if is_missing and not self._are_settled() and notebook_kernel.lower() not in find_jupyter_specs():
            self.wait(SUBMIT_SECONDS)
            found = self._find_kernel_spec(notebook_kernel)
        return found.kernel if found else None

    def find_troubles(self) -> Mapping[str, str]:
        """Return which sources do not answer, or not completely, and why. Waits until all have settled."""
        self.wait(SUBMIT_SECONDS)
        return self._troubles()

    def _troubles(self) -> dict[str, str]:
        return {source.name: source.trouble for source in self._sources if source.trouble}

    def _are_settled(self) -> bool:
        return all(source.is_settled for source in self._sources)

    def _collect(self) -> Mapping[str, Environment]:
        """Return all that is known, by name; collected again where a source has a new answer."""
        with self._lock:
            answers = [source.environments for source in self._sources]
            if self._answers is None or any(
                new is not old for new, old in zip(answers, self._answers, strict=True)
            ):
                self._known = name_environments(answers, self._own, self._settings)
                self._offered = {name: one for name, one in self._known.items() if not _is_broken(one)}
                self._answers = answers
            if self._are_settled():
                self._warn_once()
            return self._known

    def _warn_once(self) -> None:
        """Warn the administrator, once, of settings that match nothing."""
        default, warning = self._settings.default, ""
        if not any(self._settings.allowed(one.kernel_name or name) for name, one in self._offered.items()):
            warning = "environments_filter excludes every environment, so this server's own is offered"
        elif default and not _find_default(default, self._offered):
            warning = f"default_environment '{default}' is not offered (near: {nearest_names(default, self._offered)})"
        if warning and warning != self._warning:
            self._log.warning("c.ArgoScheduler.%s.", warning)
        self._warning = warning


def make_sources(
    settings: EnvironmentSettings, kernel_spec_manager: KernelSpecManager | None, log: logging.Logger
) -> list[Source]:
    """Return the configured sources. The earlier of two sources decides what a name means.

    Parameters
    ----------
    kernel_spec_manager
        The server's; None for Jupyter's own.
    log
        The server's log.
    """
    store = settings.conda_store
    sources = [Source("conda-store", store.find_environments, store.find_on_disk, log=log)] if store else []
    in_folders = functools.partial(find_in_folders, settings.patterns, settings.folders)
    specs = functools.partial(find_kernel_specs, kernel_spec_manager)
    return [
        *sources,
        Source("conda", find_conda_environments, log=log),
        Source("folders", in_folders, log=log),
        Source("kernel specs", specs, lambda: find_kernel_specs().environments, log=log),
    ]


def name_environments(
    answers: Sequence[Sequence[Environment]], own: Environment, settings: EnvironmentSettings
) -> dict[str, Environment]:
    """Return all environments that the filter includes, under unique names, the default one first.

    A kernel spec is called by its display name, as in JupyterLab's launcher, where no other environment has that name. The filter
    and the default one know it by its kernel's name. A folder that several sources know is offered once. A link to
    it with another name is offered too: somebody made it on purpose.

    Parameters
    ----------
    answers
        The answer of each source.
    own
        The environment that this package is installed in. It is offered even where the filter excludes all.
    """
    own_folder = os.path.realpath(sys.prefix)
    # A title that another one has, or had as its name, would give jobs another kernel than theirs.
    shown = Counter([own.name])
    for environment in itertools.chain.from_iterable(answers):
        shown.update({environment.name, _find_title(environment)})
    found: dict[str, Environment] = {}
    seen: set[tuple[str, str]] = set()
    taken = {own.name} if settings.allowed(own.name) else set()
    for answer in answers:
        earlier = {folder for folder, _ in seen}
        for environment in answer:
            name, prefix = environment.name, environment.prefix
            folder = prefix and os.path.realpath(prefix)
            is_seen = (folder, name) in seen or (folder in earlier and not os.path.islink(prefix))
            if (folder and (folder == own_folder or is_seen)) or not settings.allowed(name):
                continue
            seen.add((folder, name))
            title = _find_title(environment)
            if title and shown[title] == 1:
                name = title
            if name in taken or name in found:
                # The second of a name is called by its path, as conda does.
                name = prefix or f"{name} (kernel)"
            if name not in found and _can_be_name(name):
                found[name] = replace(environment, name=name)
    named = {own.name: own} if taken else {}
    ordered = sorted(found, key=lambda name: (found[name].kernel is not None, name.casefold()))
    named |= {name: found[name] for name in ordered}
    if default := _find_default(settings.default, named):
        named = {default: named[default], **named}
    return named or {own.name: own}  # the dialog cannot open without one


def _find_title(environment: Environment) -> str:
    """Return the display name of a kernel spec, if it can be the name of an environment; else empty."""
    title = str((environment.kernel or {}).get("display_name") or "").strip()
    return title if _can_be_name(title) else ""


def _can_be_name(text: str) -> bool:
    return text.isprintable() and len(text) <= MAX_NAME_CHARACTERS


def _find_default(name: str, named: Mapping[str, Environment]) -> str:
    """Return under which name the default environment is offered; empty where it is not."""
    if not name or name in named:
        return name
    return next((shown for shown, environment in named.items() if environment.kernel_name == name), "")


def _is_broken(environment: Environment) -> bool:
    """Return whether an environment cannot start, as far as this machine sees it."""
    if environment.kernel:
        [program, *_] = environment.kernel.get("argv") or [""]
        return is_program_gone(program)
    return bool(environment.prefix) and is_python_gone(environment.prefix)
