"""``export``: writes job definitions as files that ``apply`` reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from traitlets import Bool

from argo_jupyter_scheduler.cli.apply import WithRootDir
from argo_jupyter_scheduler.domain.errors import InvalidJob


class ExportCommand(WithRootDir):
    """Writes job definitions as files."""

    name = "jupyter argo-scheduler export"
    description = """Write job definitions as YAML for apply: one file each in FOLDER, or all to standard output.

    jupyter argo-scheduler export [FOLDER] [options]

    Paths of notebooks are relative to FOLDER, or to the current folder. Secrets are left out.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler export schedules",
            "jupyter argo-scheduler export > definitions.yaml",
        )
    )
    operands = ("[FOLDER]",)

    overwrite = Bool(False, config=True, help="Replace existing files.")

    def execute(self) -> int:
        """Write the definitions; return 0.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            Nothing was written; says why.
        """
        self.load_configuration()
        self.open_database()
        from argo_jupyter_scheduler.jobs.definition_documents import name_files, write_document
        from argo_jupyter_scheduler.storage.atomic import write_whole

        folder = Path(self.extra_args[0]) if self.extra_args else None
        with self.open_scheduler(self.find_root_dir(), create=False) as scheduler:
            exported = list(scheduler.definition_files.export(Path(os.path.realpath(folder or Path.cwd()))))
        texts = [write_document(content) for content, _ in exported]
        if folder is None:
            print("---\n".join(texts), end="")
        else:
            files = [folder / name for name in name_files([content.name for content, _ in exported])]
            existing = [str(file) for file in files if file.exists()]
            if existing and not self.overwrite:
                raise InvalidJob(
                    f"'{existing[0]}' already exists, so nothing was written. Choose another folder, or use --overwrite."
                )
            folder.mkdir(parents=True, exist_ok=True)
            for file, text in zip(files, texts, strict=True):
                write_whole(file, text)
                print(file)
        for content, warnings in exported:
            for warning in warnings:
                print(f"{content.name}: {warning}", file=sys.stderr)
        return 0
