"""A run whose notebook was executed, and whose outputs are to be delivered."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.steps.context import Context, Result
from argo_jupyter_scheduler.storage.database import Database
from tests.support.runs import Run

CREATED = 1_700_000_000_000
MOMENT = f"{datetime.fromtimestamp(CREATED / 1000):%Y-%m-%d-%H-%M-%S}"
DATE, TIME = MOMENT[:10], MOMENT[11:]
NOTEBOOK = '{"cells": [{"cell_type": "code", "source": "region = \'North\'", "metadata": {"tags": ["parameters"]}}], "metadata": {}}'
DEFINITION, OTHER = "d0000000-0000-4000-8000-000000000000", "e0000000-0000-4000-8000-000000000000"


class Ended:
    """A run whose notebook was executed, in a root folder."""

    def __init__(
        self, database: Database, tmp_path: Path, output: str, succeeded: bool = True, **fields: Any
    ) -> None:
        self.root, staging = tmp_path / "root", tmp_path / "staging"
        self.root.mkdir(exist_ok=True)
        self.run = Run(
            database,
            staging,
            NOTEBOOK,
            RunSettings(root_dir=str(self.root), output=output),
            **{"output_formats": ("html",), "name": "Sales / EU", **fields},
        )
        self.context = Context(self.run.id, database, self.run.folder)
        self.context.write_result(Result(succeeded, None if succeeded else "KeyError: 'x'"))
        self.run.folder.output("html").write_text(self.run.id)

    def deliver(self) -> Ended:
        rename_files.run(self.context)
        return self

    @property
    def files(self) -> list[str]:
        return sorted(
            os.path.relpath(os.path.join(base, name), self.root)
            for base, _, names in os.walk(self.root)
            for name in names
            if not name.startswith(".argo-jupyter-scheduler.json")
        )
