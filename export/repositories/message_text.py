"""The text format of protocol buffers, in which Triton reads its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class EnumName:
    """A value of an enumeration, which stands without quotes."""

    name: str


Field: TypeAlias = "str | int | bool | EnumName | Mapping[str, Field] | Sequence[Field]"
"""The value of a field: text, a number, a value of an enumeration, a message, or several of them."""


def message_text(fields: Mapping[str, Field]) -> str:
    """Return a message with these fields, one field a line."""
    return "".join(f"{line}\n" for name, value in fields.items() for line in _lines(name, value))


def table(entries: Mapping[str, Field]) -> list[Field]:
    """Return the messages of a map field."""
    return [{"key": key, "value": value} for key, value in entries.items()]


def _lines(name: str, value: Field) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{name} {{"
        for inner, part in value.items():
            yield from (f"  {line}" for line in _lines(inner, part))
        yield "}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from _lines(name, part)
    else:
        yield f"{name}: {_scalar(value)}"


def _scalar(value: str | int | bool | EnumName) -> str:
    if isinstance(value, EnumName):
        return value.name
    # JSON's escapes of text in ASCII are those of C, except those of other characters.
    return json.dumps(value, ensure_ascii=False)
