from __future__ import annotations

import stat
import uuid
from pathlib import Path

from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import SETTINGS, RunFolder
from argo_jupyter_scheduler.storage.private import make_private, make_run_folders_private
from tests.support.services import Services


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_run_folder_is_its_users(staging_path: Path) -> None:
    folder = RunFolder(staging_path, str(uuid.uuid4()))
    folder.create()
    assert mode(folder.path) == 0o700


def test_what_a_run_is_given_is_its_users_also_after_an_earlier_version_wrote_it(staging_path: Path) -> None:
    folder = RunFolder(staging_path, str(uuid.uuid4()))
    folder.create()
    settings = folder.private / SETTINGS
    settings.write_text("{}")
    settings.chmod(0o644)
    folder.write(SETTINGS, {"engine": "local"})
    assert mode(settings) == 0o600
    folder.write_settings(folder.read_settings())
    assert mode(settings) == 0o600


def test_what_is_not_there_or_a_link_is_left_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "none")
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o644)
    (tmp_path / "link").symlink_to("file")
    make_private(tmp_path / "link")
    assert mode(tmp_path / "file") == 0o644
    make_run_folders_private(tmp_path / "none")


def test_what_earlier_versions_made_becomes_private_when_a_server_starts(
    database: Database, tmp_path: Path, db_url: str
) -> None:
    services = Services(database, tmp_path)
    older, foreign = services.staging / str(uuid.uuid4()), services.staging / "reports"
    for folder in (older, foreign):
        folder.mkdir()
        folder.chmod(0o755)
    rows = Path(db_url.removeprefix("sqlite:///"))
    rows.chmod(0o644)
    services.jobs.start()
    assert [mode(path) for path in (older, foreign, rows)] == [0o700, 0o755, 0o600]
