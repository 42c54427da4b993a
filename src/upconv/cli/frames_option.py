"""The option `--frames`, which has a value for video and none for animations."""

from __future__ import annotations

import re
from typing import Any, Literal

from typer.core import TyperCommand

ANIMATION = "all"
"""The value of `--frames` without a value."""
FramesKind = Literal["first", "animation", "video"]
"""The frames that are upscaled: the first, all of an animation, or all of a stream of video."""

_VIDEO = re.compile(r"y4m|rgb\w*(:.*)?")


class UpscaleCommand(TyperCommand):
    """A command whose `--frames` takes the next word as its value only if this names a format of video."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        return super().parse_args(ctx, with_value(args))


def with_value(words: list[str]) -> list[str]:
    """Return the words of a command line in which each `--frames` has a value."""
    result: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*result, word, *rest]
        if word == "--frames":
            word = f"--frames={rest.pop(0) if rest and _VIDEO.fullmatch(rest[0]) else ANIMATION}"
        result.append(word)
    return result


def frames_kind(value: str | None) -> FramesKind:
    """Return the meaning of a value of `--frames`."""
    if value is None:
        return "first"
    return "animation" if value == ANIMATION else "video"
