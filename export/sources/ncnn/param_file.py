"""The `.param` file of ncnn: the layers of a network, as text.

    7767517                                             the magic number of the format
    2 2                                                 the number of layers, and of blobs
    Input        data   0 1 data                        type, name, number of inputs and outputs, their names
    Convolution  conv1  1 1 data out 0=16 1=3 -23310=1,0.1     and parameters by number; -23300 - n is the array n

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from upconv.runtime.errors import SourceError

MAGIC = "7767517"
"""The first word of every `.param` file of the current format."""
MAX_BYTES = 16 * 2**20
"""The largest `.param` file that is read. The one of a network with a thousand layers has 0.1 MiB."""
MAX_NUMBER = 2**31 - 1
"""The largest whole number that ncnn itself reads."""

Number = int | float
Value = Number | tuple[Number, ...] | str
"""A parameter of a layer. A string is an expression that ncnn computes from the sizes of its inputs."""

_ARRAY = -23300
_PARAMETER = re.compile(r"(-?\d{1,9})=(.*)", re.DOTALL)
_WHOLE = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class NcnnLayer:
    """One layer of a `.param` file."""

    type: str
    """The type, such as Convolution."""
    name: str
    """The name, for messages."""
    inputs: tuple[str, ...]
    """The names of the blobs that it reads."""
    outputs: tuple[str, ...]
    """The names of the blobs that it makes."""
    parameters: dict[int, Value]
    """The parameters by number; a parameter that is missing has its default."""

    def integer(self, key: int, default: int = 0) -> int:
        """Return a whole number; raises `SourceError` if the parameter is anything else."""
        value = self.parameters.get(key, default)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int):
            raise self.refused(f"has {value!r} as parameter {key}; expected a whole number")
        return value

    def number(self, key: int, default: float) -> float:
        """Return a number; raises `SourceError` if the parameter is anything else."""
        value = self.parameters.get(key, default)
        if isinstance(value, (tuple, str)):
            raise self.refused(f"has {value!r} as parameter {key}; expected a number")
        return float(value)

    def numbers(self, key: int) -> tuple[float, ...]:
        """Return an array, empty if it is missing; raises `SourceError` if the parameter is an expression."""
        value = self.parameters.get(key, ())
        if isinstance(value, str):
            raise self.refused(f"has {value!r} as parameter {key}; expected numbers")
        return tuple(float(n) for n in value) if isinstance(value, tuple) else (float(value),)

    def integers(self, key: int) -> tuple[int, ...]:
        """Return an array of whole numbers, empty if it is missing."""
        found = self.numbers(key)
        if not all(n.is_integer() for n in found):
            raise self.refused(f"has {found} as parameter {key}; expected whole numbers")
        return tuple(int(n) for n in found)

    def refused(self, reason: str) -> SourceError:
        """Return the error for this layer; `reason` continues the sentence."""
        return SourceError(f"the layer {self.name!r} of type {self.type} {reason}")


def parse_param(content: bytes) -> tuple[NcnnLayer, ...]:
    """Return the layers of a `.param` file, in order.

    Raises `SourceError` if the content is not such a file, is truncated, or reads a blob before it is made.
    """
    lines = _lines(content)
    if not lines or lines[0] != [MAGIC]:
        found = " ".join(lines[0])[:40] if lines else "an empty file"
        raise SourceError(f"expected the number {MAGIC} of ncnn's text format in the first line, found {found}; {_HINT}")
    if len(lines) < 2 or len(lines[1]) != 2 or not all(word.isdigit() and len(word) < 10 for word in lines[1]):
        raise SourceError(
            "expected the numbers of layers and blobs in the second line; the file is truncated or damaged, so download it again"
        )
    layers, blobs = (int(word) for word in lines[1])
    if len(lines) - 2 != layers:
        raise SourceError(
            f"expected {layers} layers, found {len(lines) - 2}; the file is truncated or damaged, so download it again"
        )
    if any(words[0].startswith("pnnx.") for words in lines[2:]):
        raise SourceError(
            "expected the layers of ncnn, found those of pnnx; give the .ncnn.param file that pnnx writes beside it"
        )
    parsed = tuple(_layer(words) for words in lines[2:])
    _check_blobs(parsed, blobs)
    return parsed


_HINT = "convert the model again with ncnn's or pnnx's current tools"


def _lines(content: bytes) -> list[list[str]]:
    if content[:4] == int(MAGIC).to_bytes(4, "little"):
        raise SourceError("expected ncnn's text format, found its binary form; give the text file that it was made from")
    if len(content) > MAX_BYTES:
        raise SourceError(f"expected at most {MAX_BYTES // 2**20} MiB of text; this is not a .param file of ncnn")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"expected text that begins with {MAGIC}, found other bytes; {_HINT}") from error
    return [words for line in text.splitlines() if (words := line.split())]


def _layer(words: list[str]) -> NcnnLayer:
    if len(words) < 4 or not all(word.isdigit() and len(word) < 10 for word in words[2:4]):
        raise SourceError(
            f"expected type, name and two counts of a layer, found {' '.join(words)[:60]!r}; the file is truncated or damaged, so download it again"
        )
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    blobs, rest = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    if len(blobs) < inputs + outputs or any(_PARAMETER.fullmatch(blob) for blob in blobs):
        raise SourceError(
            f"the layer {name!r} of type {kind} states {inputs + outputs} blobs but names fewer; the file is damaged, so download it again"
        )
    return NcnnLayer(kind, name, tuple(blobs[:inputs]), tuple(blobs[inputs:]), _parameters(rest, kind, name))


def _parameters(words: Iterable[str], kind: str, name: str) -> dict[int, Value]:
    found: dict[int, Value] = {}
    for word in words:
        match = _PARAMETER.fullmatch(word)
        value = None if match is None else _value(int(match[1]), match[2])
        if match is None or value is None:
            raise SourceError(f"the layer {name!r} of type {kind} has the parameter {word[:40]!r}; expected number=value")
        key = int(match[1])
        found[_ARRAY - key if key <= _ARRAY else key] = value
    return found


def _value(key: int, text: str) -> Value | None:
    """Return the value of a parameter, or `None` if it is malformed."""
    if key > _ARRAY and (text.startswith('"') or text[:1].isalpha()):
        return text.strip('"')
    numbers = [_number(part) for part in text.split(",")]
    if key <= _ARRAY:  # an array states its length first
        length = numbers.pop(0)
        if length != len(numbers):
            return None
    if any(number is None for number in numbers):
        return None
    known = tuple(number for number in numbers if number is not None)
    return known if key <= _ARRAY or len(known) > 1 else known[0]


def _number(text: str) -> Number | None:
    if _WHOLE.fullmatch(text):
        return int(text) if abs(int(text)) <= MAX_NUMBER + 1 else None
    return float(text) if _DECIMAL.fullmatch(text) else None


def _check_blobs(layers: tuple[NcnnLayer, ...], stated: int) -> None:
    made: set[str] = set()
    for layer in layers:
        unknown = next((blob for blob in layer.inputs if blob not in made), None)
        if unknown is not None:
            raise layer.refused(f"reads the blob {unknown!r}, which no layer before it makes; put the layers into order")
        for blob in layer.outputs:
            if blob in made:
                raise layer.refused(f"makes the blob {blob!r}, which a layer before it makes; each blob needs its own name")
            made.add(blob)
    if len(made) > stated:
        raise SourceError(f"expected {stated} blobs, found {len(made)}; the file is damaged, so download it again")
