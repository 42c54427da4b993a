from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.cli import main
from upconv.runtime.install_hints import install_command


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.runtime.plug_ins.find_spec", lambda name: None)
    monkeypatch.setattr("upconv.runtime.provider_status.sys.platform", "linux")


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.setattr(sys, "argv", ["upconv", "devices", "--model", "nearest-x2", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_what_is_here_and_what_could_be_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, webgpu_stand_in: StandIn
) -> None:
    webgpu_stand_in()
    lines = printed(capsys, monkeypatch).splitlines()
    assert lines[0] == "Here:"
    assert lines[1].startswith("  cpu           onnxruntime") and lines[1].endswith("; the reference")
    assert lines[2].endswith("; webgpu differs from the processor by 0.0e+00, and 2.4e-07 is allowed")
    assert "Not installed:" in lines
    assert any(
        line.startswith(f"  cuda          pip uninstall -y onnxruntime && {install_command('cuda')} (needs ") for line in lines
    )
    assert lines[-1] == "For other systems: directml, coreml, mlx, qnn"


def test_what_differs_is_listed_with_the_difference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, webgpu_stand_in: StandIn
) -> None:
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    text = printed(capsys, monkeypatch)
    assert "Refused, because the result differs from that of the processor:\n  webgpu" in text
    assert "Installed, but failed" not in text


def test_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    rows = {row["provider"]: row for row in json.loads(printed(capsys, monkeypatch, "--json"))}
    assert (rows["cpu"]["state"], rows["cpu"]["proof"]) == ("here", None)
    assert (rows["webgpu"]["state"], rows["webgpu"]["proof"]["passed"]) == ("here", True)
    assert rows["cuda"]["install"] == [f"pip uninstall -y onnxruntime && {install_command('cuda')}"]
    assert set(rows["cuda"]) == {"provider", "registered", "state", "package", "reason", "proof", "needs", "install"}
