"""How a run's kernel is reached.

Jupyter lets the system choose a kernel's ports, and gives them free again until the kernel has started. Another run that starts on
this machine at the same moment may get them; then its kernel answers, or rather does not, and what is sent waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

LOWEST, BLOCKS = 15_000, 3_500
"""Below the ports that Linux gives to whoever asks for any (32768 and above)."""

NAMES = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")

SEND_SECONDS = 60
"""How long something may wait to be sent to a kernel; it takes no time, unless nobody is there."""


def ports_of(process: int) -> list[int]:
    """Return five ports that no other run of this machine takes, since they follow from its process; none if all are in use."""
    for attempt in range(100):
        first = LOWEST + len(NAMES) * ((process + 997 * attempt) % BLOCKS)
        ports = list(range(first, first + len(NAMES)))
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in ports:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return ports
    return []


class _PatientChannel(AsyncZMQSocketChannel):
    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        # Others have their turn first. Else, while a cell prints without end, nobody would look whether the kernel is alive.
        await asyncio.sleep(0)
        return await super().get_msg(timeout)


class _Client(AsyncKernelClient):
    iopub_channel_class = Type(_PatientChannel)


class RunKernelManager(AsyncKernelManager):
    """Starts a run's kernel and speaks to it, but waits for nobody for ever."""

    client_factory = Type(_Client)

    def _context_default(self) -> zmq.asyncio.Context:
        context = super()._context_default()
        context.setsockopt(zmq.SNDTIMEO, SEND_SECONDS * 1000)
        return context


class LocalKernelManager(RunKernelManager):
    """The same beside other runs of this machine."""

    async def start_kernel(self, **options: object) -> None:
        """Start the kernel on ports of its own."""
        ports = ports_of(os.getpid())
        self.cache_ports = not ports
        for name, port in zip(NAMES, ports, strict=False):
            setattr(self, name, port)
        await super().start_kernel(**options)
