from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from upconv.cli.progress import ProgressReport
from upconv.runtime.folders import FileResult, FileTask, FolderListing

DONE, SKIPPED, FAILED, LEFT = (FileTask(Path(f"{name}.png"), Path(f"out/{name}.png")) for name in "abcd")
OUTCOMES = (
    FileResult(FAILED, "failed", error="c.png: it is empty"),
    FileResult(DONE, "done", (3, 2), (6, 4), seconds=0.5, conversions=("resolution dropped",)),
    FileResult(SKIPPED, "skipped", (3, 2), (6, 4)),
)
LISTING = FolderListing((DONE, SKIPPED, FAILED, LEFT), Counter({".heic": 2, ".bmp": 1}))


def test_each_picture_is_a_line_and_the_summary_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport(LISTING, "nearest-x2", quiet=False) as report:
        for outcome in OUTCOMES:
            report.take(outcome)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{DONE.destination}: 3x2 to 6x4 by nearest-x2 in 0.50 s; resolution dropped",
        "1 upscaled, 1 skipped because they were done before, 1 failed, 1 left to do; run the same command to continue, "
        "3 ignored because of their format (1 .bmp, 2 .heic)",
    ]
    assert err == "error: c.png: it is empty\n"
    assert report.failed
    assert [outcome.job for outcome in report.outcomes] == [DONE, SKIPPED, FAILED]


def test_quiet_leaves_only_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport(LISTING, "nearest-x2", quiet=True) as report:
        for outcome in OUTCOMES[1:]:
            report.take(outcome)
    assert capsys.readouterr() == ("", "")
    assert not report.failed


def test_a_folder_that_cannot_be_read_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport(FolderListing((DONE,), Counter(), ("closed cannot be read",)), "nearest-x2", quiet=False) as report:
        pass
    assert report.failed
    assert capsys.readouterr() == ("", "error: closed cannot be read\n")


def test_a_search_that_goes_on_has_no_total_until_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    listing = FolderListing(iter(()), Counter(), closed := ["first cannot be read"])
    with ProgressReport(listing, "nearest-x2", quiet=False, keep=False) as report:
        report.take(OUTCOMES[1])
        closed.append("second cannot be read")
        report.take(OUTCOMES[2])
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "1 upscaled, 1 skipped because they were done before"
    assert err == "error: first cannot be read\nerror: second cannot be read\n"
    assert report.failed
    assert report.outcomes == []


def test_an_interrupted_search_says_that_there_may_be_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), ProgressReport(FolderListing(iter(())), "nearest-x2", quiet=False):
        raise KeyboardInterrupt
    assert capsys.readouterr().out == "0 upscaled, others left to do; run the same command to continue\n"
