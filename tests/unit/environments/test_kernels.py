"""Which kernel of an environment executes a notebook."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentUnusable
from argo_jupyter_scheduler.environments.kernels import choose
from tests.support.environments import kernel_spec


@pytest.mark.parametrize(
    ("kernelspec", "language", "chosen"),
    [
        ({"name": "pysparkkernel", "language": ""}, "pyspark", ("pysparkkernel", "pyspark")),
        ({"name": "pysparkkernel", "language": "python"}, "", ("pysparkkernel", "python")),
        ({"name": "PySparkKernel"}, "", ("pysparkkernel", "pysparkkernel")),
        ({"name": "conda-env-x-py", "language": "python"}, "", ("python3", "python")),
        ({"name": "python"}, "", ("python3", "python")),
        ({"name": "ir"}, "", None),
        ({"name": "ir", "language": "R"}, "", None),
        ({}, "", ("python3", "python")),
    ],
)
def test_the_kernel_of_a_notebook(
    tmp_path: Path, kernelspec: dict[str, str], language: str, chosen: tuple[str, str] | None
) -> None:
    for name, runs in (("pysparkkernel", ""), ("bash", "bash"), ("python3", "python")):
        kernel_spec(tmp_path, name, runs, [sys.executable])
    metadata = {"kernelspec": kernelspec, "language_info": {"name": language}}
    environment = Environment("spark", str(tmp_path))
    if chosen:
        kernel = choose(environment, metadata)
        assert (kernel.name, kernel.language) == chosen
    else:
        with pytest.raises(EnvironmentUnusable, match=r"bash \(bash\), pysparkkernel, python3 \(python\)"):
            choose(environment, metadata)


def test_a_picked_kernel_without_a_language_fits_any_notebook() -> None:
    spec = {"name": "sparkkernel", "argv": ["spark"], "language": "", "resource_dir": ""}
    metadata = {"kernelspec": {"name": "x", "language": "scala"}}
    assert choose(Environment("sparkkernel", kernel=spec), metadata).language == "scala"


def test_a_picked_kernel_of_another_language_is_refused() -> None:
    spec = {"name": "ir", "argv": ["R"], "language": "R", "resource_dir": ""}
    with pytest.raises(EnvironmentUnusable, match="written in python, but kernel 'ir' runs R"):
        choose(Environment("ir", kernel=spec), {"kernelspec": {"name": "x", "language": "python"}})
    spec["argv"] = ["/nowhere/R"]
    with pytest.raises(EnvironmentUnusable, match="cannot start: /nowhere/R does not exist"):
        choose(Environment("ir", kernel=spec), {"kernelspec": {"name": "x", "language": "r"}})
