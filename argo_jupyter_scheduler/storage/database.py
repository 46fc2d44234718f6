"""Queries of Jupyter-Scheduler's database, and every change of a job's status.

Each status change is one guarded statement, ``UPDATE … WHERE job_id = ? AND status IN (…)``: steps, exit handler, task
runner and a user's *Stop* may all write, in any order, twice, and an end status is never overwritten.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Executable,
    Select,
    and_,
    create_engine,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, Connection, Engine, RowMapping, make_url
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import DuplicateJob
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.retention import StoredJob
from argo_jupyter_scheduler.domain.status import (
    COMPLETED,
    CREATED,
    FAILED,
    IN_PROGRESS,
    LIVE,
    QUEUED,
    STOPPED,
    WAITING,
)
from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, one_line, shorten
from argo_jupyter_scheduler.storage.database_id import find_database_id, make_database_id
from argo_jupyter_scheduler.storage.private import make_private
from argo_jupyter_scheduler.storage.schema import (
    INDICES,
    INHERITED_COLUMNS,
    LOCAL_WAITING,
    DefinitionRow,
    JobRow,
    OptionsRow,
    Row,
    ScheduleRow,
    decode,
    definitions,
    encode,
    jobs,
)

PASSWORD_VARIABLE = "ARGO_JUPYTER_SCHEDULER_DB_PASSWORD"  # noqa: S105 (a variable's name)
"""Where a step finds the database's password: an address on a command line is seen by everybody."""

RETRY_SECONDS = 1.0
"""Time between two tries to reach a database that is away."""

_PASSING_ERRORS = (OperationalError, InterfaceError, DatabaseError)
"""The errors of a database that is locked, away or damaged. Other subclasses of `DatabaseError` are somebody's mistake."""

T = TypeVar("T")

log = logging.getLogger("argo_jupyter_scheduler")


class Database:
    """Jupyter-Scheduler's database.

    Parameters
    ----------
    url
        SQLAlchemy's address of it. A relative SQLite path is made absolute, since steps run elsewhere.
        A missing password of a database server is read from the environment variable ``ARGO_JUPYTER_SCHEDULER_DB_PASSWORD``.
    keep_connections
        Whether connections stay open for the next statement. A run says little in many hours, and a database server has room
        for so many connections only.
    patience_seconds
        How long a database that is away, locked or damaged is waited for. Nobody would write what a run has to say after it.
    """

    def __init__(self, url: str, keep_connections: bool = True, patience_seconds: float = 0) -> None:
        self._url = _absolute(make_url(url))
        is_file = self._url.get_backend_name() == "sqlite"
        self._file = Path(self._url.database) if is_file and self._url.database else None
        if not is_file and self._url.password is None:
            [*_, password] = self._url.normalized_query.get("password", (os.environ.get(PASSWORD_VARIABLE),))
            self._url = self._url.set(password=password).difference_update_query(["password"])
        self._engine: Engine = create_engine(
            self._url,
            # A busy SQLite (another pod writes) is waited for rather than reported. No signal is handled meanwhile.
            connect_args={"timeout": 5 if patience_seconds else 30} if is_file else {},
            poolclass=None if keep_connections else NullPool,
            pool_pre_ping=not is_file,
            hide_parameters=True,  # an error's text is shown and logged, and a job's parameters may be secrets
        )
        self._patience_seconds = patience_seconds

    @property
    def url(self) -> str:
        """The address without its password: it may be shown, and put on a command line."""
        return self._url._replace(password=None).render_as_string()  # `set` takes None for "as before"

    @property
    def id(self) -> str:
        """The id that tells this database from all others; empty where it has none yet, or cannot have one."""
        return find_database_id(self._url)

    def make_id(self) -> str:
        """Return `id`, and make it where there is none."""
        return make_database_id(self._url)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that a step's process on this machine needs beside `url`."""
        return {PASSWORD_VARIABLE: str(self._url.password)} if self._url.password else {}

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for Jupyter-Scheduler's own code."""
        return self._engine

    def has_tables(self) -> bool:
        """Return whether Jupyter-Scheduler has made its tables. A SQLite file that does not exist is not made."""
        if self._file and not self._file.is_file():
            return False
        return inspect(self._engine).has_table(definitions.name)

    def create_indices(self) -> None:
        """Create the indices that are missing; a database that cannot be changed just now is left as it is, only slower.

        It may be read-only, locked, or owned by another user, and a second server may create the same index.
        """
        try:
            inspector = inspect(self._engine)
            known = {
                index["name"] for table in (jobs, definitions) for index in inspector.get_indexes(table.name)
            }
            for name, columns in INDICES.items():
                if name not in known:  # asked first: it would wait for all writers
                    with self._engine.begin() as connection:
                        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"))
        except SQLAlchemyError as error:
            reason = one_line(str(getattr(error, "orig", error)))
            log.warning("%s", messages.server.indices_not_created(reason))

    def make_private(self) -> None:
        """Take the rights of other users from a SQLite file: parameters of jobs may be secrets."""
        if self._file:
            make_private(self._file)

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def get_job(self, job_id: str) -> JobRow | None:
        """Return a job's row, or None."""
        return next(iter(self._select(jobs.c.job_id == job_id)), None)

    def is_live(self, job_id: str) -> bool:
        """Return whether a job is there and has not ended; asked while a notebook waits, so without patience."""
        query = select(jobs.c.job_id).where(jobs.c.job_id == job_id, jobs.c.status.in_(LIVE))
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def list_live_jobs(self) -> list[JobRow]:
        """Return the rows of all jobs that have not ended, oldest first."""
        return self._select(jobs.c.status.in_(LIVE))

    def list_stored_jobs(self) -> list[StoredJob]:
        """Return of each job what decides how long it is kept."""
        ended = func.coalesce(jobs.c.end_time, jobs.c.update_time).label("end_time")
        columns = [jobs.c[column.name] for column in fields(StoredJob) if column.name != ended.name]
        return [decode(StoredJob, row) for row in self._read(select(*columns, ended))]

    def find_jobs_of_input(self, input_filename: str, limit: int = 50) -> list[str]:
        """Return the ids of the newest jobs of an input, by its name."""
        query = select(jobs.c.job_id).where(jobs.c.input_filename == input_filename)
        rows = self._read(query.order_by(jobs.c.create_time.desc()).limit(limit))
        return [row["job_id"] for row in rows]

    def _select(self, condition: Any) -> list[JobRow]:
        query = select(jobs).where(condition).order_by(jobs.c.create_time, jobs.c.job_id)
        return [decode(JobRow, row) for row in self._read(query)]

    def read(self, query: Select[Any]) -> Sequence[Any]:
        """Return the rows of a query as soon as the database answers, within the patience of this object."""
        return self._try(lambda connection: connection.execute(query).all())

    def _read(self, query: Select[Any]) -> Sequence[RowMapping]:
        return [row._mapping for row in self.read(query)]

    def _write(self, statement: Executable) -> int:
        """Execute a statement; return how many rows it changed."""
        return self._try(lambda connection: connection.execute(statement).rowcount)

    def _try(self, transact: Callable[[Connection], T]) -> T:
        """Do something in one transaction, again and again while the database is away; each may be done twice."""
        end = time.monotonic() + self._patience_seconds
        while True:
            try:
                with self._engine.begin() as connection:
                    return transact(connection)
            except DBAPIError as error:
                if type(error) not in _PASSING_ERRORS or time.monotonic() >= end:
                    raise
                log.warning("%s", messages.server.database_waits(error.orig))
            time.sleep(RETRY_SECONDS)

    def insert_job(self, job: JobRow) -> None:
        """Write the row of a new job.

        Raises
        ------
        DuplicateJob
            There is a job with its ``idempotency_token``.
        """
        values = _given(job)
        statement = insert(jobs).values(**values)
        if job.idempotency_token:
            other = exists().where(jobs.c.idempotency_token == job.idempotency_token)
            new = select(*(literal(value) for value in values.values())).where(~other)
            statement = insert(jobs).from_select(list(values), new)
        if not self._write(statement):
            raise DuplicateJob(str(job.idempotency_token))

    def delete_job(self, job_id: str) -> None:
        """Delete a job's row, if there is one."""
        self._write(delete(jobs).where(jobs.c.job_id == job_id))

    def update_job(self, job_id: str, **values: Any) -> None:
        """Write columns that do not belong to the job's state, such as ``packaged_files``."""
        self._set(jobs, jobs.c.job_id == job_id, values)

    def _set(self, where: Any, condition: Any, values: dict[str, Any]) -> None:
        changes = {"update_time": now_ms(), **encode(values)}
        self._write(update(where).where(condition).values(**changes))

    # Job definitions and their runs

    def get_definition(self, job_definition_id: str) -> DefinitionRow | None:
        """Return a definition's row, or None."""
        query = select(definitions).where(definitions.c.job_definition_id == job_definition_id)
        return next((decode(DefinitionRow, row) for row in self._read(query)), None)

    def list_definitions(self) -> list[DefinitionRow]:
        """Return the rows of all definitions, the newest first."""
        columns = definitions.c
        query = select(definitions).order_by(columns.create_time.desc(), columns.job_definition_id)
        return [decode(DefinitionRow, row) for row in self._read(query)]

    def insert_definition(self, definition: DefinitionRow) -> None:
        """Write the row of a new definition."""
        self._write(insert(definitions).values(**_given(definition)))

    def update_definition(self, job_definition_id: str, **values: Any) -> None:
        """Write columns of a definition."""
        self._set(definitions, definitions.c.job_definition_id == job_definition_id, values)

    def delete_definition(self, job_definition_id: str) -> None:
        """Delete a definition's row, if there is one; the rows of its runs stay."""
        self._write(delete(definitions).where(definitions.c.job_definition_id == job_definition_id))

    def list_schedules(self) -> list[ScheduleRow]:
        """Return of each definition what decides when it runs."""
        query = select(*(definitions.c[column.name] for column in fields(ScheduleRow)))
        rows = self.read(query)
        # Not by `decode`, which would take most of an idle server's time: on this machine, all are read every second.
        return [ScheduleRow(**{**row._mapping, "active": bool(row.active)}) for row in rows]

    def list_options(self) -> list[OptionsRow]:
        """Return of each definition what contains its options."""
        query = select(*(definitions.c[column.name] for column in fields(OptionsRow)))
        return [decode(OptionsRow, row) for row in self._read(query)]

    def list_live_runs(self, job_definition_id: str) -> list[JobRow]:
        """Return the rows of a definition's runs that have not ended, oldest first."""
        return self._select(and_(jobs.c.job_definition_id == job_definition_id, jobs.c.status.in_(LIVE)))

    def list_earlier_runs(self, job_definition_id: str, moment: int) -> list[JobRow]:
        """Return the rows of a definition's scheduled runs that have not ended, of before `moment` (seconds since 1970)."""
        live = self.list_live_runs(job_definition_id)
        return [job for job in live if job.is_scheduled and job.scheduled_moment < moment]

    def find_known_jobs(self, job_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the ids that have a row."""
        query = select(jobs.c.job_id).where(jobs.c.job_id.in_(tuple(job_ids)))
        return frozenset(row["job_id"] for row in self._read(query))

    def find_stopped_before(self, job_ids: Iterable[str], moment: int) -> list[JobRow]:
        """Return the rows of those of the ids that are STOPPED since before `moment` (ms since 1970)."""
        ended = and_(jobs.c.job_id.in_(tuple(job_ids)), jobs.c.status == STOPPED, jobs.c.end_time < moment)
        return self._select(ended)

    def was_stopped_since(self, moment: int) -> bool:
        """Return whether a row of Argo's says STOPPED since `moment` (ms since 1970) or later."""
        lately = exists().where(jobs.c.status == STOPPED, jobs.c.pid.is_(None), jobs.c.end_time >= moment)
        return bool(self._try(lambda connection: connection.execute(select(lately)).scalar()))

    def insert_run(
        self, job_id: str, job_definition_id: str, create_time: int, token: str, pid: int | None = None
    ) -> bool:
        """Write the row of a definition's scheduled run, QUEUED, copied from the definition's row as it is now.

        A row that is there and still waits (the task runner's, for a pod that could not start) is brought up to date.

        Parameters
        ----------
        create_time
            Milliseconds since 1970.
        token
            What names the run in its engine, see `run_token`; becomes ``idempotency_token``.

        Returns
        -------
        bool
            Whether it wrote a row: not, if the definition is gone or the run has begun.
        """
        this = definitions.c.job_definition_id == job_definition_id
        one = {name: select(definitions.c[name]).where(this).scalar_subquery() for name in INHERITED_COLUMNS}
        fresh = update(jobs).where(jobs.c.job_id == job_id, jobs.c.status.in_(WAITING), exists().where(this))
        values = {
            "job_id": job_id,
            "job_definition_id": job_definition_id,
            "create_time": create_time,
            "update_time": now_ms(),
            "status": QUEUED,
            "url": f"/jobs/{job_id}",
            "pid": pid,
            "idempotency_token": token,
        }
        new = insert(jobs).from_select(
            [*INHERITED_COLUMNS, *values],
            select(
                *(definitions.c[name] for name in INHERITED_COLUMNS),
                *(literal(value) for value in values.values()),
            ).where(this, ~exists().where(jobs.c.job_id == job_id)),
        )
        if self._write(fresh.values(**one, update_time=now_ms())):
            return True
        try:
            return bool(self._write(new))
        except IntegrityError:  # somebody else wrote it just now
            return False

    def stop_replaced_runs(self, job_definition_id: str, before: int) -> None:
        """Say STOPPED in the rows of a definition's scheduled runs that are live and older than `before` (ms)."""
        # A live row has a message only while it waits.
        message = func.substr(
            func.coalesce(literal(messages.runs.WAITED) + jobs.c.status_message, messages.runs.REPLACED),
            1,
            MESSAGE_LENGTH,
        )
        statement = (
            update(jobs)
            .where(
                jobs.c.job_definition_id == job_definition_id,
                jobs.c.idempotency_token.startswith(run_token(job_definition_id), autoescape=True),
                jobs.c.create_time < before,
                jobs.c.status.in_(LIVE),
            )
            .values(status=STOPPED, status_message=message, end_time=now_ms(), update_time=now_ms())
        )
        self._write(statement)

    # Transitions. Each returns whether it changed the row.

    def mark_started(self, job_id: str) -> bool:
        """QUEUED (or IN_PROGRESS, for a retried pod) → IN_PROGRESS; the first start's time is kept."""
        return self._transition(
            job_id,
            (CREATED, QUEUED, IN_PROGRESS),
            status=IN_PROGRESS,
            start_time=func.coalesce(jobs.c.start_time, now_ms()),
            status_message=None,
        )

    def mark_completed(self, job_id: str) -> bool:
        """Any live status → COMPLETED."""
        return self._ended(job_id, COMPLETED, None)

    def mark_failed(self, job_id: str, message: str, only_if: Iterable[str] = LIVE) -> bool:
        """Any live status (or those of `only_if`) → FAILED, with the reason for the user."""
        return self._ended(job_id, FAILED, message, only_if)

    def mark_stopped(self, job_id: str, message: str | None = None) -> bool:
        """Any live status → STOPPED."""
        return self._ended(job_id, STOPPED, message)

    def explain_waiting(self, job_id: str, message: str) -> bool:
        """Write why a job still waits; its status stays."""
        return self._transition(job_id, WAITING, status_message=shorten(message))

    def report_failed_attempt(self, job_id: str, message: str) -> bool:
        """Write why an attempt failed while another one follows; the job stays IN_PROGRESS."""
        return self._transition(job_id, (IN_PROGRESS,), status_message=shorten(message))

    def claim_job(self, job_id: str, pid: int, max_concurrent_runs: int) -> bool:
        """Give a job that waits on this machine to process `pid`, if it is its turn.

        Of all jobs here at most `max_concurrent_runs` run at once, the oldest first. Two processes cannot take the same turn:
        SQLite executes one statement after the other, and on a database server each holds the rows that it counts.
        """
        mine = select(jobs.c.create_time).where(jobs.c.job_id == job_id).scalar_subquery()
        other = jobs.alias("other")
        ahead = (
            select(func.count())
            .select_from(other)
            .where(
                other.c.job_id != job_id,
                or_(
                    and_(other.c.status.in_(LIVE), other.c.pid > LOCAL_WAITING),
                    and_(
                        other.c.status.in_(WAITING),
                        other.c.pid == LOCAL_WAITING,
                        or_(
                            other.c.create_time < mine,
                            and_(other.c.create_time == mine, other.c.job_id < job_id),
                        ),
                    ),
                ),
            )
            .scalar_subquery()
        )
        statement = (
            update(jobs)
            .where(
                jobs.c.job_id == job_id,
                jobs.c.status.in_(WAITING),
                jobs.c.pid.in_((LOCAL_WAITING, pid)),  # its own, if the answer to the first try was lost
                ahead < max_concurrent_runs,
            )
            .values(pid=pid, start_time=now_ms(), update_time=now_ms())
        )
        here = select(jobs.c.job_id).where(jobs.c.pid.is_not(None), jobs.c.status.in_(LIVE))

        def claim(connection: Connection) -> bool:
            connection.execute(here.order_by(jobs.c.job_id).with_for_update()).all()
            return bool(connection.execute(statement).rowcount)

        return self._try(claim)

    def _ended(self, job_id: str, status: str, message: str | None, only_if: Iterable[str] = LIVE) -> bool:
        text = None if message is None else shorten(message)
        return self._transition(job_id, only_if, status=status, status_message=text, end_time=now_ms())

    def _transition(self, job_id: str, allowed_from: Iterable[str], **values: Any) -> bool:
        statement = (
            update(jobs)
            .where(jobs.c.job_id == job_id, jobs.c.status.in_(tuple(allowed_from)))
            .values(update_time=now_ms(), **values)
        )
        return bool(self._write(statement))


def _given(row: Row) -> dict[str, object]:
    """Return the columns of a new row that have a value."""
    return {name: value for name, value in encode(asdict(row)).items() if value is not None}


def _absolute(url: URL) -> URL:
    """Make a relative SQLite path absolute."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return url.set(database=os.path.abspath(url.database))
    return url
