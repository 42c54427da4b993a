"""Layouts: what each axis of an input or output is, as a user states it in letters such as NCHW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from upconv.runtime.errors import ParameterError

LETTERS = {
    "N": "the batch",
    "C": "channels, of one length only",
    "D": "depth",
    "H": "height",
    "W": "width",
    "L": "length of a line",
    "T": "number of tokens",
    "K": "any other axis of one length only",
}
"""The letters of a layout and their meaning."""
PLACES = "DHWLT"
"""The letters of axes whose length can change."""


@dataclass(frozen=True)
class Layout:
    """The letters of the axes of inputs and outputs, by name."""

    axes: dict[str, str]
    """The letters of each tensor; the names are those of the graph, such as `image` and `output`."""

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the layout of a text such as `image:NCHW output:NHW`; raises `ParameterError` if it is malformed."""
        found: dict[str, str] = {}
        for part in text.replace(",", " ").split():
            name, _, letters = part.rpartition(":")
            if not name or not letters or len(set(letters) - {"K"}) + letters.count("K") != len(letters) or name in found:
                raise _malformed(text)
            if set(letters) - LETTERS.keys() or "N" in letters[1:]:
                raise _malformed(text)
            found[name] = letters
        if not found:
            raise _malformed(text)
        return cls(found)

    def input(self, name: str, number: int, rank: int) -> str | None:
        """Return the letters of an input, by its name, or by `image` for the first; `None` if they are not stated.

        Raises `ParameterError` if their number is not the rank of the input.
        """
        letters = self.axes.get(name) or (self.axes.get("image") if number == 0 else None)
        if letters is not None and len(letters) != rank:
            raise ParameterError(
                f"--axes states {name}:{letters}, but the input has {rank} axes; give one letter for each axis"
            )
        return letters


def _malformed(text: str) -> ParameterError:
    return ParameterError(
        f"--axes must be names with one letter of {''.join(LETTERS)} for each axis, the batch N first, "
        f"such as 'image:NCHW output:NHW'; got {text!r}"
    )
