"""The trial of one architecture in this process: torch's plain exporter, then upconv.

Prints one line of JSON after each of the two, so that the first result is known if the second one is stopped.
"""

from __future__ import annotations

import json
import logging
import resource
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks.architectures.architecture import Architecture
from benchmarks.architectures.comparison import SizeResult, compared
from benchmarks.architectures.sizes_tried import laws_of
from torch import nn
from torch.export import Dim

from upconv.export import to_onnx
from upconv.runtime.contract import Contract
from upconv.runtime.errors import UpconvError


def tried(architecture: Architecture, memory_gib: float, processor_s: int) -> None:
    """Print the results of `architecture`, in a process that may use so much memory, and the processors for so long."""
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s + 5))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_gib * 2**30),) * 2)
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    result: dict[str, Any] = {}
    try:
        module = architecture.module()
        with torch.no_grad():
            module(*architecture.example())
    except Exception as error:
        print(json.dumps({"unbuilt": _sentence(error)}), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, trial in (("plain", _plain), ("upconv", _upconv)):
            result[name] = trial(architecture, architecture.module(), Path(folder, f"{name}.onnx"))
            print(json.dumps(result), flush=True)


def _plain(architecture: Architecture, module: nn.Module, path: Path) -> dict[str, Any]:
    """Return the result of `torch.onnx.export`, with free sizes if it can write them, and with one size otherwise."""
    first = ""
    for free in (True, False):
        try:
            _written_by_torch(architecture, module, path, free)
            return {"free": free, **_outcome(compared(architecture, architecture.module(), path, {}))}
        except Exception as error:
            first = first or _sentence(error)
    return {"outcome": "refuses", "reason": first}


def _written_by_torch(architecture: Architecture, module: nn.Module, path: Path, free: bool) -> None:
    example = architecture.inputs((2, *architecture.shapes[0][1:])) if free else architecture.example()
    lead = {0: Dim.AUTO, **dict.fromkeys(range(2, example[0].ndim), Dim.AUTO)}
    shapes = (lead, *({0: Dim.AUTO} for _ in example[1:])) if free else None
    torch.onnx.export(module, example, str(path), dynamo=True, dynamic_shapes=shapes, verbose=False, external_data=False)


def _upconv(architecture: Architecture, module: nn.Module, path: Path) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        contract = to_onnx(module, architecture.example(), out=path).contract
    except Exception as error:
        raw = not isinstance(error, UpconvError)
        return {"outcome": "refuses", "reason": _sentence(error), "raw": raw, "seconds": time.perf_counter() - start}
    seconds = time.perf_counter() - start
    laws = laws_of(contract, len(architecture.shapes[0]))
    results = compared(architecture, architecture.module(), path, laws, contract.max_batch)
    return {**_outcome(results), "seconds": seconds, "task": contract.task, "sizes": _sizes(contract)}


def _outcome(results: Sequence[SizeResult]) -> dict[str, Any]:
    """Return the outcome of all sizes: `wrong` if one is wrong, `one size` if all but the first are refused, else `right`."""
    outcomes = [result.outcome for result in results]
    refused = [outcome for outcome in outcomes if outcome not in ("right", "wrong")]
    outcome = "wrong" if "wrong" in outcomes else "some sizes" if refused else "right"
    if all(o not in ("right", "wrong") for o in outcomes):
        outcome = "refuses"
    return {
        "outcome": outcome,
        "reason": refused[0] if refused else "",
        "compared": [[list(r.shape), r.outcome, r.error, r.noise] for r in results],
    }


def _sizes(contract: Contract) -> str:
    laws = [law for law in (contract.height, contract.width) if law is not None]
    if not laws:
        return "one size, or no law"
    first = str(laws[0])
    return first if all(law == laws[0] for law in laws) else "; ".join(map(str, laws))


def _sentence(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}"
