"""Stands in for the package `conda`, which is not on PyPI and without which conda-store's server does not start.

The server reads the names in a specification with it. What only builds need is there by name and does nothing: nothing is built.
"""

import importlib.abc
import importlib.machinery
import sys
import types


class MatchSpec:
    def __init__(self, text: str) -> None:
        self.name = text.split("::")[-1].split()[0].rstrip("=<>!~0123456789.*").lower()


class Context:
    subdir = "linux-64"


class Part(types.ModuleType):
    """Any module below `conda`: has whatever is imported from it."""

    __path__: list[str] = []  # noqa: RUF012 (as modules have it)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        known = {"MatchSpec": MatchSpec, "context": Context(), "KNOWN_SUBDIRS": ("linux-64", "noarch")}
        return known.get(name, type(name, (), {}))


class Parts(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname.startswith("conda.") else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Part:
        return Part(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


sys.meta_path.append(Parts())
