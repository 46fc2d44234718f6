"""Which kernel of an environment executes a notebook.

Server and steps both use this: the server refuses what it can see to be impossible, and a step reports the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets import TraitError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentUnusable
from argo_jupyter_scheduler.environments.locations import is_conda, is_same_folder

PYTHON_SECONDS = 20
"""How long an environment's Python may take to say whether it has a package: milliseconds, unless the disk is cold."""


@dataclass(frozen=True)
class Kernel:
    """A kernel to start.

    Attributes
    ----------
    name, language
        The kernel's name and language, which papermill needs to inject parameters.
    spec
        The kernel spec's fields, see ``jupyter_client.kernelspec.KernelSpec``.
    prefix
        The environment to activate first; empty for none.
    """

    name: str
    language: str
    spec: dict[str, Any]
    prefix: str = ""


def notebook_kernel(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the language of a notebook's own kernel. Either is empty where its metadata lacks it."""
    spec = metadata.get("kernelspec") or {}
    name = str(spec.get("name") or "")
    language = spec.get("language") or (metadata.get("language_info") or {}).get("name")
    return name, str(language or ("python" if name.startswith("python") else ""))


def choose(environment: Environment, metadata: Mapping[str, Any]) -> Kernel:
    """Return the kernel of an environment that executes a notebook: of its own language, and by its own name if there is one.

    Parameters
    ----------
    environment
        Any but this package's own, see `choose_own`.
    metadata
        The notebook's.

    Raises
    ------
    EnvironmentUnusable
        No kernel fits. The message has those that there are, and what is missing.
    """
    name, language = notebook_kernel(metadata)
    if environment.kernel:
        return _of_kernel_spec(environment, language)
    specs, broken = read_kernel_specs(environment.prefix)
    if chosen := _fitting(specs, name, language):
        return _kernel(chosen, specs[chosen], language, environment.prefix)
    if (language or name) in ("", "python") and has_package(environment.prefix, "ipykernel"):
        # A virtual environment that shares the packages of another has no kernel spec of its own.
        return Kernel("python3", "python", _ipykernel(environment.prefix), environment.prefix)
    raise EnvironmentUnusable(_explain_missing(environment, language or name, specs, broken))


def find_replaced(kernel: Kernel, metadata: Mapping[str, Any]) -> str:
    """Return the name of the kernel that a notebook names and that another one replaces; empty for none."""
    named, _ = notebook_kernel(metadata)
    return named if named.lower() != kernel.name.lower() else ""


def choose_own(
    environment: Environment, metadata: Mapping[str, Any], known: Mapping[str, Any] | None = None
) -> Kernel:
    """Return the kernel that executes a notebook in this package's own environment: by name as in JupyterLab, else by language.

    Parameters
    ----------
    environment
        This package's own.
    metadata
        The notebook's.
    known
        The kernel that the notebook names, if the server's kernel spec manager knows it. That may know more than Jupyter's own.

    Raises
    ------
    EnvironmentUnusable
        No kernel fits. The message has those that there are.
    """
    name, language = notebook_kernel(metadata)
    specs = find_jupyter_specs()
    if name.lower() in specs:
        chosen: str | None = name.lower()
    elif known and known["name"] == name:
        return _of_kernel_spec(Environment(name, kernel=dict(known)), language)
    else:
        chosen = _fitting(specs, name, language)
    if chosen:
        return _kernel(chosen, specs[chosen], language)
    raise EnvironmentUnusable(_explain_missing(environment, language or name, specs, []))


def find_jupyter_specs() -> dict[str, dict[str, Any]]:
    """Return the kernel specs that Jupyter itself finds in this environment, by name."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_path

    # The folders are Jupyter's own, but it imports all of IPython to find the last one.
    ipython = os.environ.get("IPYTHONDIR") or os.path.join("~", ".ipython")
    folders = [*jupyter_path("kernels"), os.path.join(os.path.expanduser(ipython), "kernels")]
    found = KernelSpecManager(kernel_dirs=folders).get_all_specs()
    return {name: {**entry["spec"], "resource_dir": entry["resource_dir"]} for name, entry in found.items()}


def _fitting(specs: Mapping[str, Mapping[str, Any]], name: str, language: str) -> str | None:
    """Return the name of a notebook's kernel: the kernel that it names, if that runs its language, else another that does."""
    name = name.lower()

    def fits(key: str) -> bool:
        runs = specs[key]["language"]
        if name and not (language and runs):  # only the kernel that it names is certain to be right
            return key == name
        return not language or _is_same_language(runs, language)

    fitting = sorted(filter(fits, specs))
    return next((key for key in (name, "python3") if key in fitting), next(iter(fitting), None))


def _kernel(name: str, spec: dict[str, Any], language: str, prefix: str = "") -> Kernel:
    """Return a kernel. Where its spec lacks a language (sparkmagic's do), it gets the notebook's, since papermill needs one."""
    return Kernel(name, spec["language"] or language or name, spec, prefix)


def read_kernel_specs(prefix: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return an environment's kernel specs by name, and what is wrong with those that are broken."""
    specs: dict[str, dict[str, Any]] = {}
    broken = []
    for file in sorted(Path(prefix, "share", "jupyter", "kernels").glob("*/kernel.json")):
        try:
            specs[file.parent.name.lower()] = _read_kernel_spec(file, prefix)
        except (OSError, ValueError) as error:
            broken.append(f"{file} is broken ({error})")
    return specs, broken


def _read_kernel_spec(file: Path, prefix: str) -> dict[str, Any]:
    """Return the content of a kernel spec's file.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or Jupyter could not start a kernel from it.
    """
    spec = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(spec, dict):
        raise ValueError("it is not an object")
    argv = spec.get("argv")
    if not argv or not isinstance(argv, list) or not all(isinstance(word, str) for word in argv):
        raise ValueError("it has no argv")
    program = _find_program(argv[0], prefix)
    if not program:
        raise ValueError(f"its program '{argv[0]}' does not exist")
    arguments = [word.replace("{prefix}", prefix) for word in argv[1:]]  # Jupyter would insert its own prefix
    language = str(spec.get("language") or "")
    spec = {**spec, "argv": [program, *arguments], "language": language, "resource_dir": str(file.parent)}
    _check_kernel_spec(spec)
    return spec


def _check_kernel_spec(spec: Mapping[str, Any]) -> None:
    from jupyter_client.kernelspec import KernelSpec

    try:
        made = KernelSpec(
            **{key: value for key, value in spec.items() if key in KernelSpec.class_trait_names()}
        )
    except TraitError as error:
        raise ValueError(str(error)) from error
    if wrong := [name for name, value in made.env.items() if not isinstance(value, str)]:
        raise ValueError(f"its environment variable '{wrong[0]}' is not a text")


def _find_program(name: str, prefix: str) -> str | None:
    """Return the path of a kernel's program. A bare name is looked up in the environment first, Python nowhere else."""
    inside = shutil.which(name, path=os.path.join(prefix, "bin"))
    return inside or (None if name.startswith("python") else shutil.which(name))


def _of_kernel_spec(environment: Environment, language: str) -> Kernel:
    kernel = dict(environment.kernel or {})
    name = kernel.pop("name")
    file = Path(kernel["resource_dir"], "kernel.json")
    # A kernel spec that its manager makes up on request (nb_conda_kernels) may have no file.
    with contextlib.suppress(OSError, ValueError):
        kernel["env"] = json.loads(file.read_text(encoding="utf-8")).get("env") or {}
    runs = kernel["language"]
    if language and runs and not _is_same_language(runs, language):
        raise EnvironmentUnusable(
            messages.environments.kernel_of_other_language(language, environment.name, runs)
        )
    if is_program_gone(program := kernel["argv"][0]):
        raise EnvironmentUnusable(messages.environments.kernel_program_gone(environment.name, program))
    return _kernel(name, kernel, language)


def is_program_gone(program: str) -> bool:
    """Return whether a kernel's program was removed; a bare name is looked up when the kernel starts."""
    return os.path.isabs(program) and not os.path.exists(program)


def _is_same_language(language: str, other: str) -> bool:
    return language.casefold() == other.casefold()


def python_of(prefix: str) -> str:
    """Return the path of an environment's Python, if it has one."""
    return os.path.join(prefix, "bin", "python")


def has_package(prefix: str, name: str) -> bool:
    """Return whether an environment's Python finds a package."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    command = [python_of(prefix), "-c", code]
    try:
        answer = subprocess.run(command, cwd=prefix, capture_output=True, timeout=PYTHON_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0


def has_own_papermill(kernel: Kernel) -> bool:
    """Return whether a kernel's environment is another one than this process's, with a papermill of its own."""
    is_other = bool(kernel.prefix) and not is_same_folder(kernel.prefix, sys.prefix)
    return is_other and has_package(kernel.prefix, "papermill")


def _ipykernel(prefix: str) -> dict[str, Any]:
    """Return the kernel spec that ``ipython kernel install`` would write."""
    argv = [python_of(prefix), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return {"argv": argv, "display_name": "Python 3", "language": "python"}


def _explain_missing(
    environment: Environment, wanted: str, specs: Mapping[str, Mapping[str, Any]], broken: list[str]
) -> str:
    """Return the message for an environment without a fitting kernel.

    Parameters
    ----------
    wanted
        The notebook's language, else its kernel's name, else empty.
    specs
        The kernel specs that there are.
    broken
        The problems of the kernel specs that cannot be used.
    """
    prefix = environment.prefix or sys.prefix
    kernels = [
        f"{name} ({spec['language']})" if spec["language"] else name for name, spec in sorted(specs.items())
    ]
    advice = ""
    if wanted in ("", "python"):
        if is_conda(prefix):
            advice = messages.environments.add_ipykernel(f"conda install --prefix {prefix}")
        elif os.path.exists(python_of(prefix)):
            advice = messages.environments.add_ipykernel(f"{python_of(prefix)} -m pip install")
        else:
            advice = messages.environments.python_gone(python_of(prefix))
    message = messages.environments.environment_without_kernel(
        environment.name, prefix, wanted, kernels, advice
    )
    return message + "".join(f" {remark}." for remark in broken)
