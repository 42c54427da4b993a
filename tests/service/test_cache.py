from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import UpscaleOptions
from upconv.service.cache import Cache, CachedResult, etag, matches

Encoded = Callable[..., bytes]


def test_the_same_request_is_answered_again(client_with: Callable[..., Any], encoded: Encoded, tmp_path: Path) -> None:
    with client_with(cache_dir=tmp_path) as client:
        first = client.post("/v1/upscale", content=encoded())
        again = client.post("/v1/upscale", files={"file": encoded()})
        assert ("x-upconv-cache" in first.headers, again.headers["x-upconv-cache"]) == (False, "hit")
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
        assert again.headers["x-upconv-tiles"] == "1"
        for query in ("?scale=3", "?quality=80", "?format=webp", "?metadata=strip", "?profile=srgb"):
            assert "x-upconv-cache" not in client.post(f"/v1/upscale{query}", content=encoded()).headers
        assert "x-upconv-cache" not in client.post("/v1/upscale", content=encoded("png", 13)).headers
        lines = client.get("/metrics").text.splitlines()
        assert {'upconv_cache_lookups_total{found="true"} 1.0', 'upconv_cache_lookups_total{found="false"} 7.0'} <= set(lines)
    with client_with(cache_dir=tmp_path) as client:
        assert client.post("/v1/upscale", content=encoded()).headers["x-upconv-cache"] == "hit"


def test_the_tag_is_that_of_earlier_processes_for_an_equal_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.service.cache.version", lambda _: "0.1.0")
    many = UpscaleOptions(width=50, height=40, quality=80, metadata="strip", profile="srgb", max_pixels=5, max_output_pixels=7)
    for options, tag in (
        (UpscaleOptions(), "797b8b4c8b9541e181d257ce7b1ab5063c2f16f3d2b6cda4fab4b6549c6a39c4"),
        (
            UpscaleOptions(scale=2.0, format="webp", lossless=True),
            "9d5d4d59a40fd3bb10290a0230b0e94f4b0b9c9d950454c4c8059b7640256958",
        ),
        (many, "8a28d7021f764d99e7ef0845df1978ffa1798aac746ead9c6442189f84f672ae"),
    ):
        assert etag(options, b"picture", "model") == f'"{tag}"'


@pytest.mark.parametrize(
    "other",
    [
        (UpscaleOptions(), b"picture", "another model"),
        (UpscaleOptions(), b"another picture", "model"),
        *(
            (options, b"picture", "model")
            for options in (
                UpscaleOptions(scale=2),
                UpscaleOptions(width=9),
                UpscaleOptions(height=9),
                UpscaleOptions(format="png"),
                UpscaleOptions(quality=89),
                UpscaleOptions(lossless=True),
                UpscaleOptions(metadata="strip"),
                UpscaleOptions(profile="srgb"),
            )
        ),
    ],
)
def test_another_request_has_another_tag(other: tuple[UpscaleOptions, bytes, str]) -> None:
    assert etag(*other) != etag(UpscaleOptions(), b"picture", "model")


def test_not_modified(client: Any, encoded: Encoded) -> None:
    etag = client.post("/v1/upscale", content=encoded()).headers["etag"]
    for given, status in ((etag, 304), ("*", 304), (f'"x", W/{etag}', 304), ('"x"', 200), ("", 200)):
        answer = client.post("/v1/upscale", content=encoded(), headers={"If-None-Match": given})
        assert (answer.status_code, answer.headers["etag"], answer.content == b"") == (status, etag, status == 304)


def test_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for n, name in enumerate("abc"):
        cache.put(f'"{name}"', CachedResult(b"x" * 300, {}))
        os.utime(tmp_path / f"{name}.kept", (n, n))
    assert cache.get('"a"') == CachedResult(b"x" * 300, {})
    cache.put('"d"', CachedResult(b"x" * 300, {"A": "b"}))
    assert {path.name for path in tmp_path.iterdir()} == {"a.kept", "d.kept"}
    assert cache.bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) <= 900
    assert cache.get('"b"') is None
    cache.put('"e"', CachedResult(b"x" * 1000, {}))
    assert cache.get('"e"') is None, "larger than the whole"


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00no", b"\x04\x00"])
def test_damaged_files_count_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.kept").write_bytes(content)
    assert Cache(tmp_path, 1000).get('"a"') is None


def test_leftovers(tmp_path: Path) -> None:
    (tmp_path / ".part-x").write_bytes(b"half")
    Cache(tmp_path, 10)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ParameterError, match="cannot be used"):
        Cache(Path("/dev/null/cache"), 10)


def test_matches() -> None:
    assert not matches("", '"a"')
    assert matches(' "b" , "a"', '"a"')
    assert matches('"b","a"', '"a"')


def entry(bytes: int) -> CachedResult:
    """Return a result whose file has this size: four bytes, the headers `{}`, the picture."""
    return CachedResult(b"x" * (bytes - 6), {})


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (1001, False)])
def test_a_result_as_large_as_the_whole_is_kept(tmp_path: Path, size: int, kept: bool) -> None:
    cache = Cache(tmp_path, 1000)
    cache.put('"X"', entry(size))
    assert (cache.get('"X"') is not None) is kept
    assert [path.name for path in tmp_path.iterdir()] == (["X.kept"] if kept else [])
    assert cache.bytes == (size if kept else 0)


@pytest.mark.parametrize(
    ("sizes", "left"), [((500, 400, 100), "abc"), ((500, 400, 101), "bc"), ((100, 800, 101), "c"), ((101, 800, 100), "bc")]
)
def test_what_is_too_much_is_swept_to_nine_tenths(tmp_path: Path, sizes: tuple[int, ...], left: str) -> None:
    cache = Cache(tmp_path, 1000)
    for n, (name, size) in enumerate(zip("abc", sizes, strict=True)):
        cache.put(f'"{name}"', entry(size))
        if name != "c":
            os.utime(tmp_path / f"{name}.kept", (n, n))
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.kept" for name in left}
    assert cache.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_another_process_counts_what_it_finds(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    first = Cache(folder, 1000)
    assert folder.stat().st_mode & 0o777 == 0o700, "results are nobody else's business"
    first.put('"a"', CachedResult(b"x" * 100, {"A": "b"}))
    (folder / "other").write_bytes(b"x" * 1000)
    assert Cache(folder, 1000).bytes == first.bytes == (folder / "a.kept").stat().st_size


def test_what_the_disk_does_not_take_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    cache = Cache(tmp_path, 1000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        cache.put('"a"', entry(10))
    assert (cache.get('"a"'), cache.bytes) == (None, 0)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".part-"), "so that the next process deletes it"
