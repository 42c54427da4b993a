from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.folders import FileTask, FolderListing
from upconv.runtime.folders.tasks import check_tasks


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([("a.png", "b.png"), ("b.png", "c.png")], "b.png would be overwritten; choose another output"),
        ([("a.png", "c.png"), ("b.png", "c.png")], "a.png and b.png would both become c.png; give them different outputs"),
    ],
)
def test_no_input_and_no_result_is_overwritten(names: list[tuple[str, str]], words: str) -> None:
    jobs = [FileTask(Path(source), Path(destination)) for source, destination in names]
    with pytest.raises(ParameterError) as raised:
        check_tasks(jobs)
    assert str(raised.value) == words
    check_tasks(jobs[:1])


def test_the_count_is_known_once_the_search_is_complete() -> None:
    jobs = (FileTask(Path("a.png"), Path("b.png")),)
    assert FolderListing(jobs).count == 1
    assert FolderListing(iter(jobs)).count is None
