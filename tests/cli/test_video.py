from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from upconv.runtime.video import Y4mFormat, frames, read_header
from upconv.runtime.video.y4m_header import parse_header

Run = Callable[..., CompletedProcess[str]]
MODEL = ("--model", "nearest-x2", "--frames", "y4m")
UPCONV = [sys.executable, "-m", "upconv", "upscale"]


def stream(count: int = 5, header: str = "YUV4MPEG2 W32 H24 F25:1 Ip A1:1 C420jpeg") -> bytes:
    format = Y4mFormat.of(parse_header(header.encode()))
    luma = format.width * format.height
    return (header + "\n").encode() + b"".join(
        b"FRAME\n" + bytes([40 + number % 50]) * luma + b"\x80" * (format.frame_bytes - luma) for number in range(count)
    )


def greys(path: Path) -> list[int]:
    """Return the first sample of each frame."""
    with path.open("rb", buffering=0) as file:
        return [frame[0] for frame in frames(file, read_header(file))]


def piped(data: bytes, *arguments: object) -> CompletedProcess[bytes]:
    return subprocess.run(
        [*UPCONV, "-", *map(str, arguments), *MODEL], input=data, capture_output=True, check=False, timeout=60
    )


def test_ffmpeg_pipes_a_video_through(tmp_path: Path) -> None:
    source, result = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30", "-frames:v", "9", "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", *make, str(source)], check=True, timeout=60)
    command = (
        f"ffmpeg -v error -i {source} -f yuv4mpegpipe - | {' '.join(UPCONV)} - -o - {' '.join(MODEL)} | "
        f"ffmpeg -v error -f yuv4mpegpipe -i - {result}"
    )
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("9 frames, 64x48 to 128x96 by nearest-x2 in")
    probe = ("-show_entries", "stream=width,height,r_frame_rate,nb_read_frames", "-of", "csv=p=0", "-count_frames")
    shown = subprocess.run(["ffprobe", "-v", "error", *probe, str(result)], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "128,96,30/1,9"


def test_a_file_and_the_report_as_json(tmp_path: Path, command: Run) -> None:
    source = tmp_path / "in.y4m"
    source.write_bytes(stream())
    done = command("upscale", source, "-o", tmp_path / "out.y4m", *MODEL, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    row = json.loads(done.stdout)
    assert row["seconds"] >= 0
    assert {name: row[name] for name in ("model", "from", "to", "frames", "skipped_frames", "matrix", "notes")} == {
        "model": "nearest-x2",
        "from": [32, 24],
        "to": [64, 48],
        "frames": 5,
        "skipped_frames": 0,
        "matrix": "bt601",
        "notes": [],
    }
    assert (tmp_path / "out.y4m").read_bytes().startswith(b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n")
    assert greys(tmp_path / "out.y4m") == [40, 41, 42, 43, 44]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.y4m", "out.y4m"]


def test_without_an_output_the_result_is_beside_the_video(tmp_path: Path, command: Run) -> None:
    (tmp_path / "in.y4m").write_bytes(stream(1))
    assert command("upscale", tmp_path / "in.y4m", *MODEL).returncode == 0
    assert (tmp_path / "in-x2.y4m").is_file()
    again = command("upscale", tmp_path / "in.y4m", *MODEL)
    assert again.returncode == 1
    assert "in-x2.y4m exists; choose another output, or give --overwrite" in again.stderr
    assert command("upscale", tmp_path / "in.y4m", *MODEL, "--overwrite").returncode == 0


def test_raw_frames(tmp_path: Path, command: Run) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3)).astype(np.uint8)
    (tmp_path / "in.rgb").write_bytes(raw.tobytes())
    done = command("upscale", tmp_path / "in.rgb", "-o", tmp_path / "out.rgb", *MODEL[:2], "--frames", "rgb24:6x4")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.rgb").read_bytes() == raw.repeat(2, 1).repeat(2, 2).tobytes()


def test_a_size_that_makes_players_guess_another_matrix_is_said(tmp_path: Path, command: Run) -> None:
    (tmp_path / "in.y4m").write_bytes(stream(1, "YUV4MPEG2 W8 H400 C444"))
    done = command("upscale", tmp_path / "in.y4m", "-o", tmp_path / "out.y4m", *MODEL)
    assert "the colours stay bt601, so tell the encoder, for example ffmpeg with -colorspace smpte170m" in done.stderr
    told = command("upscale", tmp_path / "in.y4m", "-o", tmp_path / "b.y4m", *MODEL, "--matrix", "bt709")
    assert "the colours stay" not in told.stderr


def test_a_stream_that_ends_early_leaves_its_whole_frames_and_can_be_resumed(tmp_path: Path) -> None:
    whole, out = stream(6), tmp_path / "out.y4m"
    short = piped(whole[: len(whole) - 100], "-o", out)
    assert short.returncode == 1
    assert b"ends in the middle of frame 5" in short.stderr
    assert b"holds the 5 frames that are done, and --resume continues them" in short.stderr
    assert not out.exists()
    (part,) = tmp_path.iterdir()
    assert part.name.startswith("out.y4m.")
    begun = piped(whole, "-o", out)
    assert begun.returncode == 1
    assert b"--resume continues it, and --overwrite starts again" in begun.stderr
    done = piped(whole, "-o", out, "--resume")
    assert done.returncode == 0
    assert done.stderr.startswith(b"1 frame after 5 done before")
    assert out.read_bytes() == piped(whole, "-o", "-").stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out.y4m"]


def test_a_stream_that_ends_early_is_piped_as_far_as_it_is_whole() -> None:
    whole = stream(4)
    short = piped(whole[:-1], "-o", "-")
    assert short.returncode == 1
    assert short.stdout == piped(stream(3), "-o", "-").stdout
    assert short.stderr.decode().splitlines()[-1].startswith("error: the stream ends in the middle of frame 3")


def test_frames_before_the_start_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "out.y4m").write_bytes(piped(stream(5), "-o", "-", "--start-frame", 3).stdout)
    assert greys(tmp_path / "out.y4m") == [43, 44]


def test_a_killed_run_is_resumed_without_losing_or_repeating_a_frame(tmp_path: Path) -> None:
    whole, out = stream(40, "YUV4MPEG2 W160 H120 C420jpeg"), tmp_path / "out.y4m"
    (tmp_path / "in.y4m").write_bytes(whole)
    command = [*UPCONV, str(tmp_path / "in.y4m"), "-o", str(out), "--model", "deconv-s-x2", "--workers", "1", "--frames", "y4m"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not any(part.stat().st_size > 300_000 for part in tmp_path.glob("*.part")):
        assert run.poll() is None
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    (part,) = tmp_path.glob("*.part")
    with part.open("r+b") as file:  # a kill in the middle of a frame
        file.truncate(part.stat().st_size - 7)
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=True, timeout=100)
    assert "done before, 160x120" in done.stderr
    result = out.read_bytes()
    out.unlink()
    subprocess.run(command, capture_output=True, check=True, timeout=100)
    assert result == out.read_bytes()


def _waits(pid: int) -> bool:
    """Return true if no thread of the process runs, so that its last frame is counted."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"S"}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_counts_its_frames(number: signal.Signals, status: int, tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(
        [*UPCONV, "-", "-o", str(tmp_path / "out.y4m"), *MODEL], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, previous)
    assert run.stdin is not None
    run.stdin.write(stream(2))
    run.stdin.flush()  # and no end, as from a camera
    while not (any(part.stat().st_size > 9000 for part in tmp_path.glob("*.part")) and _waits(run.pid)):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == status
    assert errors.decode().startswith("2 frames, 32x24 to 64x48")
    assert b"Traceback" not in errors


def test_a_closed_pipe_ends_the_run_quietly() -> None:
    run = subprocess.Popen(
        [*UPCONV, "-", "-o", "-", *MODEL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdin is not None
    assert run.stdout is not None
    run.stdin.write(stream(1))
    run.stdin.flush()
    run.stdout.read(100)
    run.stdout.close()
    more = stream(5000)[len(stream(0)) :]  # more than pipes hold
    with pytest.raises(BrokenPipeError):
        run.stdin.write(more)
    assert run.wait(60) == 141
    assert run.stderr is not None
    assert run.stderr.read() == b""
    run.stderr.close()
    with suppress(BrokenPipeError):
        run.stdin.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("none.y4m -o out.y4m", "no such file: none.y4m"),
        ("in.y4m in.y4m -o out.y4m", "take one input, not 2"),
        ("in.y4m -o in.y4m", "would be overwritten"),
        ("in.y4m -o no/out.y4m", "expected a file in a folder that exists"),
        ("in.y4m -o .", "expected a file in a folder that exists"),
        ("in.y4m -o - --resume", "standard output cannot be resumed"),
        ("in.y4m -o out.y4m --quality 80", "--quality does not apply to frames of video"),
        ("in.y4m -o out.y4m --lossless", "--lossless does not apply to frames of video"),
        ("in.y4m -o out.y4m --profile srgb", "--profile does not apply to frames of video"),
        ("in.y4m -o out.y4m --metadata strip", "--metadata does not apply to frames of video"),
        ("in.y4m -o out.y4m --format png", "--format does not apply to frames of video"),
        ("in.y4m -o out.y4m --compare page.html", "--compare does not apply to frames of video"),
        ("in.y4m -o out.y4m --max-pixels 767", "states 32x24 pixels a frame; at most 767"),
        ("in.y4m -o out.y4m --scale 17", "scale must be a number from 1 to 16"),
        ("in.y4m -o out.y4m --start-frame 9", "has 5 frames; expected more than the 9 that are skipped"),
        ("bad.y4m -o out.y4m", "no YUV4MPEG2 stream"),
        ("alpha.y4m -o out.y4m", "the layout C444alpha"),
        ("in.y4m -o out.y4m --frames rgb24:4x4 --matrix bt709", "--matrix applies to y4m"),
        ("in.y4m -o out.y4m --frames rgb24", "rgb24:640x360"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: str, sentence: str, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.y4m").write_bytes(stream())
    Path("bad.y4m").write_bytes(b"GIF89a")
    Path("alpha.y4m").write_bytes(b"YUV4MPEG2 W4 H4 C444alpha\n")
    kind = () if "--frames" in arguments else ("--frames", "y4m")
    done = command("upscale", *arguments.split(), "--model", "nearest-x2", *kind)
    assert done.returncode == 1
    assert sentence in done.stderr.splitlines()[-1]
    assert not Path("out.y4m").exists()


def test_a_terminal_sees_the_frames(tmp_path: Path) -> None:
    (tmp_path / "in.y4m").write_bytes(stream(3))
    leader, follower = pty.openpty()
    command = [*UPCONV, str(tmp_path / "in.y4m"), *MODEL]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    subprocess.run(command, stderr=follower, check=True, timeout=60, env=environment)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert " frames/s" in shown
    assert "3 frames, 32x24 to 64x48 by nearest-x2" in shown


@pytest.mark.parametrize("option", [("--matrix", "bt709"), ("--start-frame", "1"), ("--resume",)])
def test_options_of_video_need_frames_of_video(option: tuple[str, ...], command: Run) -> None:
    done = command("upscale", "a.png", "-o", "b.png", *option)
    assert (done.returncode, "give --frames y4m too" in done.stderr) == (1, True)


def test_a_prediction_writes_nothing(tmp_path: Path, command: Run) -> None:
    (tmp_path / "in.y4m").write_bytes(stream())
    done = command("upscale", tmp_path / "in.y4m", *MODEL, "--dry-run")
    assert done.stdout.startswith("32x24 to 64x48 by nearest-x2, about ")
    row = json.loads(command("upscale", tmp_path / "in.y4m", *MODEL, "--dry-run", "--json").stdout)
    assert (row["to"], row["frames_per_s"] > 0, row["bytes"] > 0) == ([64, 48], True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.y4m"]
