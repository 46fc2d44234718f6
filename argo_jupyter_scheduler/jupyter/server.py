"""Facts about the Jupyter server in this process, if there is a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_server.serverapp import ServerApp

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpecManager


def find_working_dir() -> str:
    """Return the server's working folder; of another process the home folder, since a command may be called in any."""
    return os.getcwd() if ServerApp.initialized() else os.path.expanduser("~")


def find_kernel_spec_manager() -> KernelSpecManager | None:
    """Return the server's kernel spec manager; None where this process is not a server."""
    return ServerApp.instance().kernel_spec_manager if ServerApp.initialized() else None
