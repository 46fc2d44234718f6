"""Real environments for tests, made without a download."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def virtual_environment(prefix: Path, *packages: str) -> Path:
    """Make a virtual environment that has the packages of this one's, with all that they need, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    [site] = prefix.glob("lib/python*/site-packages")
    for package in packages:
        share(package, site)
    return prefix


def share(package: str, site: Path, seen: set[str] | None = None) -> None:
    """Link a distribution's files, and those that it requires, into another environment's packages."""
    seen = set() if seen is None else seen
    try:
        found = distribution(package)
    except PackageNotFoundError:  # for another platform or Python
        return
    if package in seen:
        return
    seen.add(package)
    for file in found.files or []:
        top = file.parts[0]
        source = Path(str(found.locate_file(top)))
        if top not in ("..", "__pycache__") and source.exists() and not (site / top).is_symlink():
            (site / top).symlink_to(source)
    for requirement in found.requires or []:
        if "extra ==" not in requirement:
            share(re.split(r"[\s;<>=!~\[(]", requirement)[0], site, seen)


def with_ipykernel(prefix: Path, *packages: str) -> Path:
    """Make a virtual environment with ipykernel, installed as pip does it."""
    virtual_environment(prefix, "ipykernel", *packages)
    kernel_spec(
        prefix, "python3", "python", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    )
    return prefix


def kernel_spec(prefix: Path, name: str, language: str, argv: list[str]) -> Path:
    """Write a kernel spec; return its file."""
    file = prefix / "share" / "jupyter" / "kernels" / name / "kernel.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"argv": argv, "display_name": name, "language": language}))
    return file


def as_conda_leaves_it(prefix: Path) -> Path:
    """Make an environment look like conda's: its history, variables of packages and of the user, and activation scripts."""
    for folder in ("conda-meta", "etc/conda/activate.d", "etc/conda/env_vars.d"):
        (prefix / folder).mkdir(parents=True, exist_ok=True)
    (prefix / "conda-meta" / "history").touch()
    (prefix / "conda-meta" / "state").write_text(
        json.dumps({"version": 1, "env_vars": {"FROM_USER": "user", "TAKEN_AWAY": "***unset***"}})
    )
    (prefix / "etc/conda/env_vars.d/package.json").write_text(
        json.dumps({"FROM_PACKAGE": "package", "FROM_USER": "no"})
    )
    scripts = prefix / "etc/conda/activate.d"
    (scripts / "10-gdal.sh").write_text('export GDAL_DATA="$CONDA_PREFIX/share/gdal $#"\n')
    (scripts / "20-more.sh").write_text(
        'test -n "$GDAL_DATA" && export SEEN="it\'s {here} \\"$FROM_PACKAGE\\""\n'
    )
    (scripts / "30-broken.sh").write_text("false\n")
    (scripts / "30-fish.fish").write_text("set -x NOT_FOR_BASH 1\n")
    return prefix


def program(path: Path, text: str) -> Path:
    """Write a shell script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    os.chmod(path, 0o755)
    return path
