"""The base of all sub-commands: arguments, configuration files, and the scheduler that they make."""

from __future__ import annotations

import contextlib
import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.application import JupyterApp
from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, TraitError, TraitType
from traitlets.config.application import Application
from traitlets.config.loader import JSONFileConfigLoader

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.arguments import StrictLoader, WrongArguments
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidConfiguration, JobNotFound

if TYPE_CHECKING:  # importing it takes a second, which --help and a progress bar need not wait for
    from argo_jupyter_scheduler.scheduler import ArgoScheduler
    from argo_jupyter_scheduler.storage.database import Database

CONFIGURATION_FILES = (
    "jupyter_config",
    "jupyter_argo_scheduler_config",
    "jupyter_jupyter_scheduler_config",
    "jupyter_server_config",
)
"""Files that are read, without their suffix: the server's configuration wins over that of its extension Jupyter-Scheduler."""

STAGING_SECTIONS = ("ArgoScheduler", "Scheduler", "BaseScheduler")
"""Sections of the configuration that set the staging area, the most specific first."""

ALIASES = {name: JupyterApp.aliases[name] for name in ("log-level", "config")}
FLAGS = {"debug": JupyterApp.flags["debug"]}

OPTION_NAMES: dict[str, str | tuple[str, ...]] = {
    "as_json": "json",
    "environment": "env",
    "follow": ("f", "follow"),
    "job_name": "name",
    "output_formats": "format",
    "package_input_folder": "input-folder",
    "parameters": ("p", "parameter"),
    "statuses": "status",
    "tags": "tag",
}
"""Options that are not called like the trait that they set."""


class SchedulerCommand(JupyterApp):
    """A sub-command of ``jupyter argo-scheduler``. Each trait that it declares is an option: ``older_than`` is ``--older-than``."""

    version = __version__
    raise_config_file_errors = True
    aliases: dict[Any, Any] = ALIASES
    flags: dict[Any, Any] = FLAGS
    classes: list[Any] = []  # noqa: RUF012
    config_file: str  # a trait of JupyterApp
    operands: tuple[str, ...] = ()
    """Names of the positional arguments: ``NAME`` must be given, ``[NAME]`` may be; the last one is repeated in ``NAME...``."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.aliases, self.flags = dict(self.aliases), dict(self.flags)
        for name, trait in self._find_options().items():
            option = OPTION_NAMES.get(name, name.replace("_", "-"))
            if isinstance(trait, Bool):
                self.flags[option] = ({type(self).__name__: {name: True}}, trait.help)
            else:
                self.aliases[option] = f"{type(self).__name__}.{name}"

    @classmethod
    def _find_options(cls) -> dict[str, TraitType[Any, Any]]:
        """Return the traits that commands declare, in their order; those of Jupyter's own classes are not options."""
        bases = [base for base in reversed(cls.mro()) if issubclass(base, SchedulerCommand)]
        members = [member for base in bases for member in vars(base).items()]
        return {name: value for name, value in members if isinstance(value, TraitType)}

    def execute(self) -> int:
        """Do what the command is for; return the exit code."""
        raise NotImplementedError

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line. Configuration files are read by `load_configuration`.

        Raises
        ------
        WrongArguments
            With the reason.
        """
        self.parse_command_line(argv)
        self.check_operands()

    def check_operands(self) -> None:
        """Refuse too few positional arguments, and too many.

        Raises
        ------
        WrongArguments
            With the name of what is missing, or with the first that is too many.
        """
        given, most = list(self.extra_args), len(self.operands)
        needed = [name for name in self.operands if not name.startswith("[")]
        if len(given) < len(needed):
            missing = needed[len(given)].removesuffix("...").replace("|", " or ")
            raise WrongArguments(f"{missing} is missing. See: {self.name} --help")
        if len(given) > most and not any(name.endswith("...") for name in self.operands):
            raise WrongArguments(f"Unexpected argument '{given[most]}'. See: {self.name} --help")

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read the command line, which may set the scheduler's traits too."""
        if any(re.match(r"--(ArgoScheduler\.|help-all$)", argument) for argument in argv or []):
            from argo_jupyter_scheduler.scheduler import ArgoScheduler

            self.classes = [*self.classes, ArgoScheduler]
        try:
            # Without its decorator, which logs a wrong value and exits.
            inspect.unwrap(JupyterApp.parse_command_line)(self, argv)
        except TraitError as error:
            raise WrongArguments(str(error)) from error

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> StrictLoader:
        return StrictLoader(argv, aliases, flags, classes=classes, log=self.log)

    def load_configuration(self) -> None:
        """Read the configuration files of the server and of its extension Jupyter-Scheduler.

        The file that ``--config`` names wins over them, and the command line over all.

        Raises
        ------
        InvalidConfiguration
            A file cannot be read; names it and the line.
        """
        named = Path(self.config_file) if self.config_file else None
        if named and not named.is_file():
            raise InvalidConfiguration(f"Configuration file '{named}' not found.")
        try:
            # Not JupyterApp's own method, which reads the named file instead of the others.
            for name in CONFIGURATION_FILES:
                Application.load_config_file(self, name, path=self.config_file_paths)
            if named:
                Application.load_config_file(self, named.name, path=str(named.parent))
        except Exception as error:  # a configuration file is a program
            raise InvalidConfiguration(f"{type(error).__name__}: {error} ({_place(error)})") from error

    def make_scheduler(self, root_dir: Path, create: bool = True) -> ArgoScheduler:
        """Return a scheduler as the server would make it, for notebooks under `root_dir`.

        Parameters
        ----------
        create
            Whether to create a database that does not exist.

        Raises
        ------
        InvalidConfiguration
            It cannot be made as it is configured.
        """
        from jupyter_scheduler.extension import SchedulerApp
        from jupyter_scheduler.orm import create_tables

        from argo_jupyter_scheduler.scheduler import ArgoScheduler

        try:
            server = SchedulerApp(config=self.config)
            if create:
                Path(self.data_dir).mkdir(parents=True, exist_ok=True)
                create_tables(server.db_url)
            configured = server.scheduler_class
            return (configured if issubclass(configured, ArgoScheduler) else ArgoScheduler)(
                root_dir=str(root_dir),
                environments_manager=server.environment_manager_class(),
                db_url=server.db_url,
                config=self.config,
            )
        except Exception as error:  # whatever would keep JupyterLab's extension from loading
            why = getattr(error, "orig", None) or error  # SQLAlchemy's own text has several lines
            raise InvalidConfiguration(messages.server.settings_refused(why)) from error

    @contextlib.contextmanager
    def open_scheduler(self, root_dir: Path, create: bool = True) -> Iterator[ArgoScheduler]:
        """Lend the scheduler of `make_scheduler`, which says more; it is closed in the end."""
        scheduler = self.make_scheduler(root_dir, create)
        try:
            yield scheduler
        finally:
            scheduler.close()

    def open_database(self) -> Database:
        """Return the database of jobs, without importing a server.

        Raises
        ------
        JobNotFound
            Nothing has been stored yet.
        InvalidConfiguration
            It cannot be used.
        """
        from argo_jupyter_scheduler.storage.database import Database

        # As `SchedulerApp.db_url`; that class takes seconds to import.
        configured = self.config.SchedulerApp.get("db_url")
        try:
            database = Database(str(configured or f"sqlite:///{jupyter_data_dir()}/scheduler.sqlite"))
            if database.has_tables():
                return database
        except Exception as error:  # a database's driver raises what it likes
            why = getattr(error, "orig", None) or error
            raise InvalidConfiguration(messages.server.database_unusable(why)) from error
        raise JobNotFound("No jobs yet. JupyterLab creates the database when it starts.")

    def find_staging_path(self) -> Path:
        """Return the staging area, without importing a server. Several traits can set it: `ArgoScheduler` inherits them."""
        sections = (self.config[name] for name in STAGING_SECTIONS)
        configured = next(
            (section["staging_path"] for section in sections if "staging_path" in section), None
        )
        return Path(str(configured or Path(jupyter_data_dir(), "scheduler_staging_area")))


def _place(error: Exception) -> str:
    """Return which configuration file cannot be read; of a program, also the line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        reader = frame.f_locals.get("self")
        if isinstance(reader, JSONFileConfigLoader):
            return str(reader.full_filename)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.filename}:{where.lineno}"
