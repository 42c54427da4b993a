"""The report on a graphics card: `python benchmarks/graphics_card.py [--provider cuda] [-o cuda.md] [--minutes 8]`.

One command for a machine with a card. It runs the GPU tests, the parity of the bundled models on the provider, and the comparison of
their speed: the whole picture by a bare `session.run`, with the tensors bound on the device, with a CUDA graph, with channels last, torch
eager and compiled, and upconv from samples to samples. All of them run in turns, and the report states medians and ratios to the bare run. What
fails is stated with its reason. `--provider cpu` tries the script itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    del sys.path[0]  # otherwise torch takes this file for NVIDIA's package `cuda`

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import onnxruntime as ort
import torch

from upconv.export.sources.module import TorchModule
from upconv.models import bundled, catalogue
from upconv.runtime import Upscaler, codecs, providers
from upconv.runtime.errors import UpconvError, first_line
from upconv.runtime.resampling import resize
from upconv.runtime.session import open_model
from upconv.runtime.tiled_picture import samples_to_tensor

ROOT = Path(__file__).parents[1]
MODELS = ("upsample-s-x2", "photo-s-x2", "deconv-m-x4")
TILE_PX = 256
PARITY_SHARE = 0.4
"""The share of the remaining time for parity."""

Run = Callable[[], Any]


@dataclass
class Report:
    """The lines of the report, and the time that is left."""

    ends: float
    lines: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        """Add lines, and print them."""
        self.lines += lines
        print("\n".join(lines), flush=True)

    def left_s(self, share: float = 1.0) -> float:
        """Return the seconds that are left, or a share of them."""
        return max(10.0, share * (self.ends - time.monotonic()))


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", default="cuda")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(1536, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("-o", "--output", type=Path, default=Path("cuda.md"))
    arguments = parser.parse_args()
    report = Report(time.monotonic() + 60 * arguments.minutes - 15)
    machine(report)
    tests(report)
    parity(report, arguments.provider)
    report.add("## Speed", "")
    for name in MODELS:
        speed(report, name, arguments.provider, tuple(arguments.size), report.left_s(1 / len(MODELS)))
    arguments.output.write_text("\n".join(report.lines) + "\n")


def machine(report: Report) -> None:
    """Add the card, the driver and the versions."""
    packages = ("upconv", "onnxruntime", "onnxruntime-gpu", "onnxruntime-webgpu", "torch", "numpy")
    card = said("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    report.add("# Report on a graphics card", "", f"- card: {card}", f"- providers: {', '.join(ort.get_available_providers())}")
    report.add(f"- versions: {', '.join(f'{name} {found}' for name in packages if (found := installed(name)))}")
    report.add(f"- CUDA in torch: {torch.version.cuda or 'no'}; commit {said('git', '-C', str(ROOT), 'rev-parse', 'HEAD')}", "")


def tests(report: Report) -> None:
    """Run the tests with the marker `gpu`."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/runtime/test_providers.py"]
    report.add("## Tests", "", last_line(command, report.left_s(0.3)), "")


def parity(report: Report, provider: str) -> None:
    """Compare each bundled model on the provider, until the time for it is over."""
    report.add("## Parity", "", "| model | verdict |", "| --- | --- |")
    ends = time.monotonic() + report.left_s(PARITY_SHARE)
    for entry in catalogue.CATALOGUE.values():
        for path in entry.forms:
            if time.monotonic() > ends:
                report.add(f"| {path.stem} | not tried: no time left |")
                continue
            command = [sys.executable, "-m", "upconv", "parity", str(path), "--provider", provider, "--json"]
            report.add(f"| {path.stem} | {verdict(command, ends - time.monotonic())} |")
    report.add("")


def verdict(command: list[str], seconds: float) -> str:
    """Return what `upconv parity --json` says of its only backend."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=max(20.0, seconds))
    except subprocess.TimeoutExpired:
        return "not finished in time"
    try:
        row = json.loads(done.stdout)["backends"][0]
    except (ValueError, KeyError, IndexError):
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return f"{row['status']}: {row['said']}"


def speed(report: Report, name: str, provider: str, sides: tuple[int, ...], seconds: float) -> None:
    """Measure one model in all ways, in turns."""
    samples = photograph(*sides)
    report.add(
        f"{name}, {sides[1]}x{sides[0]} pixels:",
        "",
        "| way | median ms | against the bare run | spread |",
        "| --- | --- | --- | --- |",
    )
    runs: dict[str, Run] = {}
    for way, opened in ways(name, provider, samples):
        try:
            runs[way] = opened()
            runs[way]()  # the first run compiles, allocates and searches kernels
        except Exception as error:  # each way can fail in its own way, and the others are worth the report
            runs.pop(way, None)
            report.add(f"| {way} | failed: {first_line(error)[:200]} | | |")
    times: dict[str, list[float]] = {way: [] for way in runs}
    ends = time.monotonic() + seconds
    while runs and (time.monotonic() < ends or not times[next(iter(runs))]) and len(times[next(iter(runs))]) < 40:
        for way, run in runs.items():
            started = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - started)
    bare = statistics.median(times["bare session.run"]) if "bare session.run" in times else float("nan")
    for way, found in times.items():
        median = statistics.median(found)
        spread = f"{1e3 * min(found):.1f}-{1e3 * max(found):.1f}, {len(found)} rounds"
        report.add(f"| {way} | {1e3 * median:.1f} | {bare / median:.2f} | {spread} |")
    report.add("")


def ways(name: str, provider: str, samples: np.ndarray) -> Iterator[tuple[str, Callable[[], Run]]]:
    """Yield each way and a function that prepares it."""
    path = bundled(name)
    pixels = open_model(path).contract.input
    assert pixels is not None
    tensor = samples_to_tensor(samples, pixels)[None]
    tile = np.ascontiguousarray(tensor[:, :, :TILE_PX, :TILE_PX])
    yield "bare session.run", lambda: bare(path, provider, tensor)
    yield "bound to the device", lambda: bound(path, provider, tensor)
    yield "bound, channels last", lambda: bound(path, provider, tensor, prefer_nhwc="1")
    yield f"bound, one tile of {TILE_PX} px", lambda: bound(path, provider, tile)
    yield f"CUDA graph, one tile of {TILE_PX} px", lambda: bound(path, provider, tile, enable_cuda_graph="1")
    yield "torch eager", lambda: in_torch(name, provider, tensor)
    yield "torch compiled", lambda: in_torch(name, provider, tensor, compiled=True)
    yield "upconv, samples to samples", lambda: upscaling(Upscaler(path, provider=provider), samples)


def bare(path: Path, provider: str, tensor: np.ndarray) -> Run:
    """Return the run that most programs have: one session, the whole picture, arrays in and out."""
    session = ort.InferenceSession(str(path), quiet(), providers=providers.provider_options(provider), enable_fallback=0)
    return lambda: session.run(None, {session.get_inputs()[0].name: tensor})


def bound(path: Path, provider: str, tensor: np.ndarray, **options: str) -> Run:
    """Return a run whose input and output stay in the memory of the device, with one copy in and one copy out."""
    [(registered, usual)] = providers.provider_options(provider)
    if options and provider != "cuda":
        raise UpconvError(f"{', '.join(options)} is an option of CUDA")
    session = ort.InferenceSession(str(path), quiet(), providers=[(registered, {**usual, **options})], enable_fallback=0)
    device = "cuda" if provider in ("cuda", "tensorrt") else "cpu"
    source = ort.OrtValue.ortvalue_from_numpy(tensor, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, source)
    lengths = [law.output(length) for law, length in zip(open_model(path).contract.laws, tensor.shape[2:], strict=True)]
    shape = [*tensor.shape[:2], *lengths]
    target = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, device, 0)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, target)

    def run() -> np.ndarray:
        source.update_inplace(tensor)
        session.run_with_iobinding(binding)
        result: np.ndarray = target.numpy()
        return result

    return run


def in_torch(name: str, provider: str, tensor: np.ndarray, *, compiled: bool = False) -> Run:
    """Return a run of the torch module, from an array to an array."""
    device = "cuda" if provider in ("cuda", "tensorrt") else "cpu"
    original = catalogue.source(name).original
    assert isinstance(original, TorchModule)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    module: Callable[[torch.Tensor], torch.Tensor] = original.module.to(device).float().eval()
    if compiled:
        module = torch.compile(module, dynamic=False)
    source = torch.from_numpy(tensor)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(source.to(device)).cpu())

    return run


def upscaling(upscaler: Upscaler, samples: np.ndarray) -> Run:
    """Return a run of the engine, from samples of 8 bits to samples of 8 bits."""
    return lambda: upscaler.upscale(samples)


def photograph(height: int, width: int) -> np.ndarray:
    """Return a photograph of this size."""
    return resize(codecs.read(ROOT / "tests" / "data" / "rocket.jpg").color, width, height)


def quiet() -> ort.SessionOptions:
    """Return session options that print errors only."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options


def installed(name: str) -> str | None:
    """Return the version of a package, or `None`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def said(*command: str) -> str:
    """Return the first line of a program's output, or why there is none."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        return f"none ({first_line(error)})"


def last_line(command: list[str], seconds: float) -> str:
    """Return the last line that a program prints, or that it took too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return f"not finished in {seconds:.0f} s"
    return (done.stdout.strip().splitlines() or ["no output"])[-1]


if __name__ == "__main__":
    main()
