from __future__ import annotations

import sys

import pytest
from jupyter_client.kernelspec import KernelSpec

from argo_jupyter_scheduler.environments.sources.kernel_specs import is_own_python

NB_CONDA_KERNELS = ["python", "-m", "nb_conda_kernels.runner", "/opt/conda", "/opt/conda/envs/a", "python"]


@pytest.mark.parametrize(
    ("argv", "env", "own"),
    [
        ([sys.executable, "-m", "ipykernel_launcher"], {}, True),
        (["python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher"], {}, True),
        (["python3", "-m", "ipykernel"], {}, True),
        (["/opt/other/bin/python", "-m", "ipykernel_launcher"], {}, False),
        ([*NB_CONDA_KERNELS, "-m", "ipykernel_launcher"], {}, False),
        (["python", "-m", "ipykernel_launcher"], {"SPARK_HOME": "/opt/spark"}, False),
        (["python", "-m"], {}, False),
        (["python", "ipykernel_launcher"], {}, False),
    ],
)
def test_which_kernel_is_the_servers_own_python(argv: list[str], env: dict[str, str], own: bool) -> None:
    assert is_own_python(KernelSpec(argv=argv, env=env)) == own
