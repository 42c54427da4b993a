from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.runtime import UpscaleOptions, Upscaler, open_model
from upconv.runtime import memory as runtime_memory
from upconv.runtime.codecs.coding_speed import CodingSpeeds
from upconv.runtime.errors import ImageTooLargeError, OutOfMemoryError
from upconv.service.cost import PICTURE_PX, Coding, Cost, MemoryBudget, predict, predict_batch, total
from upconv.service.model_files import FileSignature
from upconv.service.registry import ServedModel


def test_prediction(nearest_x2: Path) -> None:
    with Upscaler(open_model(nearest_x2), workers=1) as upscaler:
        entry = ServedModel(upscaler.model, upscaler, FileSignature(0, 0, 0), pixels_per_s=1000)
        cost = predict(upscaler.passes(20, 10), entry, Coding("png", "png", False, CodingSpeeds()))
        assert (cost.tiles, cost.bytes) == (1, 800 * 20)
        assert cost.seconds == pytest.approx(0.2, rel=0.01)
        fourfold = predict(upscaler.passes(20, 10, UpscaleOptions(scale=3)), entry, Coding("png", "png", False, CodingSpeeds()))
        assert (fourfold.tiles, fourfold.bytes) == (2, 3200 * 20), "two passes, then smaller"
        assert fourfold.seconds == pytest.approx(1.0, rel=0.01)
        same = predict(upscaler.passes(20, 10, UpscaleOptions(scale=1)), entry, Coding("png", "png", False, CodingSpeeds()))
        assert (same.tiles, same.bytes) == (0, 200 * 20), "no pass"


class GivenSpeeds(CodingSpeeds):
    """A second for each pixel that is read, and for each that is written 10, or 100 without loss."""

    def read_s(self, format: str, pixels: int) -> float:
        return {"png": 1.0, "jpeg": 2.0}[format] * pixels

    def write_s(self, format: str, lossless: bool, pixels: int) -> float:
        return {"avif": 10.0, "png": 5.0}[format] * (10 if lossless else 1) * pixels


def test_the_format_of_the_result_is_part_of_the_prediction(nearest_x2: Path, encoded: Callable[..., bytes]) -> None:
    with Upscaler(open_model(nearest_x2), workers=1) as upscaler:
        entry = ServedModel(upscaler.model, upscaler, FileSignature(0, 0, 0), pixels_per_s=1000)
        passes = upscaler.passes(20, 10)
        for format, options, seconds, bytes in (
            ("png", UpscaleOptions(), 200 + 800 * 5, 20),
            ("jpeg", UpscaleOptions(format="avif"), 400 + 800 * 10, 60),
            ("png", UpscaleOptions(format="avif", lossless=True), 200 + 800 * 100, 60),
        ):
            cost = predict(passes, entry, Coding.of(encoded(format), options, GivenSpeeds()))
            assert cost.seconds == pytest.approx(seconds + 0.2)
            assert cost.bytes == 800 * bytes
            assert cost.tile_share == pytest.approx(0.2 / (seconds + 0.2))


def test_each_picture_of_a_batch_costs_something(nearest_x2: Path) -> None:
    with Upscaler(open_model(nearest_x2), workers=1) as upscaler:
        entry = ServedModel(upscaler.model, upscaler, FileSignature(0, 0, 0), pixels_per_s=1000)
        tiny = predict_batch(1_000_000, upscaler.engine.plan(1, 1), 3, entry)
        assert (tiny.tiles, tiny.bytes, tiny.seconds) == (1_000_000, 8 * 3 * 4_000_000, 1000 * (1 + PICTURE_PX))
        one = predict_batch(1, upscaler.engine.plan(100, 100), 3, entry)
        assert (one.tiles, one.tile_share) == (1, 1.0)
        assert one.seconds == pytest.approx(10.128)


def test_nothing_is_done_with_the_last_tile_of_nothing() -> None:
    assert Cost(0, 0, 0.0, 0.0).tile_share == 1.0


def test_one_after_the_other() -> None:
    assert total([Cost(1, 10, 1.0), Cost(2, 30, 2.0, 0.5)]) == Cost(3, 30, 3.0, 1.5)


def test_memory_is_given_in_turn() -> None:
    async def use() -> list[str]:
        memory, order = MemoryBudget(10), list[str]()

        async def take(name: str, bytes: int, seconds: float) -> None:
            async with memory.room(bytes):
                assert memory.taken <= 10
                order.append(name)
                await asyncio.sleep(seconds)

        tasks = [asyncio.create_task(take(*each)) for each in (("a", 6, 0.05), ("b", 6, 0), ("gone", 9, 0), ("c", 4, 0))]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert memory.taken == 0
        with pytest.raises(ImageTooLargeError, match="would take 11 bytes of memory; at most 10"):
            async with memory.room(11):
                pass
        return order

    assert asyncio.run(use()) == ["a", "b", "c"]


def test_memory_needs_address_space(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use() -> None:
        budget = MemoryBudget(100)
        async with budget.room(60):
            with pytest.raises(OutOfMemoryError):  # the 60 bytes may not be in use yet
                async with budget.room(5):
                    pass
            async with budget.room(4):
                assert budget.taken == 64
                with pytest.raises(OutOfMemoryError):
                    async with budget.room(0):
                        pass
        assert budget.taken == 0

    monkeypatch.setattr(runtime_memory, "address_space_bytes", lambda: runtime_memory.room_bytes(2) + 64)
    asyncio.run(use())


def test_memory_that_came_too_late() -> None:
    async def use() -> None:
        memory = MemoryBudget(10)
        waiting = asyncio.create_task(memory.room(10).__aenter__())
        async with memory.room(10):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert memory.taken == 0

    asyncio.run(use())
