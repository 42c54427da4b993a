"""The generated pages: HTTP has every route, the errors are complete, and the schema describes the contracts of real files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import onnx
import pytest
from scripts import reference_contract, reference_errors, reference_http, reference_tables

from upconv.runtime.contract import KEY

ROOT = Path(__file__).parents[2]
HTTP = (ROOT / "docs/reference-http.md").read_text()


def test_every_route_and_parameter_is_in_the_page() -> None:
    for path, operations in reference_http.description()["paths"].items():
        for method, operation in operations.items():
            if "{version}" in path:
                continue
            section = HTTP.split(f"\n### {method.upper()} {path}\n")[1].split("\n### ")[0]
            for parameter in operation.get("parameters", ()):
                assert f"| `{parameter['name']}` |".lower() in section.lower()
            for status in operation["responses"]:
                assert f"\n| {status} | " in section


def test_every_parameter_says_what_it_is() -> None:
    rows = [line for line in HTTP.splitlines() if any(f"| {place} |" in line for place in ("query", "header", "path"))]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_problem_of_the_service_has_advice() -> None:
    assert set(reference_errors.PROBLEMS) == set(reference_errors.problems())


def test_no_status_becomes_a_list() -> None:
    """A line that begins with a number and a full stop is a list in Markdown."""
    for path in (ROOT / "docs").glob("reference-*.md"):
        assert re.findall(r"^\d+\. ", path.read_text(), re.MULTILINE) == [], path
    assert re.findall(r"^\d+\. ", (ROOT / "docs/errors.md").read_text(), re.MULTILINE) == []


def test_every_failure_of_the_command_line_has_advice() -> None:
    found = reference_errors.failures()
    assert "UnequalGraphError" in found  # a class outside runtime/errors.py
    assert set(reference_errors.FAILURES) == set(found) | reference_errors.named_kinds()


@pytest.mark.parametrize("name", ["deconv-s-x2", "upsample-s-x4.int8", "nearest-x2"])
def test_the_schema_describes_a_file(name: str) -> None:
    schemas = pytest.importorskip("jsonschema_rs")
    metadata = {entry.key: entry.value for entry in onnx.load(ROOT / f"models/artifacts/{name}.onnx").metadata_props}
    contract, schema = json.loads(metadata[KEY]), json.loads(reference_contract.contract_schema())
    assert schemas.is_valid(schema, contract)
    assert schemas.is_valid(schema, {**contract, "of_a_later_version": 1})
    assert not schemas.is_valid(schema, {**contract, "task": "other"})


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer", "minimum": 0, "maximum": 4096}, "integer, 0 to 4096"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, above 0"),
        ({"type": "array", "items": {"$ref": "#/$defs/Halo"}}, "list of [Halo](#halo)"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "string, at most 9 characters or null"),
        ({"const": 1}, "`1`"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({}, "any"),
    ],
)
def test_types_are_written_with_their_limits(schema: dict[str, Any], text: str) -> None:
    assert reference_tables.kind_of(schema) == text


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, ""),
        ({"default": None}, "`null`"),
        ({"default": "png"}, "`png`"),
        ({"default": ""}, '`""`'),
        ({"default": 1.5}, "`1.5`"),
    ],
)
def test_defaults_are_written_as_json(schema: dict[str, Any], text: str) -> None:
    assert reference_tables.default_of(schema) == text
