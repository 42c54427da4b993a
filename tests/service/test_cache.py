from __future__ import annotations

import errno
import os
import subprocess
import sys
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
        (UpscaleOptions(), "d963aaae852f6847172b8a7e3d1d95ed2a3a1627b9ead244003d87600df9b711"),
        (
            UpscaleOptions(scale=2.0, format="webp", lossless=True),
            "51c51ad614a7d95dd995c0adc706e8c130cb31ef4f610c970c9f16a5a60f9957",
        ),
        (many, "48daa9c0aedb2b69812ae0f9db8378c579ddd83f903af50839ea77a6d2201453"),
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
                UpscaleOptions(width=9, height=9),
                UpscaleOptions(width=9, height=9, fitting="fit"),
                UpscaleOptions(width=9, height=9, fitting="fill"),
                UpscaleOptions(border="wrap"),
                UpscaleOptions(colors=16),
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
        cache.put(f'"{name}"', CachedResult(b"x" * 250, {}))
        os.utime(tmp_path / f"{name}.kept", (n, n))
    assert cache.get('"a"') == CachedResult(b"x" * 250, {})
    cache.put('"d"', CachedResult(b"x" * 250, {"A": "b"}))
    assert {path.name for path in tmp_path.iterdir()} == {"a.kept", "d.kept"}
    assert cache.bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) <= 900
    assert cache.get('"b"') is None
    cache.put('"e"', CachedResult(b"x" * 1000, {}))
    assert cache.get('"e"') is None, "larger than the whole"


def cut(file: bytearray) -> bytes:
    return bytes(file[:-1])


def emptied(_: bytearray) -> bytes:
    return b""


def longer(file: bytearray) -> bytes:
    return bytes(file) + b"x"


def changed_at(place: int) -> Callable[[bytearray], bytes]:
    def change(file: bytearray) -> bytes:
        file[place] ^= 1
        return bytes(file)

    return change


@pytest.mark.parametrize("damage", [cut, emptied, longer, *map(changed_at, (0, 8, 39, 40, 48, 60, -1))])
def test_a_damaged_file_is_deleted_and_counted(tmp_path: Path, damage: Callable[[bytearray], bytes]) -> None:
    failures = list[str]()
    cache, path = Cache(tmp_path, 1000, failures.append), tmp_path / "a.kept"
    cache.put('"another"', entry(200))
    cache.put('"a"', CachedResult(b"x" * 100, {"A": "b"}))
    whole = path.read_bytes()
    assert cache.get('"a"') == CachedResult(b"x" * 100, {"A": "b"})
    path.write_bytes(damage(bytearray(whole)))
    assert cache.get('"a"') is None
    assert (failures, path.exists()) == (["damaged"], False)
    cache.put('"a"', CachedResult(b"x" * 100, {"A": "b"}))
    assert (path.read_bytes(), cache.bytes, failures) == (whole, len(whole) + 200, ["damaged"])
    assert cache.get('"another"') == entry(200)


def test_a_file_under_the_name_of_another_is_damaged(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    cache.put('"a"', entry(100))
    (tmp_path / "a.kept").rename(tmp_path / "b.kept")
    assert cache.get('"b"') is None


def test_a_file_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    failures = list[str]()
    cache = Cache(tmp_path, 1000, failures.append)
    (tmp_path / "a.kept").mkdir()
    assert (cache.get('"a"'), failures) == (None, ["read"])
    assert (cache.get('"b"'), failures) == (None, ["read"])


def test_a_result_that_is_stored_again_counts_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for size in (300, 300, 200):
        cache.put('"a"', entry(size))
        assert cache.bytes == size


def test_a_folder_beyond_its_limit_is_swept_at_the_start(tmp_path: Path) -> None:
    for name in "abcd":
        Cache(tmp_path, 1000).put(f'"{name}"', entry(200))
        os.utime(tmp_path / f"{name}.kept", (ord(name), ord(name)))
    assert Cache(tmp_path, 800).bytes == 800
    assert Cache(tmp_path, 799).bytes == 600
    assert {path.name for path in tmp_path.iterdir()} == {"b.kept", "c.kept", "d.kept"}


def test_a_missing_folder_is_created_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "a", 1000)
    (tmp_path / "a").rmdir()
    cache.put('"a"', entry(100))
    assert cache.get('"a"') == entry(100)


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
    """Return a result whose file has this size: a length, a checksum, a length, the headers `{}`, the picture."""
    return CachedResult(b"x" * (bytes - 50), {})


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


@pytest.mark.parametrize(("number", "tries"), [(errno.ENOSPC, 2), (errno.EDQUOT, 2), (errno.EACCES, 1)])
def test_what_the_disk_does_not_take_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, tries: int
) -> None:
    failures, tried = list[str](), list[str]()

    def fail(source: str, _: Path) -> None:
        tried.append(source)
        raise OSError(number, os.strerror(number))

    cache = Cache(tmp_path, 1000, failures.append)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        cache.put('"a"', entry(100))
    assert (cache.get('"a"'), cache.bytes, list(tmp_path.iterdir()), failures) == (None, 0, [], ["write"])
    assert len(tried) == tries, "a full disk is tried again after a sweep"
    assert {(Path(each).parent, Path(each).name[:6]) for each in tried} == {(tmp_path, ".part-")}, "one disk, and swept if left"
    cache.put('"a"', entry(100))
    assert (cache.get('"a"'), failures) == (entry(100), ["write"])


@pytest.mark.parametrize(("size", "left"), [(200, "cd"), (60, "bcd")])
def test_a_full_disk_makes_room_for_the_result_and_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, left: str
) -> None:
    cache, replace, full = Cache(tmp_path, 10_000), os.replace, [True]
    for n, (name, bytes) in enumerate((("a", 120), ("b", 300), ("c", 580))):
        cache.put(f'"{name}"', entry(bytes))
        os.utime(tmp_path / f"{name}.kept", (n, n))

    def fill(source: str, target: Path) -> None:
        if full.pop():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    full.insert(0, False)
    monkeypatch.setattr(os, "replace", fill)
    cache.put('"d"', entry(size))
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.kept" for name in left}
    assert cache.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_a_file_that_another_process_deletes_meanwhile_is_not_counted(tmp_path: Path) -> None:
    Cache(tmp_path, 1000).put('"a"', entry(100))
    (tmp_path / "b.kept").symlink_to(tmp_path / "gone")
    assert Cache(tmp_path, 1000).bytes == 100


def test_a_full_disk_leaves_the_newest_results() -> None:
    """A limit on the size of files cannot replace this disk, because it is the sum of the files that does not fit."""
    program = """
import ctypes, os, sys, tempfile
from pathlib import Path
from upconv.service.cache import Cache, CachedResult
library = ctypes.CDLL(None, use_errno=True)
if library.unshare(0x20000):  # a mount namespace of its own, which only root may have
    sys.exit(77)
library.mount(b"none", b"/", None, 0x44000, None)  # the mount ends with this process
folder = Path(tempfile.mkdtemp())
if library.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=1m"):
    sys.exit(77)
failures = []
cache = Cache(folder, 1 << 30, failures.append)
for number in range(12):
    cache.put(f'"{number}"', CachedResult(bytes([number]) * 200_000, {}))
    os.utime(folder / f"{number}.kept", (number, number))
kept = [number for number in range(12) if (found := cache.get(f'"{number}"')) and found.data == bytes([number]) * 200_000]
names = sorted(path.name for path in folder.iterdir())
print(kept, failures, names == sorted(f"{number}.kept" for number in kept), cache.bytes == sum(p.stat().st_size for p in folder.iterdir()))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if run.returncode == 77:
        pytest.skip("this system does not let a test mount a file system")
    assert run.stdout.split("] [")[0].endswith("10, 11"), run.stderr
    assert run.stdout.endswith("[] True True\n"), run.stdout
