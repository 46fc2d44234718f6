"""The seam to Jupyter-Scheduler's downloads: copies a run's files from the staging area to the user's folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_scheduler.job_files_manager import Downloader, JobFilesManager
from jupyter_scheduler.models import DescribeJob
from jupyter_server.utils import ensure_async

from argo_jupyter_scheduler.storage.atomic import copy_whole
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import find_delivered

LOOK_SECONDS = 0.5
"""How often it is looked whether a stopped run has written its outputs."""


@contextlib.contextmanager
def offered_files(job: DescribeJob) -> Iterator[None]:
    """Let Jupyter-Scheduler offer the files that a notebook made: it does so only for jobs with an input folder.

    See docs/upstream.md#files-without-input-folder.
    """
    before = job.package_input_folder
    job.package_input_folder = bool(job.packaged_files)
    try:
        yield
    finally:
        job.package_input_folder = before


def link_delivered(job: DescribeJob, folder: RunFolder, root_dir: str) -> None:
    """Link to outputs where their run has put them, if they are still there; the panel then offers no download.

    Parameters
    ----------
    job
        A job with its files.
    folder
        Its staging folder.
    root_dir
        The root folder, to which links are relative.
    """
    delivered = folder.delivered()
    if not delivered:
        return
    paths = find_delivered(folder, job.input_filename, job.create_time, job.output_formats or [])
    for name in job.packaged_files or []:  # they are together in one folder
        if name in delivered:
            paths["files"] = delivered[name].removesuffix(f"/{name}")
    root = os.path.realpath(os.path.expanduser(root_dir))
    for file in job.job_files:
        path = os.path.realpath(paths.get(file.file_format, ""))
        if file.file_format in paths and os.path.exists(path) and Path(path).is_relative_to(root):
            file.file_path = os.path.relpath(path, root)
    links = [file.file_path for file in job.job_files if file.file_format != "input"]
    job.downloaded = job.downloaded or all(links)


class ArgoJobFilesManager(JobFilesManager):
    """Downloads into JupyterLab's root folder, and answers when the files are there.

    Jupyter-Scheduler's own manager copies to a path relative to the server's working folder, which is not the root folder where
    `root_dir` is set. It also answers before it copies, so a reloaded panel shows no links. See
    docs/upstream.md#download-folder and docs/upstream.md#download-before-the-copy.
    """

    async def copy_from_staging(self, job_id: str, redownload: bool | None = False) -> None:
        """Copy all files of a job to its folder under ``output_directory``; those of a stopped run come after a few seconds."""
        job = await ensure_async(self.scheduler.get_job(job_id, False))
        while await asyncio.to_thread(self.scheduler.jobs.is_writing_outputs, job_id):
            await asyncio.sleep(LOOK_SECONDS)
            job = await ensure_async(self.scheduler.get_job(job_id, False))
        await asyncio.to_thread(self._download, job, bool(redownload))

    def _download(self, job: DescribeJob, redownload: bool) -> None:
        scheduler = self.scheduler
        # Looked at again: a process that the notebook left behind may have put a link there meanwhile.
        folder = RunFolder(scheduler.staging_path, job.job_id)
        job.packaged_files = [path for path in job.packaged_files or [] if folder.holds(path)]
        with offered_files(job):
            downloader = Downloader(
                output_formats=job.output_formats or [],
                output_filenames=scheduler.get_job_filenames(job),
                staging_paths=scheduler.get_staging_paths(job),
                output_dir=scheduler.get_local_output_path(model=job),
                redownload=redownload,
                include_staging_files=job.package_input_folder,
            )
        for path in job.packaged_files:
            os.makedirs(os.path.dirname(os.path.join(downloader.output_dir, path)), exist_ok=True)
        os.makedirs(downloader.output_dir, exist_ok=True)
        for source, target in downloader.generate_filepaths():
            if not folder.holds(os.path.relpath(source, folder.path)):
                continue  # not made, by a run that failed; or a link to elsewhere
            # Jupyter-Scheduler's own `download` drops every error, and leaves half a file that is never replaced.
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                copy_whole(Path(source), Path(target))
