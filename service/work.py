"""One picture's way from bytes to bytes, for a worker thread."""

from __future__ import annotations

from dataclasses import dataclass

from upconv.runtime import Processed, UpscaleOptions, Upscaler, process
from upconv.runtime.schedule import OnTile, Priority
from upconv.runtime.stop import Stop
from upconv.service import body
from upconv.service.parameters import UpscaleQuery
from upconv.service.settings import Limits


@dataclass(frozen=True)
class Order:
    """What is to become of a picture."""

    data: bytes
    """The request's body."""
    asked: UpscaleQuery
    limits: Limits
    content_type: str = ""

    @property
    def options(self) -> UpscaleOptions:
        """The same for the runtime."""
        return self.asked.options(self.limits.max_pixels, self.limits.max_output_pixels)


def carry_out(
    order: Order,
    upscaler: Upscaler,
    stop: Stop,
    on_tile: OnTile | None = None,
    priority: Priority = Priority.NORMAL,
) -> Processed:
    """Decode, enlarge and encode; raises what `process` raises."""
    picture = body.picture_in(order.data, order.content_type)
    return process(picture, upscaler, order.options, stop=stop, on_tile=on_tile, priority=priority)
