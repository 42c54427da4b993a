from __future__ import annotations

import subprocess
import sys


def test_needs_no_server() -> None:
    program = "import sys, upconv.service.client; print({'fastapi', 'onnxruntime', 'pyvips', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
