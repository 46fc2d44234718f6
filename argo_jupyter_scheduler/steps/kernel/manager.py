"""Starts a run's kernel and communicates with it.

Jupyter lets the system choose a kernel's ports, and releases them until the kernel has started. Another run that starts on this
machine at the same moment may get them. Then the kernels are confused, and a message waits forever. So runs of this machine choose
ports that follow from their process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from traitlets import Type

from argo_jupyter_scheduler.environments.kernels import Kernel
from argo_jupyter_scheduler.steps.kernel import activation
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, limit_process

LOWEST_PORT, PORT_BLOCKS = 15_000, 3_500
"""Below the ports that Linux gives to any program that asks (32768 and above)."""

PORT_NAMES = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")

SEND_SECONDS = 60
"""How long a message may wait to be sent to a kernel; it takes no time, unless nobody is there."""


LOOK_MS = 200
"""How often the shell channel is looked at while a reply is awaited."""


def choose_ports(pid: int) -> list[int]:
    """Return five ports that no other run of this machine takes, since they follow from its process; none if all are in use."""
    for attempt in range(100):
        first = LOWEST_PORT + len(PORT_NAMES) * ((pid + 997 * attempt) % PORT_BLOCKS)
        ports = list(range(first, first + len(PORT_NAMES)))
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in ports:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return ports
    return []


class _PatientChannel(AsyncZMQSocketChannel):
    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        # Other tasks have their turn first. Else, while a cell prints without end, nothing would check whether the kernel is alive.
        await asyncio.sleep(0)
        return await super().get_msg(timeout)


class ShellChannel(AsyncZMQSocketChannel):
    """The channel of a kernel's replies, which notices each of them."""

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """Return the next message."""
        # A reply that arrives while a message is sent may wake nobody (docs/upstream.md#unnoticed-reply). So look, too.
        while timeout is None and not await self.socket.poll(LOOK_MS):
            pass
        return await super().get_msg(timeout)


class _Client(AsyncKernelClient):
    shell_channel_class = Type(ShellChannel)
    iopub_channel_class = Type(_PatientChannel)


class RunKernelManager(AsyncKernelManager):
    """Starts a kernel in its environment and within its limits; see `started_kernel`.

    Parameters
    ----------
    kernel
        The kernel.
    limits
        Its limits.
    shares_machine
        Whether other runs are on this machine. A pod's ports are its own.
    """

    client_factory = Type(_Client)

    def __init__(self, kernel: Kernel, limits: KernelLimits, shares_machine: bool) -> None:
        super().__init__(kernel_name=kernel.name)
        fields = {key: value for key, value in kernel.spec.items() if key in KernelSpec.class_trait_names()}
        if kernel.prefix:
            fields["argv"] = activation.command(kernel.prefix, fields["argv"])
        self._spec = KernelSpec(**fields)
        self._prefix = kernel.prefix
        self._limits = limits
        self._shares_machine = shares_machine
        self._process: subprocess.Popen[bytes] | None = None

    def _context_default(self) -> zmq.asyncio.Context:
        context: zmq.asyncio.Context = super()._context_default()
        context.setsockopt(zmq.SNDTIMEO, SEND_SECONDS * 1000)
        return context

    @property
    def kernel_spec(self) -> KernelSpec:
        """The spec of the chosen kernel, whatever Jupyter would find by its name."""
        return self._spec

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # declared in the blocking base class
        """Start the kernel."""
        if self._shares_machine:
            ports = choose_ports(os.getpid())
            self.cache_ports = not ports
            for name, port in zip(PORT_NAMES, ports, strict=False):
                setattr(self, name, port)
        if self._prefix:
            options["env"] = activation.variables(self._prefix, os.environ)
        await super().start_kernel(**options)
        process = getattr(self.provisioner, "process", None)  # only a provisioner of this machine has one
        if process is not None:
            self._process = process
            limit_process(process.pid, self._limits)

    def exit_code(self) -> int | None:
        """Return how the kernel ended; negative for a signal, None while it runs or where that is unknown."""
        return self._process.poll() if self._process is not None else None


@contextlib.contextmanager
def started_kernel(
    kernel: Kernel, limits: KernelLimits, folder: str, shares_machine: bool
) -> Iterator[RunKernelManager]:
    """Start a kernel, and see to it that it ends. It takes half a second to answer: there is time to import what talks to it.

    Parameters
    ----------
    folder
        Its working folder.
    shares_machine
        Whether other runs are on this machine.
    """
    manager = RunKernelManager(kernel, limits, shares_machine)
    # No history: it would be the user's own, in a file that an interactive session holds.
    arguments = ["--HistoryManager.hist_file=:memory:"] if manager.ipykernel else []
    run_sync(manager.start_kernel)(extra_arguments=arguments, cwd=folder)
    try:
        yield manager
    finally:
        if manager.has_kernel:
            run_sync(manager.shutdown_kernel)(now=True)
