"""Counts what all faults lose, double, misreport or leave stuck: repeats ``tests/faults`` and keeps the table.

``python benchmarks/faults.py [--rounds N] [--seed TEXT] [--json FILE]``

Writes ``benchmarks/faults.json`` and the table in ``docs/reliability.md``. It fails where anything went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->\n"

Row = dict[str, str | int]


def main() -> int:
    """Run the trials; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", default="1", help="how often each trial is repeated")
    parser.add_argument("--seed", default="1", help="chooses the moments")
    parser.add_argument("--json", default=str(ROOT / "benchmarks" / "faults.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "faults.json"
        environment = {
            "FAULT_ROUNDS": options.rounds,
            "FAULT_SEED": options.seed,
            "FAULT_RESULTS": str(found),
        }
        command = [sys.executable, "-m", "pytest", "-q", "--dist", "load", "tests/faults"]
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
        rows: list[Row] = json.loads(found.read_text())
    Path(options.json).write_text(json.dumps({"seed": options.seed, "faults": rows}, indent=1) + "\n")
    write_page(rows)
    return code


def write_page(rows: list[Row]) -> None:
    """Write the table into the page, in place of the one that is there."""
    titles = list(rows[0])
    lines = [titles, ["---"] * len(titles), *([str(value) for value in row.values()] for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
