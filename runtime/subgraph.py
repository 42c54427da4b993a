"""Parts of an ONNX file as files of their own, such as the nodes that compute one feature map.

The runtime does not import onnx, so this module reads and writes the protobuf encoding itself: a message is a sequence of
records, each with the number of a field and a value. The field numbers are those of `onnx.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from upconv.runtime.errors import ModelError

Shape = Sequence[int | str]
"""The lengths of a tensor's axes; a word is the name of a free axis."""

_GRAPH, _FUNCTIONS = 7, 25
_KEPT_OF_MODEL = (1, 8, _FUNCTIONS)
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO, _SPARSE = 1, 5, 11, 12, 13, 15
_NODE_INPUT, _NODE_OUTPUT, _ATTRIBUTE, _ATTRIBUTE_GRAPHS = 1, 2, 5, (6, 11)
_TENSOR_NAME, _VALUE_NAME, _SPARSE_VALUES = 8, 1, 1
_FLOAT = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Record(NamedTuple):
    """One field of a message."""

    field: int
    """The number of the field."""
    raw: bytes
    """The whole record: key, length and value."""
    value: bytes
    """The content, if the field holds bytes, text or a message; empty for numbers."""


@dataclass(frozen=True)
class _Node:
    raw: bytes
    reads: tuple[str, ...]
    """The names of its inputs, and of all tensors that its inner graphs use."""
    writes: tuple[str, ...]


def extract(model: bytes, inputs: Mapping[str, Shape], outputs: Sequence[str]) -> bytes:
    """Return the part of an ONNX model that computes `outputs` from `inputs`, without metadata.

    `inputs` are names of float32 tensors, with their shapes: inputs of the graph, or tensors that a node makes, which is
    left out then. `outputs` are names of tensors. Raises `ModelError` if the part needs another input, or if the bytes
    are no ONNX model.
    """
    try:
        records = list(_records(model))
        graph = next(record.value for record in records if record.field == _GRAPH)
        kept = b"".join(record.raw for record in records if record.field in _KEPT_OF_MODEL)
        return kept + _message(_GRAPH, _part(list(_records(graph)), inputs, outputs))
    except (IndexError, StopIteration, UnicodeDecodeError) as error:
        raise ModelError("the file is not a model whose graph can be taken apart; export it again") from error


def _part(graph: Sequence[Record], inputs: Mapping[str, Shape], outputs: Sequence[str]) -> bytes:
    nodes, needed = _needed([_node(record) for record in graph if record.field == _NODE], inputs, outputs)
    weights = {_tensor_name(record): record.raw for record in graph if record.field in (_INITIALIZER, _SPARSE)}
    missing = needed - weights.keys() - inputs.keys() - {""} - {name for node in nodes for name in node.writes}
    if missing:
        raise ModelError(f"the tensors {', '.join(outputs)} also need {', '.join(sorted(missing))}")
    described = [r.raw for r in graph if r.field == _VALUE_INFO and _text(r, _VALUE_NAME) in needed - inputs.keys()]
    return b"".join(
        [
            *(node.raw for node in nodes),
            _message(2, b"part"),
            *(raw for name, raw in weights.items() if name in needed - inputs.keys()),
            *(_message(_INPUT, _value_info(name, shape)) for name, shape in inputs.items() if name in needed),
            *(_message(_OUTPUT, _value_info(name, None)) for name in outputs),
            *described,
        ]
    )


def _needed(nodes: Sequence[_Node], inputs: Mapping[str, Shape], outputs: Sequence[str]) -> tuple[list[_Node], set[str]]:
    """Return the nodes that `outputs` need, in order, and the names of all tensors that these nodes use or make."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):  # the nodes of an ONNX graph are in topological order
        if any(name in needed and name not in inputs for name in node.writes):
            kept.append(node)
            needed.update(node.reads)
    return kept[::-1], needed


def _node(record: Record) -> _Node:
    fields = list(_records(record.value))
    inner = [name for field in fields if field.field == _ATTRIBUTE for name in _inner_reads(field.value)]
    reads = [field.value.decode() for field in fields if field.field == _NODE_INPUT]
    writes = tuple(field.value.decode() for field in fields if field.field == _NODE_OUTPUT)
    return _Node(record.raw, tuple(reads + inner), writes)


def _inner_reads(attribute: bytes) -> Iterator[str]:
    """Yield the names that the graphs of an attribute use from outside."""
    for field in _records(attribute):
        if field.field in _ATTRIBUTE_GRAPHS:
            fields = list(_records(field.value))
            nodes = [_node(record) for record in fields if record.field == _NODE]
            own = {name for node in nodes for name in node.writes}
            own |= {_tensor_name(record) for record in fields if record.field in (_INITIALIZER, _SPARSE)}
            own |= {_text(record, _VALUE_NAME) for record in fields if record.field == _INPUT}
            used = [name for node in nodes for name in node.reads]
            used += [_text(record, _VALUE_NAME) for record in fields if record.field == _OUTPUT]
            yield from (name for name in used if name not in own)


def _tensor_name(record: Record) -> str:
    if record.field == _SPARSE:
        return next(_text(values, _TENSOR_NAME) for values in _records(record.value) if values.field == _SPARSE_VALUES)
    return _text(record, _TENSOR_NAME)


def _text(record: Record, number: int) -> str:
    return next((field.value.decode() for field in _records(record.value) if field.field == number), "")


def _value_info(name: str, shape: Shape | None) -> bytes:
    """Return a `ValueInfoProto` of a float32 tensor; without `shape`, onnxruntime infers it."""
    tensor = _number(1, _FLOAT)
    if shape is not None:
        dims = [_message(2, length.encode()) if isinstance(length, str) else _number(1, length) for length in shape]
        tensor += _message(2, b"".join(_message(1, dim) for dim in dims))
    return _message(_VALUE_NAME, name.encode()) + _message(2, _message(1, tensor))


def _records(message: bytes) -> Iterator[Record]:
    """Yield the records of a message; raises `IndexError` if it is cut off or no protobuf."""
    place = 0
    while place < len(message):
        start = place
        key, place = _varint(message, place)
        value = b""
        if key & 7 == _BYTES:
            length, place = _varint(message, place)
            value = message[place : place + length]
            place += length
        elif key & 7 == _VARINT:
            _, place = _varint(message, place)
        elif key & 7 in (_FIXED64, _FIXED32):
            place += 8 if key & 7 == _FIXED64 else 4
        else:
            raise IndexError(f"no protobuf field has the type {key & 7}")
        if place > len(message):
            raise IndexError("the message is cut off")
        yield Record(key >> 3, message[start:place], value)


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Return the number that starts at `place`, seven bits per byte, and the place after it."""
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _number(field: int, number: int) -> bytes:
    return _encoded(field << 3 | _VARINT) + _encoded(number)


def _message(field: int, content: bytes) -> bytes:
    return _encoded(field << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(number: int) -> bytes:
    """Return a number in seven bits per byte, the lowest first."""
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)
