"""Executes the cells of a notebook in a kernel, as JupyterLab does it, and says how that ended.

papermill and nbclient do the work. This module adds what a run without a reader needs: an end when the kernel never replies, the
reason from the kernel's own reply, ``exit()``, output that is not valid, and files that are written by the clock.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, DeadKernelError
from nbclient.util import ensure_async
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from argo_jupyter_scheduler.steps.context import log
from argo_jupyter_scheduler.steps.kernel.manager import RunKernelManager
from argo_jupyter_scheduler.steps.notebook.cells import Cell, CellFailure, CellObserver, tags_of
from argo_jupyter_scheduler.steps.notebook.repair import repair_message, repair_output
from argo_jupyter_scheduler.storage.atomic import write_whole

STARTUP_SECONDS = 60
"""How long a kernel may take to answer for the first time."""

REPLY_AFTER_IDLE_SECONDS = 10.0
"""How long a kernel may take to reply after it said that it is idle. Usually the reply comes first."""

OUTPUT_AFTER_REPLY_SECONDS = 600
"""How long the rest of a cell's output may take after the kernel's reply: a hundred megabytes take a minute."""

WRITE_ALLOWANCE_SECONDS = 1.0
"""How long the first writes of the executed notebook may take together: each cell's outputs are written before the next."""

WRITE_SHARE = 0.1
"""How much of a run's time its further writes may take: thousands of short cells would write thousands of times."""

EXIT_PAYLOAD = "ask_exit"
"""The payload that a kernel adds to its reply when a cell called ``exit()`` or ``quit()``."""

PAGE_PAYLOAD = "page"
"""The payload that a kernel adds to its reply when a cell asked for help, such as ``print?``. JupyterLab shows it last."""


class KernelSilent(Exception):
    """The kernel is idle and does not reply."""


class WholeFileManager(NotebookExecutionManager):
    """papermill's record of the execution, whose file appears whole and is written by the clock.

    Parameters
    ----------
    notebook
        The notebook that is executed.
    output_path
        Where it is written.
    """

    def __init__(self, notebook: nbformat.NotebookNode, output_path: Path) -> None:
        super().__init__(notebook, output_path=str(output_path), progress_bar=False, autosave_cell_every=0)
        self._path = output_path
        self._begun = time.monotonic()
        self._spent = 0.0
        self._is_dirty = True

    def save(self, **kwargs: Any) -> None:
        """Note that the notebook differs from the file; papermill calls this several times a cell."""
        self._is_dirty = True

    def cell_start(self, cell: Cell, cell_index: int | None = None, **kwargs: Any) -> None:
        """Write what the cells before have shown: this one may kill the run."""
        super().cell_start(cell, cell_index, **kwargs)
        self.write_if_due()

    def mark_changed(self) -> None:
        """Note that the notebook differs from the file."""
        self._is_dirty = True

    def write_if_due(self) -> None:
        """Write what has changed, unless writing has taken too much of the run's time."""
        allowed = WRITE_ALLOWANCE_SECONDS + WRITE_SHARE * (time.monotonic() - self._begun)
        if self._is_dirty and self._spent < allowed:
            self.write()

    def write(self) -> None:
        """Write the notebook now."""
        begun = time.monotonic()
        write_whole(self._path, nbformat.writes(self.nb))
        self._spent += time.monotonic() - begun
        self._is_dirty = False


class RunClient(PapermillNotebookClient):
    """Executes a notebook.

    Parameters
    ----------
    manager
        Keeps and writes the notebook.
    observer
        Follows the execution.
    kernel
        A kernel that was started, and is shut down at the end.

    Attributes
    ----------
    failure
        Why a cell ended the run; None if none did.
    """

    def __init__(self, manager: WholeFileManager, observer: CellObserver, kernel: RunKernelManager) -> None:
        super().__init__(
            manager,
            km=kernel,
            log=log.getChild("kernel"),
            startup_timeout=STARTUP_SECONDS,
            iopub_timeout=OUTPUT_AFTER_REPLY_SECONDS,
        )
        self._observer = observer
        self.failure: CellFailure | None = None
        self._has_exited = False
        self._executed: dict[str, tuple[Cell, int]] = {}
        self._to_be_cleared: set[int] = set()

    def papermill_execute_cells(self) -> None:
        """Execute the cells in order, until one fails or ends the run."""
        for index, cell in enumerate(self.nb.cells):
            self._observer.begin_cell(cell, index)
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            except (DeadKernelError, KernelSilent) as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                raise
            finally:
                self.nb_man.cell_complete(cell, cell_index=index)
                self._observer.end_cell(cell, index, self.failure)
            if self.failure or self._has_exited:
                break

    def execute(self) -> nbformat.NotebookNode:
        """Execute the notebook, and shut the kernel down."""
        self.reset_execution_trackers()
        with self.setup_kernel(cleanup_kc=True):
            if info := self.wait_for_reply(self.kc.kernel_info()):
                self.nb.metadata["language_info"] = info["content"].get("language_info", {})
            self.papermill_execute_cells()
            self.set_widgets_metadata()
        return self.nb

    async def _async_poll_for_reply(
        self,
        msg_id: str,
        cell: Cell,
        timeout: int | None,
        task_poll_output_msg: asyncio.Future[Any],
        task_poll_kernel_alive: asyncio.Future[Any],
    ) -> dict[str, Any]:
        """Wait for a reply, but not forever once the kernel has said that it is idle."""
        reply = asyncio.ensure_future(
            super()._async_poll_for_reply(msg_id, cell, timeout, task_poll_output_msg, task_poll_kernel_alive)
        )
        try:
            await asyncio.wait({reply, task_poll_output_msg}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await asyncio.wait({reply}, timeout=REPLY_AFTER_IDLE_SECONDS)
            if not done:
                task_poll_kernel_alive.cancel()
                raise KernelSilent
            answer: dict[str, Any] = await reply
            return answer
        finally:
            reply.cancel()

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Cell, cell_index: int) -> None:
        """Take what the kernel shows until the cell is complete; a task of an earlier cell may show something meanwhile."""
        self._executed[parent_msg_id] = cell, cell_index
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            parent = message["parent_header"].get("msg_id")
            if parent not in self._executed:
                continue
            try:
                self.process_message(message, *self._executed[parent])
            except CellExecutionComplete:
                if parent == parent_msg_id:
                    return

    async def _async_poll_kernel_alive(self) -> None:
        """End the wait for a reply when the kernel is dead, and do what is due by the clock."""
        while True:
            await asyncio.sleep(1)
            self.nb_man.write_if_due()
            self._observer.tick()
            if not await ensure_async(self.kc.is_alive()):
                if self.task_poll_for_reply is not None:
                    self.task_poll_for_reply.cancel()
                return

    async def _async_check_alive(self) -> None:
        """Raise when the kernel is dead, without a line in the log: the caller says why it died."""
        if not await ensure_async(self.kc.is_alive()):
            raise DeadKernelError("Kernel died")

    async def _check_raise_for_error(
        self, cell: Cell, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Find out from the reply whether the cell failed, or ended the run."""
        content = exec_reply["content"] if exec_reply else {}
        payloads = [payload for payload in content.get("payload") or [] if isinstance(payload, dict)]
        if page := next((payload for payload in payloads if payload.get("source") == PAGE_PAYLOAD), None):
            output = nbformat.v4.new_output("display_data", data=page.get("data") or {})
            cell.outputs.append(output)
            self._take_output(output, [])
        for payload in payloads:
            if payload.get("source") == EXIT_PAYLOAD:
                self._exit(cell, cell_index, payload.get("keepkernel"))
        if content.get("status") == "error" and "raises-exception" not in tags_of(cell):
            self.failure = CellFailure(
                cell_index,
                str(content.get("ename") or ""),
                str(content.get("evalue") or ""),
                "\n".join(map(str, content.get("traceback") or [])),
            )
            raise CellExecutionError.from_cell_and_msg(
                cell, {"ename": "", "evalue": "", "traceback": [], **content}
            )

    def _exit(self, cell: Cell, index: int, code: object) -> None:
        """End the run after ``exit(code)``; IPython takes the code for whether to keep the kernel alive."""
        self._has_exited = True
        if code and not isinstance(code, bool):
            self.failure = CellFailure(index, "SystemExit", str(code))
            raise CellExecutionError.from_cell_and_msg(
                cell, {"ename": "SystemExit", "evalue": str(code), "traceback": []}
            )

    def process_message(self, msg: dict[str, Any], cell: Cell, cell_index: int) -> Cell | None:
        """Take one message of the kernel into the notebook, whatever it contains."""
        repairs = repair_message(str(msg["msg_type"]), msg["content"])
        self.clear_before_next_output = cell_index in self._to_be_cleared  # nbclient has one for all cells
        try:
            output = super(PapermillNotebookClient, self).process_message(msg, cell, cell_index)
        finally:
            self._to_be_cleared.discard(cell_index)
            if self.clear_before_next_output:
                self._to_be_cleared.add(cell_index)
        if output is not None:
            self._take_output(output, repairs)
        self.nb_man.mark_changed()
        return output

    def _take_output(self, output: Cell, repairs: list[str]) -> None:
        """Repair a new output of a cell, and report it."""
        for repair in [*repairs, *repair_output(output)]:
            log.warning("%s", repair)
        self._observer.read_output(output)
