"""The model of a runtime environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Environment:
    """A runtime environment.

    Attributes
    ----------
    name
        The name that the dialog offers and a job's row contains.
    prefix
        Its folder, such as ``/opt/conda/envs/analytics``. Empty: this package's own, or a kernel spec.
    kernel
        For a kernel spec: ``name``, ``argv``, ``language``, ``resource_dir`` and so on, without its environment variables.
    description
        The text beside the name in the dialog.
    """

    name: str
    prefix: str = ""
    kernel: Mapping[str, Any] | None = None
    description: str = ""

    @property
    def kernel_name(self) -> str:
        """Jupyter's name of its kernel, for a kernel spec; else empty."""
        return str(self.kernel["name"]) if self.kernel else ""

    @property
    def is_own(self) -> bool:
        """Whether it is the one that this package itself is installed in, wherever that is in a pod."""
        return not self.kernel and (
            not self.prefix or os.path.realpath(self.prefix) == os.path.realpath(sys.prefix)
        )
