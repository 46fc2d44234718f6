"""The seam to Jupyter-Scheduler's downloads: copies a run's files from the staging area to the user's folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

from jupyter_scheduler.job_files_manager import Downloader, JobFilesManager
from jupyter_scheduler.models import DescribeJob

from argo_jupyter_scheduler.storage.folders import RunFolder


@contextlib.contextmanager
def offered_files(job: DescribeJob) -> Iterator[None]:
    """Let Jupyter-Scheduler offer the files that a notebook made: it does so only for jobs with an input folder."""
    before = job.package_input_folder
    job.package_input_folder = bool(job.packaged_files)
    try:
        yield
    finally:
        job.package_input_folder = before


class ArgoJobFilesManager(JobFilesManager):
    """Downloads into JupyterLab's root folder, and answers when the files are there.

    Jupyter-Scheduler's own manager copies to a path relative to the server's working folder, which is not the root folder where
    `root_dir` is set. It also answers before it copies, so a reloaded panel shows no links.
    """

    async def copy_from_staging(self, job_id: str, redownload: bool | None = False) -> None:
        """Copy all files of a job to its folder under ``output_directory``."""
        scheduler = self.scheduler
        job = scheduler.get_job(job_id, False)
        # Looked at again: a process that the notebook left behind may have put a link there meanwhile.
        folder = RunFolder(scheduler.staging_path, job_id)
        job.packaged_files = [path for path in job.packaged_files or [] if folder.holds(path)]
        with offered_files(job):
            downloader = Downloader(
                output_formats=job.output_formats or [],
                output_filenames=scheduler.get_job_filenames(job),
                staging_paths=scheduler.get_staging_paths(job),
                output_dir=scheduler.get_local_output_path(model=job),
                redownload=bool(redownload),
                include_staging_files=job.package_input_folder,
            )
        for path in job.packaged_files:
            os.makedirs(os.path.dirname(os.path.join(downloader.output_dir, path)), exist_ok=True)
        await asyncio.to_thread(downloader.download)
