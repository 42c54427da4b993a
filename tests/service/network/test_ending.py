from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

HANG_IN_PYTHON = "import threading; threading.Thread(target=threading.Event().wait, name='stuck').start()"
HANG_IN_NATIVE_CODE = "import ctypes; ctypes.PyDLL(None).sleep(60)"  # PyDLL keeps the interpreter's lock


@pytest.mark.parametrize("hang", [HANG_IN_PYTHON, HANG_IN_NATIVE_CODE])
def test_a_process_that_hangs_ends(hang: str) -> None:
    program = (
        "from upconv.service.log import new_log; from upconv.service.network.ending import end_within; import time;"
        f"print('begun', flush=True); end_within(0.2, new_log()); {hang}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        error = process.communicate(timeout=30)[1]
        assert process.returncode == 1
        assert time.monotonic() - begun > 0.9
    if hang is HANG_IN_PYTHON:
        line = json.loads(error)
        assert "did not end within 0.2 s" in line["event"]
        assert "wait" in "".join(line["threads"]["stuck"])
    else:
        assert "Timeout" in error


def test_a_process_that_ends_is_left_alone() -> None:
    program = "from upconv.service.log import new_log; from upconv.service.network.ending import end_within; end_within(30, new_log())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
