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

from upconv.runtime.libvips import pyvips

_LOOK_S = 0.5


def main(order: dict[str, Any], source: int, target: int) -> None:
    """Read a PNG from the descriptor `source` and write it to `target`, encoded as `order` states.

    The order holds the libvips saver, its options, the resolution and the fields of an animation. Raises `pyvips.Error` if the
    picture cannot be encoded.
    """
    pyvips.cache_set_max(0)  # otherwise rows that are done stay in memory
    image = pyvips.Image.pngload_source(pyvips.Source.new_from_descriptor(source), access="sequential", unlimited=True)
    image = image.copy(**order["resolution"])
    for name, value in order["fields"].items():
        kind = pyvips.GValue.array_int_type if isinstance(value, list) else pyvips.GValue.gint_type
        image.set_type(kind, name, value)
    # Nothing is written before all is read, because the other process writes all before it reads.
    data = getattr(image, order["saver"])(**order["options"]) if order["tile"] is None else tiles(image, order)
    with os.fdopen(target, "wb") as file:
        file.write(data)


def tiles(image: Any, order: dict[str, Any]) -> bytes:
    """Return the tiles of a picture row by row, each encoded, behind its length in 4 bytes. The first one has the metadata."""
    found = bytearray()
    width, height = order["tile"]
    options = order["options"]
    for top in range(0, image.height, height):
        rows = image.crop(0, top, image.width, min(height, image.height - top)).copy_memory()
        for left in range(0, image.width, width):
            part = rows.crop(left, 0, min(width, image.width - left), rows.height)
            data = getattr(part.embed(0, 0, width, height, extend="copy"), order["saver"])(**options)
            found += len(data).to_bytes(4, "big") + data
            options = {**options, "keep": 0}
    return bytes(found)


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
