from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command
from upconv.service import Settings
from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.s3_files import S3Files
from upconv.service.jobs.storage_choice import opened_storage

URL = "postgresql://ann:hush@127.0.0.1:1/jobs"


def chosen(**settings: Any) -> Settings:
    return Settings(models=(Path("a.onnx"),), **settings)


def test_a_folder_is_the_default(tmp_path: Path) -> None:
    with opened_storage(chosen(jobs_dir=tmp_path)) as storage:
        assert (storage.store.shared, storage.files.path("a.in")) == (False, tmp_path / "spool" / "a.in")


@pytest.mark.parametrize(("spool", "kind"), [("s3://bucket/a", S3Files), ("/tmp/spool", FolderFiles)])
def test_what_replicas_share_is_not_asked_at_the_start(spool: str, kind: type) -> None:
    with opened_storage(chosen(jobs_store=URL, jobs_spool=spool)) as storage:
        assert (storage.store.shared, type(storage.files)) == (True, kind)


@pytest.mark.parametrize(
    ("package", "extra"), [("upconv.service.jobs.postgres_database", "postgres"), ("upconv.service.jobs.s3_files", "s3")]
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with (
        pytest.raises(ParameterError, match=re.escape(install_command(extra))),
        opened_storage(chosen(jobs_store=URL, jobs_spool="s3://bucket")),
    ):
        pass


def test_a_folder_that_is_not_mounted_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ParameterError, match="does not exist; mount it"),
        opened_storage(chosen(jobs_store=URL, jobs_spool=str(tmp_path / "missing" / "spool"))),
    ):
        pass
