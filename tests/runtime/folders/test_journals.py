from __future__ import annotations

from pathlib import Path

from tests.bucket_folder import BucketFolder

from upconv.runtime.folders import Journal
from upconv.runtime.folders.bucket_journal import BucketJournal
from upconv.runtime.folders.journals import open_journal
from upconv.runtime.options import UpscaleOptions


def test_the_place_of_the_results_chooses_the_journal(bucket_folder: BucketFolder, tmp_path: Path) -> None:
    assert isinstance(open_journal(tmp_path, "sha", UpscaleOptions()), Journal)
    assert isinstance(open_journal(bucket_folder.place, "sha", UpscaleOptions()), BucketJournal)
