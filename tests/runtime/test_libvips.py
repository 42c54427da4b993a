from __future__ import annotations

import subprocess
import sys
from pathlib import Path

READ_WHILE_LOGGING = """
import logging, sys
from upconv.runtime.libvips import pyvips

class Reader(logging.Handler):
    def emit(self, record):
        read()

def read():
    pyvips.Image.new_from_file(sys.argv[1]).avg()

logging.getLogger("pyvips").addHandler(Reader())
read()
"""


def test_a_warning_while_a_warning_is_logged_does_not_end_the_process(tmp_path: Path) -> None:
    import pyvips

    data = bytearray(pyvips.Image.black(16, 16, bands=3).jpegsave_buffer())
    data[20:20] = b"x" * 50  # libjpeg warns of bytes between two segments
    (tmp_path / "a.jpg").write_bytes(data)
    command = [sys.executable, "-c", READ_WHILE_LOGGING, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
