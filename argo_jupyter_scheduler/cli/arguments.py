"""Command-line arguments that traitlets cannot parse, and errors instead of warnings for unknown ones."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from traitlets import List, Unicode
from traitlets.config.loader import ArgumentError, KVArgParseConfigLoader

from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.text import nearest_names

PARAMETER_OPTIONS = ("-p", "--parameter")

_OPTION = re.compile(r"--?[A-Za-z]")
_NUMBER = re.compile(r"-\.?\d.*")


class WrongArguments(ArgoSchedulerError):
    """The command line cannot be understood."""


class Text(Unicode[str, str]):
    """Text as it was typed: `Unicode` would expand ``~`` and take quotation marks away."""

    def from_string(self, text: str) -> str:
        """Return `text`."""
        return text


class TextList(List[str]):
    """Texts as they were typed, one for each time that the option is given."""

    def from_string_list(self, texts: list[str]) -> list[str]:
        """Return `texts`."""
        return list(texts)


def split_parameters(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``-p NAME VALUE`` and ``-p NAME=VALUE`` out of a command line, since an alias of traitlets has one value.

    Parameters
    ----------
    arguments
        The command line. What follows ``--`` is left alone.

    Returns
    -------
    others : list of str
        All other arguments.
    parameters : dict
        Values by their names; the last one of a name wins.

    Raises
    ------
    WrongArguments
        A name or a value is missing.
    """
    others: list[str] = []
    parameters: dict[str, str] = {}
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*others, argument, *waiting], parameters
        option, has_value, text = argument.partition("=")
        if option not in PARAMETER_OPTIONS:
            others.append(argument)
            continue
        if not has_value:
            text = _take(waiting, option)
        name, has_value, value = text.partition("=")
        parameters[name] = value if has_value else _take(waiting, option, name)
    return others, parameters


def _take(waiting: list[str], option: str, name: str = "") -> str:
    """Remove and return the next argument, which must not look like an option."""
    is_option = bool(waiting) and waiting[0].startswith("-") and not _NUMBER.fullmatch(waiting[0])
    if waiting and not is_option:
        return waiting.pop(0)
    what = f"The value of parameter '{name}' is missing" if name else f"{option} has no parameter"
    hint = f" To pass '{waiting[0]}', write {option} {name or 'NAME'}={waiting[0]}." if is_option else ""
    raise WrongArguments(f"{what}. Write {option} NAME VALUE or {option} NAME=VALUE.{hint}")


class StrictLoader(KVArgParseConfigLoader):
    """Refuses unknown options and traits, which traitlets only warns about."""

    def load_config(self, *arguments: Any, **options: Any) -> Any:
        """Return the configuration of a command line.

        Raises
        ------
        WrongArguments
            With the reason.
        """
        self._check_options()
        try:
            return super().load_config(*arguments, **options)
        except ArgumentError as error:
            own = error.__cause__
            raise WrongArguments(str(own if isinstance(own, WrongArguments) else error)) from error

    def _create_parser(self) -> None:
        super()._create_parser()
        self.parser.error = _refuse  # type: ignore[method-assign]  # argparse's own prints a usage that names all traits, and exits

    def _check_options(self) -> None:
        """Refuse options that are neither an alias nor a flag; argparse would take them for traits."""
        known = {f"--{name}" if len(name) > 1 else f"-{name}" for name in (*self.aliases, *self.flags)}
        own = itertools.takewhile(lambda argument: argument != "--", self.argv)
        for option in (argument.partition("=")[0] for argument in own if _OPTION.match(argument)):
            if "." not in option and option not in known:
                raise WrongArguments(f"Unknown option '{option}'. Available: {nearest_names(option, known)}.")

    def _exec_config_str(self, name: str, value: Any, trait: Any = None) -> None:
        section, _, key = name.partition(".")
        traits = [trait for trait in self.argparse_traits if trait.startswith(f"{section}.")]
        known = [name.partition(".")[2] for name in traits]
        if known and key not in known:
            raise WrongArguments(f"{section} has no trait '{key}'. Available: {nearest_names(key, known)}.")
        super()._exec_config_str(name, value, trait)


def _refuse(message: str) -> NoReturn:
    raise WrongArguments(f"{message[:1].upper()}{message[1:]}.")
