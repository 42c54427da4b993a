from __future__ import annotations

from typing import Any

import pytest

from upconv.runtime.remote.proto_messages import COMPILED, PROTO, SERVICE, message_class, methods


def test_the_compiled_file_is_that_of_the_source(tmp_path: Any) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc")
    out = tmp_path / "out.binpb"
    assert protoc.main(["protoc", f"--proto_path={PROTO.parent}", f"--descriptor_set_out={out}", PROTO.name]) == 0
    assert out.read_bytes() == COMPILED.read_bytes(), "run scripts/protocol"


def test_names_and_numbers_are_those_of_triton() -> None:
    theirs = pytest.importorskip("tritonclient.grpc.service_pb2").DESCRIPTOR.pool
    service = theirs.FindServiceByName(SERVICE)
    for name, (request, response) in methods().items():
        method = service.methods_by_name[name]
        assert (method.input_type.name, method.output_type.name) == (request, response)
        for message in (request, response):
            _compare(message_class(message).DESCRIPTOR, theirs.FindMessageTypeByName(f"inference.{message}"))


def _compare(ours: Any, theirs: Any) -> None:
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        newer = ("is_repeated", "is_packed") if hasattr(field, "is_packed") else ("label",)  # which newer versions deprecate
        for property in ("number", "type", *newer):
            assert getattr(field, property) == getattr(other, property), f"{ours.full_name}.{field.name}"
        oneof, of_other = field.containing_oneof, other.containing_oneof
        assert (oneof and oneof.name) == (of_other and of_other.name)
        if field.message_type is not None:
            _compare(field.message_type, other.message_type)
        if field.enum_type is not None:
            values = {value.name: value.number for value in field.enum_type.values}
            assert values == {value.name: value.number for value in other.enum_type.values}
