from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime import Upscaler
from upconv.service import Settings
from upconv.service.errors import AdmissionFullError, RateLimitError
from upconv.service.jobs.acceptance import Acceptance, accept
from upconv.service.jobs.folder import opened
from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.storage import JobStorage
from upconv.service.parameters import UpscaleQuery

FREE_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def upscaler(nearest_x2: Path) -> Iterator[Upscaler]:
    with Upscaler(nearest_x2, workers=1) as upscaler:
        yield upscaler


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[JobStorage]:
    with opened(tmp_path) as storage:
        yield storage


def taken(picture: bytes, upscaler: Upscaler, storage: JobStorage, **settings: Any) -> bool:
    """Whether a picture is accepted under these settings."""
    limits = Settings(models=(Path("a.onnx"),), **settings)
    try:
        accept(Acceptance(picture, "", UpscaleQuery(model="m"), "", None), upscaler, storage, limits)
    except AdmissionFullError:
        return False
    return True


def test_as_many_jobs_wait_as_are_allowed(encoded: Callable[..., bytes], upscaler: Upscaler, storage: JobStorage) -> None:
    assert [taken(encoded(), upscaler, storage, max_jobs=2) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("spare", "accepted"), [(0, True), (-1, False)])
def test_pictures_take_as_many_bytes_as_are_allowed(
    spare: int, accepted: bool, encoded: Callable[..., bytes], upscaler: Upscaler, storage: JobStorage
) -> None:
    picture = encoded()
    assert taken(picture, upscaler, storage)
    assert taken(picture, upscaler, storage, max_job_bytes=2 * len(picture) + spare) is accepted


@pytest.mark.parametrize(("spare", "accepted"), [(0, True), (-1, False)])
def test_64_mib_of_the_disk_stay_free(
    spare: int,
    accepted: bool,
    encoded: Callable[..., bytes],
    upscaler: Upscaler,
    storage: JobStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = encoded()
    monkeypatch.setattr(FolderFiles, "free_bytes", lambda _: len(picture) + FREE_BYTES + spare)
    assert taken(picture, upscaler, storage) is accepted


def test_a_refusal_says_to_come_back_in_half_a_minute(
    encoded: Callable[..., bytes], upscaler: Upscaler, storage: JobStorage
) -> None:
    limits = Settings(models=(Path("a.onnx"),), max_job_bytes=1)
    with pytest.raises(AdmissionFullError, match="try again in 30 s") as refused:
        accept(Acceptance(encoded(), "", UpscaleQuery(model="m"), "", None), upscaler, storage, limits)
    assert refused.value.retry_after_s == 30


def test_a_key_has_its_share_of_the_queue(encoded: Callable[..., bytes], upscaler: Upscaler, storage: JobStorage) -> None:
    limits = Settings(models=(Path("a.onnx"),), max_jobs=5)
    accepted = Counter[str]()
    for owner in ("ann", "ann", "ann", "ann", "bob", "bob"):
        with suppress(RateLimitError, AdmissionFullError):
            accept(Acceptance(encoded(), "", UpscaleQuery(model="m"), owner, None), upscaler, storage, limits)
            accepted[owner] += 1
    assert accepted == {"ann": 3, "bob": 2}, "half of the queue, rounded up"


def test_without_keys_nobody_shares(encoded: Callable[..., bytes], upscaler: Upscaler, storage: JobStorage) -> None:
    assert [taken(encoded(), upscaler, storage, max_jobs=3, max_jobs_per_key=1) for _ in range(4)] == [True] * 3 + [False]
