"""The prediction of `upconv upscale --dry-run`: sizes, time and memory of each picture, without computing any."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.runtime.errors import UpconvError, first_line

if TYPE_CHECKING:
    from upconv.runtime import UpscaleOptions, Upscaler
    from upconv.runtime.auto_upscaler import AnyUpscaler
    from upconv.runtime.calibration import Calibration
    from upconv.runtime.codecs.coding_speed import CodingSpeeds
    from upconv.runtime.folders import FileTask
    from upconv.runtime.passes import Passes


_BYTES_PER_FRAME_PX = 16
"""Memory of a frame for each pixel of its result: planes of chroma as floats, and the bytes to write, or samples of 16 bits."""


@dataclass(frozen=True)
class PlannedPicture:
    """The prediction for one picture."""

    task: FileTask
    before: tuple[int, int] | None = None
    """Size of the picture. `None` if there is no result."""
    after: tuple[int, int] | None = None
    """Size of the result. `None` if there is no result."""
    core_seconds: float = 0
    """Seconds of one core."""
    seconds: float = 0
    """Seconds if no other picture is computed."""
    bytes: int = 0
    """Memory of the picture, without that of the process and of tiles."""
    error: str | None = None
    """The reason why there is no result. `None` if there is one."""

    def line(self) -> str:
        """Return the prediction as a line."""
        if self.before is None or self.after is None:
            return f"error: {self.error}"
        (width, height), (across, down) = self.before, self.after
        cost = f"about {self.seconds:.2f} s and {_megabytes(self.bytes)}"
        return f"{self.task.source}: {width}x{height} to {across}x{down} as {self.task.destination}, {cost}"

    def row(self) -> dict[str, Any]:
        """Return the prediction for `--json`."""
        row: dict[str, Any] = {"input": str(self.task.source), "output": str(self.task.destination)}
        if self.error is not None:
            return {**row, "status": "failed", "error": self.error}
        sizes = {"from": self.before, "to": self.after}
        return {**row, "status": "planned", **sizes, "seconds": round(self.seconds, 6), "bytes": self.bytes}


class Prediction:
    """Predicts pictures. The speed and memory of each model are measured once, in a quarter of a second."""

    def __init__(self, upscaler: AnyUpscaler, options: UpscaleOptions) -> None:
        """Measure the model of `upscaler`, or the usual model of its set."""
        from upconv.runtime.codecs.coding_speed import CodingSpeeds
        from upconv.runtime.cores import available_cores

        self._upscaler, self._options = upscaler, options
        self._cores = available_cores()
        self._calibrations: dict[str, Calibration] = {}
        self._speeds: CodingSpeeds = CodingSpeeds()
        self._tile_px = 0

    def of(self, task: FileTask) -> PlannedPicture:
        """Return the prediction for one picture. A picture that cannot be upscaled gives one with an error."""
        if task.refusal is not None:
            return PlannedPicture(task, error=task.refusal)
        try:
            return self._planned(task)
        except UpconvError as error:
            sentence = str(error)
        except OSError as error:
            sentence = first_line(error)
        return PlannedPicture(task, error=sentence if str(task.source) in sentence else f"{task.source}: {sentence}")

    def total(self, planned: Iterable[PlannedPicture], model: str) -> dict[str, Any]:
        """Return the sum for `--json`: counts, seconds with all cores at work, and the peak of memory."""
        done = [picture for picture in planned if picture.error is None]
        slowest = max((picture.seconds for picture in done), default=0)
        seconds = max(slowest, sum(picture.core_seconds for picture in done) / self._cores)
        at_once = sorted((picture.bytes for picture in done), reverse=True)[: max(2, self._cores)]
        return {
            "model": model,
            "pictures": len(done),
            "seconds": round(seconds, 6),
            "bytes": int(self._process_bytes() + sum(at_once)),
        }

    def of_frames(self, passes: Passes) -> dict[str, Any]:
        """Return the prediction for the frames of a video, for `--json`."""
        seconds = self._tile_seconds(passes)
        at_once = (self._cores + 2) * passes.largest_px * _BYTES_PER_FRAME_PX
        return {
            "model": self._upscaler.name,
            "from": (passes.width, passes.height),
            "to": passes.output_size,
            "frames_per_s": round(self._cores / max(seconds, 1e-6), 2),
            "bytes": int(self._process_bytes() + at_once),
        }

    def _process_bytes(self) -> float:
        """Return the memory of the process and of the tiles that are computed at the same time."""
        return _resident_bytes() + self._cores * self._tile_px * max(
            (each.bytes_per_px for each in self._calibrations.values()), default=0
        )

    def _planned(self, task: FileTask) -> PlannedPicture:
        from upconv.runtime.codecs import format_of, sniff
        from upconv.runtime.codecs.formats import ANIMATED, WRITABLE
        from upconv.runtime.folders.places import read_bytes
        from upconv.runtime.peak_memory import peak_bytes
        from upconv.runtime.processing import predict_passes

        options = self._options
        data = read_bytes(task.source, options.max_pixels)
        passes = predict_passes(data, self._upscaler, options)
        name = format_of(task.destination, (*WRITABLE, *ANIMATED))
        coding = self._speeds.read_s(sniff(data) or "", passes.width * passes.height)
        coding += self._speeds.write_s(name, options.lossless, passes.output_size[0] * passes.output_size[1])
        tiles = self._tile_seconds(passes)
        together = max(1, min(self._cores, passes.tiles))
        memory = len(data) + peak_bytes(passes, name, options.lossless)
        size = passes.width, passes.height
        return PlannedPicture(task, size, passes.output_size, tiles + coding, tiles / together + coding, memory)

    def _tile_seconds(self, passes: Passes) -> float:
        """Return the seconds of one core that the tiles take, and remember the largest tile."""
        areas = [tile.area for plan in passes.plans for tile in plan.tiles[:1]]
        self._tile_px = max([self._tile_px, *areas])
        return passes.computed_px * min(self._calibration(passes).seconds_per_px.values(), default=0)

    def _calibration(self, passes: Passes) -> Calibration:
        """Return the speed and memory of the model for a picture of this size. A model is measured once."""
        from upconv.runtime.calibration import calibrate

        model = self._upscaler.for_size(passes.width, passes.height, self._options).model
        if model.sha256 not in self._calibrations:
            self._calibrations[model.sha256] = calibrate(model, self._cores, speed=True)
        return self._calibrations[model.sha256]


def print_prediction(
    tasks: Iterable[FileTask], upscaler: AnyUpscaler, options: UpscaleOptions, done: int, *, as_json: bool
) -> bool:
    """Print what would be done with each picture, and the sum. Return true if a picture would fail.

    `done` is the number of pictures that were done in an earlier run.
    """
    prediction = Prediction(upscaler, options)
    planned = [prediction.of(task) for task in tasks]
    total = prediction.total(planned, upscaler.name)
    if as_json:
        print(json.dumps({"pictures": [picture.row() for picture in planned], "total": total | {"skipped": done}}, indent=2))
    else:
        for picture in planned:
            print(printable_line(picture))
        earlier = f", {done} skipped because they were done before" if done else ""
        cost = f"about {total['seconds']:.2f} s and {_megabytes(total['bytes'])} at the peak"
        print(f"{total['pictures']} to upscale by {total['model']}{earlier}, {cost}; nothing was written")
    return any(picture.error is not None for picture in planned)


def print_frame_prediction(passes: Passes, upscaler: Upscaler, notes: list[str], *, as_json: bool) -> None:
    """Print the sizes of the frames of a video, the frames per second and the memory."""
    from upconv.runtime.options import DEFAULTS

    prediction = Prediction(upscaler, DEFAULTS)
    total = prediction.of_frames(passes)
    if as_json:
        print(json.dumps(total | {"notes": notes}, indent=2))
        return
    (width, height), (across, down) = total["from"], total["to"]
    cost = f"about {total['frames_per_s']:.1f} frames/s and {_megabytes(total['bytes'])}"
    print("; ".join([f"{width}x{height} to {across}x{down} by {total['model']}, {cost}", *notes, "nothing was written"]))


def printable_line(picture: PlannedPicture) -> str:
    """Return the line of a picture in which bytes of names that are not UTF-8 are replaced."""
    from upconv.cli.console_text import printable

    return printable(picture.line())


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def _resident_bytes() -> int:
    """Return the memory of this process without pictures; 0 if the system does not state it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
