"""Look for known vulnerabilities in the direct dependencies, as they are installed. The last part of ``.ci/run``.

A vulnerability that a newer release mends is a failure; one without such a release is only shown, since nothing can be done
here. Where the service cannot be asked (no network, or an index without it), that is said, and is not a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PACKAGE = "argo-jupyter-scheduler"


def list_dependencies() -> list[str]:
    """Return each direct dependency with its installed version, such as ``urllib3==2.5.0``."""
    needed = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
    names = [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return [f"{name}=={metadata.version(name)}" for name in names]


def ask(program: str, dependencies: list[str], seconds: float) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit reports of each dependency, or why it reports nothing."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(dependencies))
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "-f", "json"]
        try:
            run = subprocess.run(
                [program, "-r", requirements, *options], capture_output=True, text=True, timeout=seconds
            )
            return json.loads(run.stdout)["dependencies"], ""
        except subprocess.TimeoutExpired:
            return [], f"no answer within {seconds:g} s"
        except (OSError, ValueError, LookupError) as error:
            last = run.stderr.strip().splitlines()[-1:] if not isinstance(error, OSError) else []
            return [], next(iter(last), str(error))


def main(program: str, seconds: float = 120) -> int:
    """Print the result; return 1 for a vulnerability that an upgrade would mend, else 0."""
    dependencies = list_dependencies()
    reports, trouble = ask(program, dependencies, seconds)
    skipped = [report["name"] for report in reports if "skip_reason" in report]
    found = [(report, one) for report in reports for one in report.get("vulns", [])]
    for report, vulnerability in found:
        mended = ", ".join(vulnerability["fix_versions"]) or "no release yet"
        print(f"{report['name']} {report['version']}: {vulnerability['id']}, mended in {mended}")
    if trouble:
        print(f"The dependencies were not audited: {trouble}")
    elif skipped:
        print(
            f"The index knows nothing of {len(skipped)} of {len(dependencies)} dependencies: {', '.join(skipped)}"
        )
    else:
        print(f"{len(dependencies)} dependencies were audited; vulnerabilities: {len(found)}")
    return int(any(vulnerability["fix_versions"] for _, vulnerability in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(float, sys.argv[2:])))
