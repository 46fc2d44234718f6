"""Kernel specs: the kernels that JupyterLab's launcher offers, each as an environment of its own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.environments.sources.source import Found

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

_FIELDS = ("argv", "language", "display_name", "interrupt_mode", "metadata")
"""The keys of a kernel spec that a run needs. Its environment variables may be secret: the run reads them from the spec's file."""


def find_kernel_specs(manager: KernelSpecManager | None = None) -> Found:
    """Return the kernels that JupyterLab's launcher offers, except this environment's own Python.

    Parameters
    ----------
    manager
        The server's kernel spec manager, such as one of ``nb_conda_kernels``; None for Jupyter's own.
    """
    if manager is None:
        from jupyter_client.kernelspec import KernelSpecManager

        manager = KernelSpecManager()
    found, broken = [], []
    for name in sorted(manager.find_kernel_specs()):
        try:
            spec = manager.get_kernel_spec(name)
            if not spec.argv:
                raise ValueError("it has no argv")
        except Exception as error:  # whatever a kernel spec manager stumbles over; the others are offered
            broken.append(f"kernel spec '{name}' is broken ({type(error).__name__}: {error})")
            continue
        if is_own_python(spec):
            continue
        values = spec.to_dict()
        kernel = {
            "name": name,
            "resource_dir": spec.resource_dir,
            **{field: values[field] for field in _FIELDS},
        }
        found.append(Environment(name, kernel=kernel, description=f"Kernel: {spec.display_name} ({name})"))
    return Found(found, "; ".join(broken))


def is_own_python(spec: KernelSpec) -> bool:
    """Return whether a kernel spec starts the Python of this environment, with ipykernel and nothing else."""
    program, *words = spec.argv
    # Only the first module: `python -m nb_conda_kernels.runner … -m ipykernel_launcher` is another environment's.
    module = words[words.index("-m") :][1:2] if "-m" in words else []
    if module not in (["ipykernel_launcher"], ["ipykernel"]) or spec.env:
        return False
    # Jupyter takes a bare one of these for its own interpreter, see KernelManager.format_kernel_cmd.
    bare = ("python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return program in bare or os.path.dirname(program) == os.path.dirname(sys.executable)
