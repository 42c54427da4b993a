from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.cli import main
from upconv.runtime import codecs
from upconv.runtime.picture import Metadata, Picture

Photograph = Callable[[int, int], np.ndarray]
Command = Callable[..., subprocess.CompletedProcess[str]]
MODEL = ("--model", "nearest-x2")


def upconv(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "upconv", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def album(tmp_path: Path, photograph: Photograph) -> Path:
    """A folder with two pictures, one of them in a folder, a file of an unsupported format, and a damaged file."""
    folder = tmp_path / "album"
    (folder / "a day").mkdir(parents=True)
    (folder / "a day" / "in & out.jpg").write_bytes(codecs.encode(Picture(photograph(31, 40)), "jpeg")[0])
    (folder / "deep.tif").write_bytes(codecs.encode(Picture(photograph(20, 30).astype(np.uint16) * 257), "tiff")[0])
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "phone.jxl").touch()
    return folder


def test_a_folder_from_first_run_to_last(album: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "before and after.html"
    first = upconv("upscale", album, "-o", out, *MODEL, "--compare", page)
    assert first.returncode == 1
    assert first.stderr.strip().splitlines() == [
        f"error: {album}/bad.png: the data is not an image that can be read; {EXPECTED}"
    ]
    assert first.stdout.splitlines()[-1] == "2 upscaled, 1 failed, 1 ignored because of their format (1 .jxl)"
    assert (out / "a day" / "in & out.jpg").is_file()
    assert_page(page)

    (album / "bad.png").unlink()
    again = upconv("upscale", album, "-o", out, *MODEL, "--json")
    assert again.returncode == 0
    *rows, ignored = json.loads(again.stdout)
    assert ignored == {"input": f"{album}/phone.jxl", "status": "ignored", "reason": "pictures in .jxl are not read"}
    assert [(row["status"], row["from"], row["to"]) for row in rows] == [
        ("skipped", [40, 31], [80, 62]),
        ("skipped", [30, 20], [60, 40]),
    ]
    assert set(rows[0]) == {"input", "output", "status", "model", "from", "to", "seconds", "conversions"}


EXPECTED = f"expected {', '.join(codecs.FORMATS)}"


def assert_page(page: Path) -> None:
    """Check that every link is a relative path to a file, or contains the picture itself."""
    text = page.read_text()
    sources = re.findall(r'<img[^>]* src="([^"]*)"', text)
    assert len(sources) == 4
    links = [unquote(source).replace("&amp;", "&") for source in sources if not source.startswith("data:")]
    assert [(page.parent / link).is_file() for link in links] == [True, True]
    assert all(not link.startswith(("/", "http")) for link in links)
    assert sum(source.startswith("data:image/webp;base64,") for source in sources) == 2, "browsers do not show TIFF"
    assert text.count('type="range"') == 2
    assert "<" not in "".join(re.findall(r'alt="([^"]*)"', text))


def test_each_picture_gets_the_model_for_its_content(tmp_path: Path, photograph: Photograph, command: Command) -> None:
    shades = np.array([[0, 0, 0], [255, 0, 80], [20, 200, 90], [250, 250, 240]], np.uint8)
    sprite = shades[np.random.default_rng(0).integers(0, 4, (12, 12)).repeat(4, 0).repeat(4, 1)]
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(codecs.encode(Picture(photograph(24, 32)), "jpeg", 80)[0])
    (folder / "b.png").write_bytes(codecs.encode(Picture(sprite), "png")[0])
    chosen = {"a.jpg": ("photo-s-x2", "photograph, JPEG 80, x2"), "b.png": ("nearest-x2", "pixel art, no loss, x2")}
    for status in ("done", "skipped"):
        rows = json.loads(command("upscale", folder, "-o", out, "--scale", "2", "--json").stdout)
        assert {row["status"] for row in rows} == {status}
        assert {Path(row["input"]).name: (row["model"], row["chosen_for"]) for row in rows} == chosen
    line = command("upscale", folder / "b.png", "-o", tmp_path / "c.png").stdout
    assert "48x48 to 96x96 by nearest-x2 (pixel art, no loss, x2) in" in line
    assert (tmp_path / "c.png").read_bytes() == (out / "b.png").read_bytes()
    total = json.loads(command("upscale", folder, "-o", tmp_path / "d", "--dry-run", "--json").stdout)["total"]
    assert (total["model"], total["pictures"]) == ("auto", 2)


def test_options_of_one_picture(tmp_path: Path, photograph: Photograph) -> None:
    image, _ = codecs.encode(Picture(photograph(20, 30), metadata=Metadata(pixels_per_mm=(4.0, 4.0))), "png")
    (tmp_path / "a.png").write_bytes(image)
    done = upconv("upscale", tmp_path / "a.png", "-o", tmp_path / "a.webp", *MODEL, "--lossless", "--width", 45, "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)[0]
    assert (row["status"], row["to"]) == ("done", [45, 30])
    assert row["conversions"] == ["resolution dropped, which webp cannot hold"]
    assert not list(tmp_path.glob(".upconv*")), "only a folder has a journal"


def test_few_colours(tmp_path: Path, photograph: Photograph) -> None:
    (tmp_path / "a.png").write_bytes(codecs.encode(Picture(photograph(20, 20)), "png")[0])
    done = upconv("upscale", tmp_path / "a.png", "-o", tmp_path / "b.png", *MODEL, "--colors", 16, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["conversions"] == ["colours reduced to 16"]
    assert (tmp_path / "b.png").read_bytes()[24:26] == bytes([4, 3]), "4 bits, a palette"
    refused = upconv("upscale", tmp_path / "a.png", "-o", tmp_path / "b.jpg", *MODEL, "--colors", 16)
    assert refused.returncode == 1
    assert "jpeg is not written with 16 colours; choose png" in refused.stderr


def test_a_border_changes_the_pixels_at_the_border_alone(tmp_path: Path, photograph: Photograph) -> None:
    (tmp_path / "a.png").write_bytes(codecs.encode(Picture(photograph(40, 40)), "png")[0])
    results = []
    for number, border in enumerate(([], ["--border", "wrap"])):
        target = tmp_path / f"{number}.png"
        done = upconv("upscale", tmp_path / "a.png", "-o", target, "--model", "bicubic-x2", *border)
        assert done.returncode == 0, done.stderr
        results.append(codecs.read(target).samples.astype(int))
    assert (results[0][4:-4, 4:-4] == results[1][4:-4, 4:-4]).all()
    assert np.abs(results[0] - results[1]).max() > 8


def test_names_that_are_not_text(tmp_path: Path, photograph: Photograph) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    data, _ = codecs.encode(Picture(photograph(8, 8)), "png")
    for name in (b"\xff\xfe.png", b'"><script>$x.png', b"-o.png"):
        (folder / os.fsdecode(name)).write_bytes(data)
    done = upconv("upscale", folder, "-o", tmp_path / "out", *MODEL, "--compare", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert {os.fsencode(path.name) for path in (tmp_path / "out").glob("*.png")} == {
        os.fsencode(path.name) for path in folder.iterdir()
    }
    page = (tmp_path / "page.html").read_text()
    assert page.count("<script>") == 1
    assert upconv("upscale", folder, "-o", tmp_path / "out", *MODEL).stdout.startswith("0 upscaled, 3 skipped")


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_every_frame(suffix: str, tmp_path: Path) -> None:
    frames = tuple(Picture(np.full((6, 8, 3), grey, np.uint8)) for grey in (10, 90, 200))
    (tmp_path / "a.gif").write_bytes(codecs.encode_frames(codecs.Animation.of(frames, (50, 60, 70)), "gif")[0])
    done = upconv("upscale", tmp_path / "a.gif", "-o", tmp_path / f"b.{suffix}", *MODEL, "--frames")
    assert done.returncode == 0, done.stderr
    animation = codecs.decode_frames((tmp_path / f"b.{suffix}").read_bytes())
    assert (len(animation.frames), animation.frames[0].width, animation.delays_ms) == (3, 16, (50, 60, 70))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("bad.png -o out.png", "the data is not an image that can be read"),
        ("bad.png -o out.png --scale 17", "scale must be a number from 1 to 16, not 17"),
        (". -o new --scale 0", "scale must be a number from 1 to 16, not 0"),
        (". -o new --scale 2 --width 50", "either a scale or a width and height"),
        ("deep.tif -o out.png --width 5", "30x20 cannot become 5x3"),
        ("deep.tif -o out.jpg --lossless", "jpeg cannot be lossless; choose png, webp, avif or tiff"),
        (". -o new --lossless", "jpeg cannot be lossless"),
        ("deep.tif -o out.gif", "GIF is only written with all frames"),
        (". -o new --format gif", "--format gif needs --frames"),
        ("deep.tif -o out.png --format webp", "--format webp does not match out.png"),
        ("deep.tif -o out.png --compare bad.png", "expected a name that ends in .html"),
        ("deep.tif -o out.png --compare no/page.html", "cannot write a page to no/page.html"),
        ("deep.tif -o out.png --max-pixels 599", "30x20 pixels; at most 599"),
        (". -o .", "would be overwritten; choose another output"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    arguments: str, sentence: str, album: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(album)
    monkeypatch.setattr(sys, "argv", ["upconv", "upscale", *arguments.split(), *MODEL])
    before = {path: path.read_bytes() for path in album.rglob("*.*")}
    with pytest.raises(SystemExit) as ended:
        main()
    message = capsys.readouterr().err.strip() or str(ended.value.code)
    assert sentence in message
    assert len(message.splitlines()) == 1
    assert {path: path.read_bytes() for path in album.rglob("*.*")} == before


def test_a_terminal_sees_a_bar_with_speed_and_time_left(album: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "upconv", "upscale", str(album), "-o", str(tmp_path / "out"), *MODEL]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, text=True, env=environment) as run:
        os.close(follower)
        assert run.stdout is not None
        summary = run.stdout.read()
    shown = b""
    while chunk := _read(leader):
        shown += chunk
    os.close(leader)
    assert summary.splitlines()[-1].startswith("2 upscaled, 1 failed")
    assert "3/3" in shown.decode()
    assert "images/s" in shown.decode()
    assert "bad.png" in shown.decode()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_whole_files_and_can_be_continued(
    number: signal.Signals, status: int, tmp_path: Path, photograph: Photograph
) -> None:
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    data, _ = codecs.encode(Picture(photograph(160, 240)), "png")
    for n in range(12):
        (folder / f"{n:02}.png").write_bytes(data)
    command = [
        sys.executable,
        "-m",
        "upconv",
        "upscale",
        str(folder),
        "-o",
        str(out),
        "--model",
        "deconv-s-x2",
        *("--workers", "1", "--scale", "4"),  # takes some seconds, so that the signal arrives during the run
    ]
    # If the tests run in the background, they ignore SIGINT, and their child processes inherit that.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, previous)
    while not list(out.glob("*.png")) and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(number)
    output, errors = run.communicate(timeout=60)
    assert run.returncode == status
    assert "Traceback" not in errors
    assert "left to do; run the same command to continue" in output
    done = [path for path in out.glob("*.png") if codecs.read(path).width == 960]
    assert 1 <= len(done) < 12
    assert len(list(out.iterdir())) == len(done) + 1, "only the results and the journal exist"
    rows = json.loads(upconv("upscale", folder, "-o", out, "--model", "deconv-s-x2", "--scale", "4", "--json").stdout)
    assert {row["status"] for row in rows} == {"done", "skipped"}
    assert len(list(out.glob("*.png"))) == 12


def test_an_output_that_ends_with_a_slash_is_a_folder(tmp_path: Path, photograph: Photograph) -> None:
    (tmp_path / "a.png").write_bytes(codecs.encode(Picture(photograph(8, 8)), "png")[0])
    done = upconv("upscale", tmp_path / "a.png", "-o", f"{tmp_path}/new/", *MODEL)
    assert done.returncode == 0, done.stderr
    assert codecs.read(tmp_path / "new" / "a.png").width == 16


def test_without_an_output_each_result_is_beside_its_picture(tmp_path: Path, photograph: Photograph) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(codecs.encode(Picture(photograph(8, 12)), "png")[0])
    done = upconv("upscale", tmp_path / "a.png", tmp_path / "b.png", "--fit", "18x18", *MODEL)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/a-18x18.png: 12x8 to 18x12 by nearest-x2 in " in done.stdout
    assert codecs.read(tmp_path / "b-18x18.png").height == 12
    again = upconv("upscale", tmp_path / "a.png", "--fill", "18x18", *MODEL)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == (
        f"error: {tmp_path}/a-18x18.png exists; choose another --output, or give --overwrite to replace it\n"
    )


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # every writer has closed the terminal
        return b""


@pytest.mark.parametrize(
    ("error", "options", "code", "said"),
    [
        (0.0, (), 0, "proved: webgpu differs from the processor by 0.0e+00, and 2.4e-07 is allowed"),
        (0.1, (), 1, "error: nearest-x2 is refused on webgpu: webgpu differs from the processor by 1.0e-01"),
        (0.1, ("--unproved", "-q"), 0, "warning: unproved: webgpu differs from the processor by 1.0e-01"),
        (0.0, ("-q",), 0, ""),
    ],
)
def test_the_proof_on_the_spot_is_told(
    album: Path,
    tmp_path: Path,
    webgpu_stand_in: StandIn,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: float,
    options: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    webgpu_stand_in(lambda output: output + np.float32(error))
    picture = album / "deep.tif"
    monkeypatch.setattr(
        sys,
        "argv",
        ["upconv", "upscale", str(picture), "-o", str(tmp_path / "out.png"), *MODEL, "--provider", "webgpu", *options],
    )
    with pytest.raises(SystemExit) as ended:
        main()
    message = str(ended.value.code) if isinstance(ended.value.code, str) else capsys.readouterr().err
    assert (1 if isinstance(ended.value.code, str) else ended.value.code or 0) == code
    assert message.startswith(said)
    assert (tmp_path / "out.png").exists() == (code == 0)
