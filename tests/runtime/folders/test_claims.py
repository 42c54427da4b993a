from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from upconv.runtime.folders.claims import EXPIRY_S, FOLDER, HEARTBEAT_S, Claim, Claims

TAKE = "import sys; from pathlib import Path; from upconv.runtime.folders.claims import Claims\n"
TAKE += "print(Claims(Path(sys.argv[1])).take('a.png') is not None, flush=True)"


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Claims]:
    """Return claims that expire at once if their owner does not touch them."""
    claims = Claims(tmp_path, expiry_s=0.2, heartbeat_s=0.05)
    yield claims
    claims.close()


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Claims]:
    """Return the claims of another owner, who does not touch them in the time of a test."""
    claims = Claims(tmp_path, expiry_s=0.2, heartbeat_s=60)
    yield claims
    claims.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name.partition(".")[2] for path in (folder / FOLDER).iterdir())


def test_one_owner_at_a_time(ours: Claims, others: Claims, tmp_path: Path) -> None:
    claim = ours.take("a.png")
    assert claim is not None
    assert others.take("a.png") is None
    assert ours.take("a.png") is None, "nor the same owner twice"
    assert others.take("b.png") is not None
    ours.release(claim)
    assert others.take("a.png") is not None


def test_a_claim_that_is_touched_does_not_expire(ours: Claims, others: Claims) -> None:
    assert ours.take("a.png") is not None
    for _ in range(6):
        assert others.take("a.png") is None
        time.sleep(0.1)


def test_a_claim_that_is_not_touched_expires(ours: Claims, others: Claims, tmp_path: Path) -> None:
    stale = others.take("a.png")
    assert ours.take("a.png") is None, "its time begins when it is first seen"
    time.sleep(0.25)
    taken = ours.take("a.png")
    assert taken is not None
    assert files(tmp_path) == ["0", "1"], "the second generation"
    assert others.take("a.png") is None
    ours.release(taken)
    assert files(tmp_path) == []
    assert stale is not None
    others.release(stale)


def test_clocks_of_machines_may_differ(ours: Claims, others: Claims, tmp_path: Path) -> None:
    assert others.take("a.png") is not None
    (file,) = (tmp_path / FOLDER).iterdir()
    for age_s in (10**6, -(10**6)):
        os.utime(file, (time.time() - age_s,) * 2)
        assert ours.take("a.png") is None


def test_of_many_that_see_an_expiry_one_takes_over(others: Claims, tmp_path: Path) -> None:
    assert others.take("a.png") is not None
    many = [Claims(tmp_path, expiry_s=0.2, heartbeat_s=0.05) for _ in range(8)]
    assert not any(claims.take("a.png") for claims in many)
    time.sleep(0.25)
    barrier, won = threading.Barrier(8), list[Claim]()

    def attempt(claims: Claims) -> None:
        barrier.wait()
        if (claim := claims.take("a.png")) is not None:
            won.append(claim)

    threads = [threading.Thread(target=attempt, args=(claims,)) for claims in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for claims in many:
        claims.close()
    assert len(won) <= 1, "if two meet, both may yield, and one takes it later"


def test_claims_that_are_held_together_are_links_to_one_file(ours: Claims, others: Claims, tmp_path: Path) -> None:
    first, second = ours.take("a.png"), ours.take("b.png")
    assert first is not None
    assert second is not None
    assert os.path.samefile(str(first.files[0]), str(second.files[0]))
    ours.release(first)
    assert others.take("b.png") is None, "the other one stays"
    third = others.take("a.png")
    assert third is not None
    assert not os.path.samefile(str(third.files[0]), str(second.files[0])), (
        "a link to the file of another owner would expire with it"
    )


def test_a_file_system_without_links_has_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("upconv.runtime.folders.places.os.link", refuse)
    claims = Claims(tmp_path)
    taken = [claims.take(name) for name in ("a.png", "b.png", "a.png")]
    assert [claim is not None for claim in taken] == [True, True, False]
    claims.close()


def test_the_claim_of_a_process_that_is_gone_is_free_at_once(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TAKE, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    claims = Claims(tmp_path)
    taken = claims.take("a.png")
    assert taken is not None
    assert len(taken.files) == 2
    claims.release(taken)
    claims.close()
    assert not (tmp_path / FOLDER).exists()


def test_the_claims_of_processes_that_are_gone_are_removed_at_the_end(others: Claims, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", TAKE, tmp_path], capture_output=True, check=True)
    held = others.take("b.png")
    assert held is not None
    Claims(tmp_path).close()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [held.files[0].name], "the claim of a running process stays"
    others.release(held)
    Claims(tmp_path).close()
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', json.dumps({"machine": 1}).encode()])
def test_a_claim_that_says_nothing_is_kept_until_it_expires(
    content: bytes, ours: Claims, others: Claims, tmp_path: Path
) -> None:
    assert others.take("a.png") is not None
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(content)
    assert ours.take("a.png") is None
    time.sleep(0.25)
    assert ours.take("a.png") is not None


def test_the_times_that_the_documentation_states() -> None:
    assert (HEARTBEAT_S, EXPIRY_S) == (10, 60)


def test_folders_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Claims(tmp_path / "file").take("a.png")
