"""A demonstration: export a trained decoder, serve it, send a photograph over HTTP, and measure the result."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from upconv.models.training.data import Pixels, load_image, low_high
from upconv.models.training.evaluation import bicubic, psnr_y

ROOT = Path(__file__).resolve().parent.parent
PHOTOGRAPH = ROOT / "tests" / "data" / "flower.jpg"
MODEL = "upsample-s-x2"
WEIGHTS = ROOT / "models" / "weights" / f"{MODEL}.safetensors"  # not in the wheel
SCALE = 2
UPCONV = [sys.executable, "-m", "upconv"]
START_S = 60


def main() -> None:
    out = ROOT / "demo"
    out.mkdir(exist_ok=True)
    file = out / f"{MODEL}.onnx"
    print(f"1. Export {MODEL} from its weights")
    subprocess.run([*UPCONV, "export", MODEL, "--weights", str(WEIGHTS), "-o", str(file)], check=True)

    print("\n2. Serve it")
    low, high = low_high(load_image(PHOTOGRAPH, sharpen=False), SCALE)
    with serving(file) as url:
        print(f"\n3. Send {PHOTOGRAPH.name}, reduced to {low.shape[1]}x{low.shape[0]}, to {url}/v1/upscale")
        learned = post(url, low)

    print("\n4. Compare with the original")
    simple = bicubic(low, SCALE)
    for name, pixels in (("low", low), ("bicubic", simple), (MODEL, learned), ("original", high)):
        Image.fromarray(pixels).save(out / f"{name}.png")
    beside(simple, learned, high).save(out / "comparison.png")
    gain = psnr_y(learned, high, SCALE) - psnr_y(simple, high, SCALE)
    print(f"   bicubic        {psnr_y(simple, high, SCALE):.2f} dB PSNR-Y")
    print(f"   {MODEL}  {psnr_y(learned, high, SCALE):.2f} dB PSNR-Y, {gain:+.2f} dB")
    print(f"   the pictures are in {out.relative_to(ROOT)}/, and side by side in comparison.png")
    if gain < 1:
        sys.exit(f"error: expected at least 1 dB above bicubic; got {gain:.2f} dB")


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """Run the service with one model on a free port until the block ends; yield its URL."""
    command = [*UPCONV, "serve", "--model", str(file), "--port", "0", "--jobs-dir", str(file.parent / "jobs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield address(process)
        finally:
            process.send_signal(signal.SIGTERM)
            _, code = process.communicate(timeout=30)[0], process.returncode
            print(f"   the service ended with exit code {code}")
    if process.returncode != 0:
        sys.exit(f"error: the service ended with exit code {process.returncode}; expected 0")


def address(process: subprocess.Popen[str]) -> str:
    """Return the URL of the service, from the line that it prints when it is ready."""
    assert process.stdout is not None
    alarm = threading.Timer(START_S, process.kill)
    alarm.start()
    try:
        for line in process.stdout:
            print(f"   {line.rstrip()}")
            if "ready on " in line:
                return line.rsplit("ready on ", 1)[1].strip()
    finally:
        alarm.cancel()
    sys.exit("error: the service did not start")


def post(url: str, low: Pixels) -> Pixels:
    """Send a picture to the service and return the result."""
    data = io.BytesIO()
    Image.fromarray(low).save(data, "PNG")
    answer = httpx.post(f"{url}/v1/upscale", content=data.getvalue(), headers={"content-type": "image/png"}, timeout=60)
    answer.raise_for_status()
    for name in ("x-upconv-model", "x-upconv-provider", "x-upconv-tiles", "server-timing"):
        print(f"   {name}: {answer.headers[name]}")
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image.convert("RGB"))


def beside(*pictures: Pixels) -> Image.Image:
    """Return the middle of each picture in a row, magnified twice so that pixels are visible."""
    height, width = pictures[0].shape[:2]
    side = min(height, width) // 2
    top, left = height // 2 - side // 2, width // 2 - side // 2
    gap = np.full((side, 4, 3), 255, np.uint8)
    row: list[Pixels] = []
    for picture in pictures:
        row += [picture[top : top + side, left : left + side], gap]
    joined = np.concatenate(row[:-1], axis=1)
    return Image.fromarray(joined.repeat(2, axis=0).repeat(2, axis=1))


if __name__ == "__main__":
    main()
