"""What stands beside the Dockerfile speaks of numbers and settings that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime import install_hints
from upconv.service import Settings
from upconv.service.errors import KINDS, UNEXPECTED

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("yaml")


def test_dashboard_asks_for_numbers_that_exist(service: Any, encoded: Any) -> None:
    service.post("/v1/upscale", content=encoded())
    told = {line.split("{")[0].split(" ")[0] for line in service.get("/metrics").text.splitlines() if line[:1] != "#"}
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/upconv.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:upconv|process)_\w+", target["expr"])
    }
    assert len(asked) >= 10
    assert asked <= told


def test_alerts_ask_for_numbers_and_kinds_that_exist(service: Any) -> None:
    told = set(re.findall(r"^# TYPE (\w+) ", service.get("/metrics").text, re.MULTILINE))
    rules = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"][0]["rules"]
    for rule in rules:
        for name in re.findall(r"\b(?:upconv|process)_\w+", rule["expr"]):
            assert name in told or name.removesuffix("_total") in told, name
        for kinds in re.findall(r'kind=~"([^"]+)"', rule["expr"]):
            assert set(kinds.split("|")) <= {kind.slug for kind in (*KINDS.values(), UNEXPECTED)}


def test_each_alert_has_its_section_in_the_runbook() -> None:
    rules = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"][0]["rules"]
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert [rule["alert"] for rule in rules] == sections
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert "alerts.yaml" in (ROOT / "deploy/prometheus.yaml").read_text()
    assert "deploy/alerts.yaml:" in (ROOT / "compose.yaml").read_text()


def test_settings_exist() -> None:
    names = {f"UPCONV_{name.upper()}" for name in Settings.model_fields}
    for file in ("Dockerfile", "compose.yaml"):
        assert set(re.findall(r"UPCONV_[A-Z_]+", (ROOT / file).read_text())) <= names


def test_the_image_says_what_it_was_built_from() -> None:
    """Hints about what is missing read it, and the last stage knows only the arguments that it names."""
    last = (ROOT / "Dockerfile").read_text().rpartition("FROM ${BASE}\n")[2]
    assert last.startswith("ARG PROVIDER\nARG EXTRAS\n")
    assert f"{install_hints.IMAGE}=${{PROVIDER}}${{EXTRAS}}" in last


def test_compose_hardens_the_service() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["upconv"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    scraped = yaml.safe_load((ROOT / "deploy/prometheus.yaml").read_text())
    assert scraped["scrape_configs"][0]["static_configs"][0]["targets"] == ["upconv:8000"]
