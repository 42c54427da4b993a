"""A comparison as SARIF 2.1.0, which code hosts show beside the file: one result per backend that differs.

See https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from upconv.export.parity.findings import BackendResult, Comparison

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
"""The address of the schema, which names the format."""
RULE = "parity"
"""The only rule: a backend computes the function of A."""


def sarif(comparison: Comparison) -> str:
    """Return the report as JSON."""
    driver: dict[str, Any] = {
        "name": "upconv parity",
        "rules": [{"id": RULE, "shortDescription": {"text": "A backend computes another function than the reference."}}],
    }
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": [_result(row, comparison) for row in comparison.rows]}
    if comparison.run is not None:
        record = comparison.run
        driver["version"] = record.versions.get("upconv", "")
        run["invocations"] = [
            {"executionSuccessful": True, "commandLine": record.command, "endTimeUtc": record.date.replace("+00:00", "Z")}
        ]
        run["properties"] = record.as_dict()
        run["artifacts"] = [
            {"location": {"uri": _uri(label)}, "hashes": {"sha-256": digest}}
            for label, digest in ((comparison.a, record.a_sha256), (comparison.b, record.b_sha256))
            if label is not None and digest is not None
        ]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False)


def _result(row: BackendResult, comparison: Comparison) -> dict[str, Any]:
    kinds = {"different": ("fail", "error"), "equal": ("pass", "none"), "missing": ("notApplicable", "none")}
    kind, level = kinds[row.status]
    said = [f"{row.name}: {row.said}", *(comparison.explained if row.status == "different" else ())]
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": _uri(comparison.b or comparison.a)}}}
    found = comparison.first_difference
    if row.status == "different" and found is not None:
        location["logicalLocations"] = [{"name": found.node, "kind": "element"}]
    return {"ruleId": RULE, "kind": kind, "level": level, "message": {"text": "\n".join(said)}, "locations": [location]}


def _uri(label: str) -> str:
    """Return a label as a URI: a path, relative if the user gave it so."""
    path = Path(label)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
