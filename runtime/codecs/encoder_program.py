"""A program that encodes one picture: PNG on standard input, the encoded file on standard output.

`encoder_process` runs it as a file, not as a module, so that it starts without onnxruntime.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import pyvips

_LOOK_S = 0.5


def main(order: dict[str, Any], source: int, target: int) -> None:
    """Read a PNG from the descriptor `source` and write it to `target`, encoded as `order` states.

    The order holds the libvips saver, its options, the resolution and the fields of an animation. Raises `pyvips.Error` if the
    picture cannot be encoded.
    """
    image = pyvips.Image.pngload_source(pyvips.Source.new_from_descriptor(source), access="sequential", unlimited=True)
    image = image.copy(**order["resolution"])
    for name, value in order["fields"].items():
        kind = pyvips.GValue.array_int_type if isinstance(value, list) else pyvips.GValue.gint_type
        image.set_type(kind, name, value)
    data = getattr(image, order["saver"])(**order["options"])
    with os.fdopen(target, "wb") as file:
        file.write(data)


def end_with(parent: int) -> None:
    """End this process when the process that started it has ended. The encoder itself would go on."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    threading.Thread(target=end_with, args=(given["parent"],), daemon=True).start()
    try:
        main(given, 0, 1)
    except pyvips.Error as failure:
        sys.exit(str(failure.detail))
