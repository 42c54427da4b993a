from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.errors import OutputError, ParameterError
from upconv.runtime.video import PartialVideo, Y4mFormat, parse_raw
from upconv.runtime.video.partial_video import write_all
from upconv.runtime.video.y4m_header import parse_header

FORMAT = Y4mFormat.of(parse_header(b"YUV4MPEG2 W4 H2 Cmono"))
FRAME = b"FRAME\n" + b"8" * 8


def partial(folder: Path, identity: str = "model") -> PartialVideo:
    return PartialVideo(folder / "out.y4m", FORMAT, identity)


@pytest.mark.parametrize("rest", [b"", b"F", b"FRAME\n", FRAME[:-1]])
@pytest.mark.parametrize("whole", [0, 1, 3])
def test_whole_frames_stay_and_a_part_of_one_is_cut_off(whole: int, rest: bytes, tmp_path: Path) -> None:
    video = partial(tmp_path)
    video.path.write_bytes(FORMAT.header + whole * FRAME + rest)
    file, found = video.open(resume=True)
    with file:
        write_all(file, FRAME)
    assert found == whole
    assert video.path.read_bytes() == FORMAT.header + (whole + 1) * FRAME
    video.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["out.y4m"]


@pytest.mark.parametrize("left", [b"", b"YUV4", b"something else\n" + 9 * FRAME])
def test_what_has_another_header_begins_again(left: bytes, tmp_path: Path) -> None:
    video = partial(tmp_path)
    video.path.write_bytes(left)
    file, found = video.open(resume=True)
    file.close()
    assert (found, video.path.read_bytes()) == (0, FORMAT.header)


def test_without_resuming_all_frames_are_replaced(tmp_path: Path) -> None:
    video = partial(tmp_path)
    video.path.write_bytes(FORMAT.header + FRAME)
    file, found = video.open(resume=False)
    file.close()
    assert (found, video.path.read_bytes()) == (0, FORMAT.header)


def test_raw_frames_are_counted_by_their_size(tmp_path: Path) -> None:
    video = PartialVideo(tmp_path / "out.rgb", parse_raw("rgb24:2x2"), "")
    video.path.write_bytes(b"1" * 29)
    file, found = video.open(resume=True)
    file.close()
    assert (found, video.path.stat().st_size) == (2, 24)


def test_other_work_has_another_file(tmp_path: Path) -> None:
    assert partial(tmp_path).path == partial(tmp_path).path
    assert partial(tmp_path).path != partial(tmp_path, "another model").path


def test_nothing_that_exists_is_lost_unless_asked_for(tmp_path: Path) -> None:
    video = partial(tmp_path)
    video.check(resume=False, overwrite=False)
    video.path.touch()
    with pytest.raises(ParameterError, match="--resume continues it"):
        video.check(resume=False, overwrite=False)
    video.check(resume=True, overwrite=False)
    video.destination.touch()
    for resume in (False, True):
        with pytest.raises(ParameterError, match=r"out\.y4m exists"):
            video.check(resume=resume, overwrite=False)
    video.check(resume=False, overwrite=True)


def test_a_part_of_other_work_is_not_resumed(tmp_path: Path) -> None:
    other = partial(tmp_path, "another model").path
    other.touch()
    partial(tmp_path).check(resume=False, overwrite=False)
    with pytest.raises(ParameterError, match="is of another model, size or source, so it cannot be resumed"):
        partial(tmp_path).check(resume=True, overwrite=False)
    partial(tmp_path).path.touch()
    partial(tmp_path).check(resume=True, overwrite=False)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        partial(tmp_path / "missing").open(resume=True)
