"""What the dialog offers: environments, and the output formats that this installation can make."""

from __future__ import annotations

import contextlib
import functools
import glob
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.models import RuntimeEnvironment

from argo_jupyter_scheduler.config.environments import EnvironmentSettings, EnvironmentTraits
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, EnvironmentsUnknown, InvalidJob
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.environments.kernels import jupyter_specs
from argo_jupyter_scheduler.environments.locations import NAME_LENGTH, settings_of
from argo_jupyter_scheduler.environments.sources import found_here as sources

LABELS = {
    "ipynb": "Notebook",
    "html": "HTML",
    "markdown": "Markdown",
    "script": "Script",
    "pdf": "PDF",
    "webpdf": "PDF (by a browser)",
    "qtpdf": "PDF (by Qt)",
    "qtpng": "PNG (by Qt)",
    "latex": "LaTeX",
    "rst": "reStructuredText",
    "asciidoc": "AsciiDoc",
    "slides": "Slides",
    "log": "Log",
}
"""Labels of the formats, in the dialog's order. Other exporters are offered by their own name."""

_ALIASES = frozenset({"notebook", "python", "custom"})
"""nbconvert's names for what is offered under another (ipynb, script), or is no format (custom)."""

_PROGRAMS = {
    "pdf": ("xelatex", "pandoc"),
    "latex": ("pandoc",),
    "rst": ("pandoc",),
    "asciidoc": ("pandoc",),
}
"""Programs without which nbconvert cannot make a format, see its documentation's *Installing nbconvert*."""

_MODULES = {"webpdf": "playwright", "qtpdf": "PyQt5", "qtpng": "PyQt5"}

CACHE_SECONDS = 60.0
"""After how long the sources are asked again when the dialog is opened."""

DIALOG_SECONDS = 0.15
"""How long the dialog waits for sources that are being asked. What comes later is there when it is opened again."""

SUBMIT_SECONDS = 12.0
"""How long a submit waits before it refuses an environment that is not known."""

SOURCE_SECONDS = 11.0
"""After how long a source that has not answered is waited for no more; conda, which is ended after ten seconds, comes before."""


@functools.cache
def output_formats() -> dict[str, str]:
    """Return the formats that this installation can make, with their labels."""
    from importlib.metadata import entry_points

    names = {"ipynb", "log"} | {point.name for point in entry_points(group="nbconvert.exporters")}
    made = {name for name in names - _ALIASES if "." not in name and _can_make(name)}
    ordered = [name for name in LABELS if name in made] + sorted(made - set(LABELS))
    return {name: LABELS.get(name, name) for name in ordered}


def _can_make(name: str) -> bool:
    """Return whether a format works here; the dialog ticks all that are offered, so one that fails spoils each run."""
    from importlib.util import find_spec

    programs = all(shutil.which(program) for program in _PROGRAMS.get(name, ()))
    module = name not in _MODULES or find_spec(_MODULES[name]) is not None
    return programs and module and (name != "webpdf" or _playwright_has_a_browser())


def _playwright_has_a_browser() -> bool:
    """Return whether ``playwright install chromium`` was run; nbconvert uses that browser only."""
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or os.path.expanduser("~/.cache/ms-playwright")
    return bool(glob.glob(os.path.join(glob.escape(folder), "chromium*")))


class Source:
    """One source of environments, asked in a thread of its own. While it fails, what it last answered stays.

    Parameters
    ----------
    name
        What it is called in the server's log.
    find
        Returns environments, and what is wrong with them if something is.
    otherwise
        Returns what to offer if it has never answered.
    limit
        Seconds after which it is waited for no more.

    Attributes
    ----------
    settled
        Set while there is nothing to wait for: it has answered, failed, or takes too long.
    has_settled
        Whether that was so once.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[], sources.Found],
        otherwise: Callable[[], list[Environment]] = list,
        limit: float = SOURCE_SECONDS,
    ) -> None:
        self.name = name
        self.environments: list[Environment] = []
        self.trouble = ""
        self.settled = threading.Event()
        self.settled.set()
        self.has_settled = False
        self._find = find
        self._otherwise = otherwise
        self._limit = limit
        self._has_answered = False
        self._lock = threading.Lock()
        self._is_asked = False

    def refresh(self, log: Any) -> None:
        """Ask, unless that is under way; `settled` tells when it is done."""
        with self._lock:
            if self._is_asked:
                return
            self._is_asked = True
            self.settled.clear()
        threading.Thread(target=self._ask, args=(log,), daemon=True, name=f"list {self.name}").start()

    def _ask(self, log: Any) -> None:
        answer: Future[sources.Found] = Future()
        threading.Thread(target=self._answer, args=(answer,), daemon=True, name=f"ask {self.name}").start()
        if not futures.wait([answer], self._limit).done:
            self._take(self._late, log)
            self.settled.set()
        self._take(answer.result, log)
        with self._lock:
            self._is_asked = False
            self.settled.set()

    def _answer(self, answer: Future[sources.Found]) -> None:
        try:
            answer.set_result(self._find())
        except Exception as error:
            answer.set_exception(error)

    def _late(self) -> sources.Found:
        raise EnvironmentsUnknown(f"it has not answered for {self._limit:g} s")

    def _take(self, find: Callable[[], sources.Found], log: Any) -> None:
        """Take what there is to offer now, and say what is wrong."""
        try:
            self.environments, trouble = find()
            self._has_answered = True
        except Exception as error:  # whatever happens to one source, the others are offered
            known = isinstance(error, ArgoSchedulerError)
            trouble = str(error) if known else f"{type(error).__name__}: {error}"
            if not self._has_answered:
                with contextlib.suppress(Exception):  # which may fail as the source itself does
                    self.environments = self._otherwise()
        if trouble and trouble != self.trouble:  # said once, not each time
            log.warning("Environments of %s: %s.", self.name, trouble)
        self.trouble = trouble
        self.has_settled = True


class ArgoEnvironmentManager(EnvironmentManager):
    """Offers the environments in which a notebook can be executed; names and labels are equal, as the frontend needs.

    Jupyter-Scheduler makes it without arguments; `ArgoScheduler` then calls `configure`. What is offered is remembered, and asked
    for again in the background when the dialog is opened after a while.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._log: Any = logging.getLogger("argo_jupyter_scheduler")
        self._settings: EnvironmentSettings | None = None
        self._sources: list[Source] = []
        self._asked_at = -float("inf")
        self._built_from: list[list[Environment]] = []
        self._environments: dict[str, Environment] = {}
        self._models: list[RuntimeEnvironment] = []
        self._own = sources.own_environment()
        self._warning = ""

    def configure(
        self, settings: EnvironmentSettings, kernel_spec_manager: Any = None, log: Any = None
    ) -> None:
        """Take the configuration over, and begin to look for environments.

        Parameters
        ----------
        settings
            Which environments are offered.
        kernel_spec_manager
            The server's; None for Jupyter's own.
        log
            The server's log.
        """
        with self._lock:
            self._settings = settings
            self._log = log or self._log
            store = settings.conda_store
            self._sources = [Source("conda-store", store.environments, store.on_disk)] if store else []
            self._sources += [
                Source("conda", sources.conda),
                Source("folders", functools.partial(sources.folders, settings.patterns, settings.folders)),
                Source(
                    "kernel specs",
                    functools.partial(sources.kernel_specs, kernel_spec_manager),
                    lambda: sources.kernel_specs(None)[0],
                ),
            ]
            self._built_from = []
        self._refresh()

    def list_environments(self) -> list[RuntimeEnvironment]:
        """Return this server's own environment and what the sources have answered so far, the default one first."""
        if time.monotonic() - self._asked_at > CACHE_SECONDS:
            self._refresh()
        self.wait(DIALOG_SECONDS)
        self._build()
        return self._models

    def default(self) -> str:
        """Return the name of the environment that is picked at first; one that is configured is waited for."""
        if self._settings and self._settings.default:
            with contextlib.suppress(InvalidJob):
                return self.find(self._settings.default).name
        return str(self.list_environments()[0].name)

    def find(self, name: str) -> Environment:
        """Return the environment of a name, asking all sources once more before it is refused.

        A name may mean another environment once all sources have answered, so until they have, only this server's own is sure.

        Raises
        ------
        InvalidJob
            There is none: with the nearest names, and what is wrong with a source that might have it.
        """
        offered = self._build()
        if name not in offered:
            self._refresh()
        if name not in offered or not (offered[name].is_own or all(one.has_settled for one in self._sources)):
            self.wait(SUBMIT_SECONDS)
            offered = self._build()
        if name not in offered:
            troubles = "".join(f" ({name}: {trouble}.)" for name, trouble in self._troubles().items())
            raise InvalidJob(
                f"There is no environment '{name}'. Possible: {nearest_names(name, offered)}.{troubles}"
            )
        return offered[name]

    def run_settings(self, name: str, kernel: str) -> dict[str, Any]:
        """Return what a step needs to find its environment, for ``run.json``.

        Parameters
        ----------
        name
            The environment's. One that is not known here is left to the step.
        kernel
            The kernel that the notebook names, which only the server's kernel spec manager may know.
        """
        offered = self._build()
        is_elsewhere = kernel and name == self._own.name and kernel not in offered
        if is_elsewhere and not self._are_settled() and kernel.lower() not in jupyter_specs():
            self.wait(SUBMIT_SECONDS)  # the server's kernel spec manager may know it, once it has answered
            offered = self._build()
        settings: dict[str, Any] = {"own_environment": self._own.name}
        if name in offered:
            settings["environment"] = settings_of(offered[name])
        if kernel in offered and offered[kernel].kernel:
            settings["kernel"] = offered[kernel].kernel
        return settings

    def troubles(self) -> dict[str, str]:
        """Return which sources do not tell all that they should, and why, once all have answered."""
        self.wait(SUBMIT_SECONDS)
        return self._troubles()

    def _troubles(self) -> dict[str, str]:
        return {source.name: source.trouble for source in self._sources if source.trouble}

    def wait(self, seconds: float) -> None:
        """Wait until all sources have answered, failed or taken too long, at most so long."""
        end = time.monotonic() + seconds
        for source in self._sources:
            source.settled.wait(max(end - time.monotonic(), 0))

    def _are_settled(self) -> bool:
        return all(source.settled.is_set() for source in self._sources)

    def manage_environments_command(self) -> str:
        """Return no command: environments are not managed from the dialog."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """Return all formats with their labels."""
        return output_formats()

    def _refresh(self) -> None:
        if (
            self._settings is None
        ):  # made and used by somebody else than Jupyter-Scheduler with `ArgoScheduler`
            self.configure(EnvironmentTraits().environment_settings())
            return
        self._asked_at = time.monotonic()
        for source in self._sources:
            source.refresh(self._log)

    def _build(self) -> dict[str, Environment]:
        """Return what is offered, by name, made anew where a source has a new answer."""
        with self._lock:
            lists = [source.environments for source in self._sources]
            if len(lists) != len(self._built_from) or any(
                new is not old for new, old in zip(lists, self._built_from, strict=True)
            ):
                self._environments = self._offered(lists)
                self._models = [self._model(one) for one in self._environments.values()]
                self._built_from = lists
            if self._settings and self._are_settled():
                self._warn_of(self._settings)
            return self._environments

    def _offered(self, lists: list[list[Environment]]) -> dict[str, Environment]:
        """Return all environments that the filter lets through, under names of their own.

        A folder that several sources know is offered once, but a link to it that has another name is meant to be one, too.
        """
        settings = self._settings or EnvironmentSettings()
        named = {self._own.name: self._own} if settings.allowed(self._own.name) else {}
        own = os.path.realpath(sys.prefix)
        found: dict[str, Environment] = {}
        seen: set[tuple[str, str]] = set()
        for listed in lists:
            before = {place for place, _ in seen}
            for environment in listed:
                name, prefix = environment.name, environment.prefix
                place = prefix and os.path.realpath(prefix)
                is_seen = (place, name) in seen or (place in before and not os.path.islink(prefix))
                if (place and (place == own or is_seen)) or not settings.allowed(name):
                    continue
                seen.add((place, name))
                if name in named or name in found:
                    # The second of a name is called by its path, as conda does.
                    name = prefix or f"{name} (kernel)"
                if name not in found and name.isprintable() and len(name) <= NAME_LENGTH:
                    found[name] = replace(environment, name=name)
        ordered = sorted(found, key=lambda name: (found[name].kernel is not None, name.casefold()))
        named |= {name: found[name] for name in ordered}
        if settings.default in named:
            named = {settings.default: named[settings.default], **named}
        return named or {self._own.name: self._own}  # the dialog cannot open without one

    def _warn_of(self, settings: EnvironmentSettings) -> None:
        """Tell the administrator, once, of settings that fit nothing."""
        warning = ""
        if not any(map(settings.allowed, self._environments)):
            warning = "environments_filter lets no environment through, so this server's own is offered"
        elif settings.default and settings.default not in self._environments:
            near_ones = nearest_names(settings.default, self._environments)
            warning = f"default_environment '{settings.default}' is not offered (near: {near_ones})"
        if warning and warning != self._warning:
            self._log.warning("c.ArgoScheduler.%s.", warning)
        self._warning = warning

    def _model(self, environment: Environment) -> RuntimeEnvironment:
        settings = self._settings or EnvironmentSettings()
        kernel = {"kernel": environment.name} if environment.kernel else None
        return RuntimeEnvironment(
            name=environment.name,
            label=environment.name,
            description=environment.description,
            file_extensions=["ipynb"],
            output_formats=list(output_formats()),
            metadata=kernel or {"path": environment.prefix or sys.prefix},
            compute_types=list(settings.compute_types) or None,
            default_compute_type=settings.default_compute_type or None,
        )
