"""Writes docs/traits.md from the help texts: ``python docs/make_traits.py``. A test fails while the two differ."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
from pathlib import Path
from typing import Any

from traitlets import Container, DefaultHandler, Enum, TraitType, Undefined, Union
from traitlets.config import Configurable

import argo_jupyter_scheduler

PAGE = Path(__file__).with_name("traits.md")
OURS = ("argo_jupyter_scheduler", "jupyter_scheduler")
"""Packages whose traits are listed; those of a Jupyter application are not."""

COMMANDS = "argo_jupyter_scheduler.cli."
"""Where the commands are: their traits are options, which ``--help`` lists."""

TITLES = {
    "ArgoScheduler": "Classes",
    "ArgoTaskRunner": "Checks",
    "SchedulerTraits": "Where notebooks run",
}
"""Titles of groups whose class is not described by its traits."""

HEAD = """# Traits

All settings for `jupyter_server_config.py`, such as:

```python
c.ArgoScheduler.image = "quay.io/jupyter/scipy-notebook:2025-10-20"
```

The traits are listed by name, then explained by task. This page is written from the help texts by `python docs/make_traits.py`.
"""


def classes() -> list[type[Configurable]]:
    """Return the classes of this package that have traits of their own."""
    found = set()
    for module in pkgutil.walk_packages(argo_jupyter_scheduler.__path__, "argo_jupyter_scheduler."):
        if module.name.endswith("__main__") or module.name.startswith(COMMANDS):
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(thing, type)
                and issubclass(thing, Configurable)
                and thing.__module__.startswith(OURS[0])
            ):
                found.add(thing)
    return sorted((one for one in found if traits(one)), key=lambda one: one.__name__)


def traits(configurable: type[Configurable]) -> dict[type, dict[str, TraitType[Any, Any]]]:
    """Return the traits that can be configured, by the class that defines them, in the order of their definition."""
    there = configurable.class_traits(config=True)
    return {
        base: found
        for base in configurable.__mro__
        if base.__module__.split(".")[0] in OURS
        and (
            found := {
                name: there[name] for name in vars(base) if name in there and there[name].this_class is base
            }
        )
    }


def render() -> str:
    """Return the page."""
    parts = [HEAD, f"## By name\n\n{_list_names()}\n"]
    for one in classes():
        parts.append(f"## {one.__name__}\n")
        for base, found in sorted(traits(one).items(), key=lambda item: item[0] is one):
            ours = base.__module__.startswith(OURS[0])
            parts.append(f"### {_title(base) if ours else 'Of Jupyter-Scheduler'}\n")
            rest = re.split(r"\n\s*\w+\n\s*-{3,}\n", base.__doc__ or "")[0].partition("\n\n")[2].strip()
            parts += [f"{_paragraphs(rest)}\n"] if ours and rest and base.__name__ not in TITLES else []
            for name, trait in found.items():
                parts.append(f"#### {name}\n\n{_kind(trait)}; default {_default(one, name, trait)}\n")
                parts.append(f"{_paragraphs(trait.help)}\n")
    return "\n".join(parts)


def _list_names() -> str:
    """Return links to all traits, in the order of their names: a line for each first letter."""
    names = {name for one in classes() for found in traits(one).values() for name in found}
    lines = itertools.groupby(sorted(names), key=lambda name: name[0])
    return "\n".join("- " + ", ".join(f"[{name}](#{name})" for name in line) for _, line in lines)


def _title(base: type) -> str:
    """Return the first sentence of a class's docstring, without its use; or a title of its own."""
    return TITLES.get(base.__name__) or re.split(r"\.(?:\s|$)|[,;] for `", (base.__doc__ or "").strip())[0]


def _paragraphs(text: str) -> str:
    return "\n\n".join(re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", text.strip()))


def _kind(trait: TraitType[Any, Any]) -> str:
    if isinstance(trait, Enum):
        return "One of " + ", ".join(f"`{value!r}`" for value in trait.values or ())
    if isinstance(trait, Union):
        return " or ".join(type(one).__name__ for one in trait.trait_types)
    if isinstance(trait, Container) and trait._trait is not None and not isinstance(trait._trait, Union):
        return f"{type(trait).__name__} of {type(trait._trait).__name__}"
    return type(trait).__name__


def _default(configurable: type, name: str, trait: TraitType[Any, Any]) -> str:
    for base in configurable.__mro__:
        handlers = [one for one in vars(base).values() if isinstance(one, DefaultHandler)]
        if any(one.trait_name == name for one in handlers):
            return "as below"
    value = trait.default()
    if isinstance(value, type):  # named by a text until a first object is made
        value = f"{value.__module__}.{value.__name__}"
    if value is Undefined:
        return "none"
    return f"`{value!r}`"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
