from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pillow_heif
import pytest
import pyvips
from PIL import Image
from tests.service.tickets import admitted

from upconv.models import bundled
from upconv.runtime import Upscaler, codecs, memory
from upconv.service.log_output import wait_for_outputs

Encoded = Callable[..., bytes]
PNG = {"Content-Type": "image/png"}


def size(data: bytes) -> tuple[int, int]:
    picture = codecs.decode(data)
    return picture.width, picture.height


def test_gives_what_the_runtime_gives(client: httpx.Client, nearest_x2: Path, encoded: Encoded) -> None:
    answer = client.post("/v1/upscale", content=encoded(), headers=PNG)
    assert answer.status_code == 200
    with Upscaler(nearest_x2, workers=1) as upscaler:
        expected = upscaler.upscale(encoded())
    np.testing.assert_array_equal(codecs.decode(answer.content).samples, codecs.decode(expected).samples)


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "image/x-anything", "application/octet-stream", "IMAGE/PNG; a=b", "application/x-www-form-urlencoded", ""],
)
def test_raw_body(client: httpx.Client, encoded: Encoded, content_type: str) -> None:
    answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": content_type})
    assert (answer.status_code, answer.headers["content-type"], size(answer.content)) == (200, "image/png", (40, 24))


def test_form(client: httpx.Client, encoded: Encoded) -> None:
    answer = client.post("/v1/upscale?scale=3", files={"file": ("../../etc/passwd", encoded(), "text/plain")})
    assert (answer.status_code, size(answer.content)) == (200, (60, 36))
    assert answer.headers["content-disposition"] == 'inline; filename="upscaled.png"'


def test_headers_say_how_it_was_done(client: httpx.Client, encoded: Encoded, nearest_x2: Path) -> None:
    headers = client.post("/v1/upscale?scale=4", content=encoded(), headers=PNG).headers
    stages = re.fullmatch(r"queue;dur=[\d.]+, decode;dur=[\d.]+, infer;dur=[\d.]+, encode;dur=[\d.]+", headers["server-timing"])
    assert stages is not None
    assert headers["x-upconv-model"] == "nearest-x2-test"
    assert re.fullmatch(r"[0-9a-f]{64}", headers["x-upconv-model-sha256"])
    assert headers["x-upconv-provider"] == "CPUExecutionProvider"
    assert headers["x-upconv-tiles"] == "2", "one tile a pass, two passes to four times the size"
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
    assert "x-upconv-conversions" not in headers


def test_the_content_of_a_picture_chooses_the_model(client_with: Any, encoded: Encoded) -> None:
    models = tuple(map(bundled, ("photo-s-x2", "subpixel-s-x2", "nearest-x2", "deconv-m-x2")))
    with client_with(models=models, by_content=True) as client:
        listed = client.get("/v1/models").json()
        assert listed["by_content"]
        assert {model["name"] for model in listed["models"] if model["by_content"]} == {
            "photo-s-x2",
            "subpixel-s-x2",
            "nearest-x2",
        }
        tags = set()
        for format, name, reason in (
            ("jpeg", "photo-s-x2", "photograph, JPEG 90, x2"),
            ("png", "subpixel-s-x2", "photograph, no loss, x2"),
        ):
            data = encoded(format, 48, 64)
            answers = [client.post(f"/v1/upscale{query}", content=data) for query in ("", "?model=auto", f"?model={name}")]
            assert [answer.status_code for answer in answers] == [200] * 3
            assert {answer.headers["x-upconv-model"] for answer in answers} == {name}
            assert len({answer.content for answer in answers}) == 1
            assert [unquote(answer.headers.get("x-upconv-chosen-for", "")) for answer in answers] == [reason, reason, ""]
            assert answers[0].headers["etag"] == answers[1].headers["etag"] != answers[2].headers["etag"]
            tags.add(answers[0].headers["etag"])
        assert len(tags) == 2
        assert 'upconv_tiles_total{model="subpixel-s-x2"} 3.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("given", "query", "accept", "expected"),
    [
        *((format, "", "*/*", format) for format in codecs.WRITABLE),
        *(("png", f"?format={format}", "*/*", format) for format in codecs.WRITABLE),
        ("gif", "", "*/*", "png"),
        ("png", "", "image/webp", "webp"),
        ("png", "", "image/webp, image/avif", "png"),
        ("png", "?format=jpeg", "image/webp", "jpeg"),
        ("png", "?format=jpeg&quality=10", "", "jpeg"),
    ],
)
def test_format(client: httpx.Client, encoded: Encoded, given: str, query: str, accept: str, expected: str) -> None:
    answer = client.post(
        f"/v1/upscale{query}", content=encoded(given), headers={"Content-Type": f"image/{given}", "Accept": accept}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{expected}")
    assert codecs.sniff(answer.content) == expected
    assert ("gif became png" in answer.headers.get("x-upconv-conversions", "")) == (given == "gif")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (40, 24)),
        ("scale=1", (20, 12)),
        ("scale=1.5", (30, 18)),
        ("scale=2", (40, 24)),
        ("scale=16", (320, 192)),
        ("width=50", (50, 30)),
        ("height=24", (40, 24)),
        ("width=41&height=13", (41, 13)),
        ("model=nearest-x2-test", (40, 24)),
    ],
)
def test_size(client: httpx.Client, encoded: Encoded, query: str, expected: tuple[int, int]) -> None:
    answer = client.post(f"/v1/upscale?{query}", content=encoded(), headers=PNG)
    assert (answer.status_code, size(answer.content)) == (200, expected)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("scale=0", 422, "'scale' should be greater than or equal to 1"),
        ("scale=-1", 422, "it is '-1'"),
        ("scale=abc", 422, "'scale' should be a valid number, but it is 'abc'"),
        ("scale=nan", 422, "finite"),
        ("scale=inf", 422, "it is 'inf'"),
        ("scale=17", 422, "less than or equal to 16"),
        ("scale=", 422, "'scale'"),
        ("scale=2&width=50", 422, "not both"),
        ("width=0", 422, "'width'"),
        ("width=2.5", 422, "'width' should be a valid integer"),
        ("width=" + "9" * 400, 422, "'width'"),
        ("width=5", 422, "20x12 cannot become 5x3"),
        ("height=900", 422, "cannot become"),
        ("format=jpg", 422, "it is 'jpg'"),
        ("format=gif", 422, "'format' should be 'jpeg'"),
        ("quality=0", 422, "'quality'"),
        ("quality=101", 422, "'quality'"),
        ("scael=2", 422, "no parameter 'scael'"),
        ("model=" + "x" * 300, 422, "'model'"),
        ("model=unknown", 404, "no model 'unknown'; the loaded models are nearest-x2-test"),
        ("model=../../etc", 404, "no model"),
        ("model=", 404, "no model"),
    ],
)
def test_bad_parameters(client: httpx.Client, encoded: Encoded, query: str, status: int, words: str) -> None:
    answer = client.post(f"/v1/upscale?{query}", content=encoded(), headers=PNG)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert words in problem["detail"]
    assert len(problem["detail"]) < 300


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", "image/jpeg", 422, "the picture is empty"),
        (b"just some text", "image/jpeg", 415, "not an image that can be read"),
        (b"{}", "application/json", 415, "got application/json"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "not an image that can be read"),
        (b"\x89PNG\r\n\x1a\n", "image/png", 422, "damaged or incomplete"),
        (b"RIFF0000WEBPVP8 ", "image/webp", 422, "damaged or incomplete"),
    ],
)
def test_bad_bodies(client: httpx.Client, body: bytes, content_type: str, status: int, words: str) -> None:
    answer = client.post("/v1/upscale", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]


def test_too_large_for_the_format(client: httpx.Client, encoded: Encoded) -> None:
    answer = client.post("/v1/upscale?scale=16&format=webp", content=encoded("png", 2, 1100), headers=PNG)
    assert (answer.status_code, answer.json()["detail"][:28]) == (422, "17600x32 is too large for we")


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "gif"])
def test_truncated(client: httpx.Client, encoded: Encoded, format: str) -> None:
    data = encoded(format, 64, 64)
    answer = client.post("/v1/upscale", content=data[: len(data) // 2], headers={"Content-Type": f"image/{format}"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#damaged-image")
    assert client.post("/v1/upscale", content=encoded(), headers=PNG).status_code == 200, "the service is still well"


@pytest.mark.parametrize(
    ("settings", "query", "words"),
    [
        ({"max_pixels": 239}, "", "20x12 pixels; at most 239"),
        ({"max_output_pixels": 959}, "", "the result would have 40x24 pixels; at most 959"),
        ({"max_output_pixels": 3839}, "scale=3", "before it is reduced to 60x36, the picture would have 80x48"),
    ],
)
def test_too_many_pixels(
    client_with: Callable[..., Any], encoded: Encoded, settings: dict[str, int], query: str, words: str
) -> None:
    with client_with(**settings) as client:
        answer = client.post(f"/v1/upscale?{query}", content=encoded(), headers=PNG)
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#too-many-pixels")
    assert words in answer.json()["detail"]


def test_decoders_do_not_upscale(client_with: Callable[..., Any], encoded: Encoded, nearest_x2: Path, decoder: Path) -> None:
    with client_with(models=(nearest_x2, decoder)) as client:
        answer = client.post("/v1/upscale?model=decoder-test", content=encoded(), headers=PNG)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "the task of decoder-test is decode; expected a model that upscales pictures",
    )


def test_colours_stay_or_become_srgb(client: httpx.Client) -> None:
    flat = pyvips.Image.new_from_array([[1] * 20] * 12) * [40, 200, 90]
    wide = flat.cast("uchar").copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    given, profile = wide.pngsave_buffer(), wide.get("icc-profile-data")
    kept = codecs.decode(client.post("/v1/upscale", content=given).content)
    converted = codecs.decode(client.post("/v1/upscale?profile=srgb", content=given).content)
    assert kept.metadata.icc == profile
    assert np.abs(kept.samples[0, 0].astype(int) - wide(0, 0)).max() <= 1
    assert converted.metadata.icc != profile
    assert np.abs(converted.samples[0, 0].astype(int) - [40, 200, 90]).max() <= 2


@pytest.mark.parametrize(
    ("seconds", "status"), [("0.99", 422), ("1", 200), ("86400", 200), ("86401", 422), ("nan", 422), ("soon", 422)]
)
def test_a_timeout_is_between_a_second_and_a_day(client: httpx.Client, encoded: Encoded, seconds: str, status: int) -> None:
    answer = client.post("/v1/upscale", content=encoded(), headers={"X-Upconv-Timeout": seconds})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("deadline_s", "answers"), [(4, {None: 200, "2": 413, "5": 200}), (2, {None: 413, "4": 413})], ids=["of 4 s", "of 2 s"]
)
def test_a_timeout_shortens_the_deadline_and_never_lengthens_it(
    client_with: Callable[..., Any], encoded: Encoded, deadline_s: float, answers: dict[str | None, int]
) -> None:
    with client_with(deadline_s=deadline_s) as client:
        (entry,) = client.state.models.entries.values()
        for seconds, status in answers.items():
            entry.pixels_per_s = 20 * 12 / (3 * client.state.admission._throughput.per_s)  # so that 3 s are predicted
            headers = {"X-Upconv-Timeout": seconds} if seconds else {}
            answer = client.post("/v1/upscale", content=encoded(), headers=headers)
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("query", "status"), [("format=avif&lossless=true", 413), ("format=jpeg", 200)])
def test_the_time_of_the_encoder_is_predicted(
    client_with: Callable[..., Any], encoded: Encoded, query: str, status: int
) -> None:
    with client_with() as client:
        client.state.speeds.write_s = lambda name, lossless, pixels: 1e-3 * pixels if (name, lossless) == ("avif", True) else 0
        answer = client.post(f"/v1/upscale?{query}", content=encoded("png", 50, 50), headers={"X-Upconv-Timeout": "9"})
        assert answer.status_code == status
        if status == 413:
            assert answer.json()["detail"].startswith("this would take about 10 s, over the ")


@pytest.mark.parametrize(("folder", "status"), [("gone", 200), ("file/gone", 503)])
def test_a_missing_folder_of_temporary_files_is_created_again_or_the_service_s_trouble(
    client: httpx.Client, encoded: Encoded, folder: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
    monkeypatch.setattr("upconv.runtime.canvas.SPOOL_BYTES", 10)
    answer = client.post("/v1/upscale", content=encoded())
    assert answer.status_code == status
    if status == 503:
        assert (answer.json()["type"], answer.headers["retry-after"]) == ("/docs#no-disk", "1")


def test_memory_that_is_missing_is_the_service_s_trouble(
    client: httpx.Client, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("upconv.runtime.codecs.decoding.to_samples", fail)
    answer = client.post("/v1/upscale", content=encoded())
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#no-memory", "1")


@pytest.mark.parametrize(
    ("format", "media_type"),
    [("HEIF", "image/jpeg"), ("BMP", "image/png"), ("TGA", "image/png"), ("PPM", "image/png"), ("JPEG2000", "image/png")],
)
def test_formats_that_are_only_read(client: httpx.Client, format: str, media_type: str) -> None:
    image, buffer = Image.new("RGB", (64, 48), (200, 30, 40)), io.BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(buffer)
    else:
        image.save(buffer, format)
    answer = client.post("/v1/upscale", content=buffer.getvalue(), headers={"Content-Type": "image/heic"})
    assert (answer.status_code, answer.headers["content-type"], size(answer.content)) == (200, media_type, (128, 96))
    assert "upconv does not write" in answer.headers["x-upconv-conversions"]
    damaged = client.post("/v1/upscale", content=buffer.getvalue()[:60])
    assert (damaged.status_code, damaged.headers["content-type"]) == (422, "application/problem+json")


def test_few_colours_and_a_border(client: httpx.Client, encoded: Encoded) -> None:
    answer = client.post("/v1/upscale?colors=4&border=wrap", content=encoded())
    assert answer.status_code == 200
    assert answer.content[24:26] == bytes([2, 3]), "2 bits, a palette"
    refused = client.post("/v1/upscale?colors=4&format=webp", content=encoded())
    assert refused.status_code == 422
    assert "webp is not written with 4 colours; choose png" in refused.text
    for wrong in ("border=black", "colors=3", "colors=four", "colors=99999999999"):
        assert client.post(f"/v1/upscale?{wrong}", content=encoded()).status_code == 422


def test_the_start_says_that_the_address_space_is_too_small(
    client_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for free, said in ((0, False), (-1, True)):
        monkeypatch.setattr(memory, "address_space_bytes", lambda free=free: memory.room_bytes() + free)
        with client_with() as client:
            assert client.get("/readyz").status_code == 200
        wait_for_outputs()
        assert ("all pictures are refused" in capsys.readouterr().err) == said


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/jobs", "/v2/models/nearest-x2-test/infer"])
def test_nothing_is_read_without_address_space(
    client: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(memory, "address_space_bytes", lambda: memory.room_bytes() - 1)
    refused = client.post(path, content=encoded())
    assert (refused.status_code, "ulimit -v" in refused.text) == (503, True)
    assert int(refused.headers["retry-after"]) >= 1
    assert client.get("/healthz").status_code == 200
    monkeypatch.setattr(memory, "address_space_bytes", lambda: float("inf"))
    assert client.post(path, content=encoded()).status_code != 503


def test_full_service(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_waiting=1) as client:
        with admitted(client.state.admission):
            answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#full", "1")
        assert client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"}).status_code == 200


def test_no_room_for_the_bytes(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_bytes=10_000, max_waiting_bytes=10_000) as client, client.state.admission.reading() as ticket:
        ticket.hold(9_990)
        answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, int(answer.headers["retry-after"])) == (503, 1)


@pytest.mark.parametrize(("wait_s", "seconds", "status"), [(50, "60", 503), (50, None, 503), (0, None, 200)])
def test_a_long_line(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], wait_s: float, seconds: str | None, status: int
) -> None:
    with client_with(max_wait_s=40) as client:
        client.state.admission.cost_s = wait_s
        headers = {"X-Upconv-Timeout": seconds} if seconds else {}
        answer = client.post("/v1/upscale", content=encoded(), headers=headers)
        assert answer.status_code == status
        if status == 503:
            assert int(answer.headers["retry-after"]) == 50
        client.state.admission.cost_s = 0
