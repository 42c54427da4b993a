from __future__ import annotations

import subprocess
import sys

from upconv import service


def test_surface() -> None:
    assert service.__all__ == ["Settings", "create_app", "serve"]
    assert all(hasattr(service, name) for name in service.__all__)


def test_needs_no_torch() -> None:
    program = (
        "import sys, upconv.service; print(sorted({'torch', 'onnx', 'upconv.export', 'upconv.models'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
