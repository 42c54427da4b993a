from __future__ import annotations

from typing import Any

import pytest


def test_every_route_has_an_example(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            (sample,) = operation["x-codeSamples"]
            assert sample["source"].startswith("curl "), (method, path)
            assert "{" not in sample["source"]


def test_example_answers_are_as_described(description: dict[str, Any]) -> None:
    schema = pytest.importorskip("jsonschema_rs")
    count = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for answer in operation["responses"].values():
                content = answer.get("content", {}).get("application/json", {})
                if "example" in content:
                    whole = {**content["schema"], "components": description["components"]}
                    assert schema.is_valid(whole, content["example"]), (method, path)
                    count += 1
    assert count >= 15
