"""One model file, opened: its contract, its hash, and a way to run it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from upconv.runtime import providers
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract, Halo, SessionOptions
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, ModelError, OutOfMemoryError, UpconvError, first_line

Tensor = NDArray[np.float32]

DEFAULT = SessionOptions()
_UNBLOCKED = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED

_OUT_OF_MEMORY = re.compile(
    r"failed to allocate memory|Available memory of|bad_alloc|bad allocation|out of memory|ALLOC_FAILED", re.IGNORECASE
)
"""How onnxruntime, the C++ library, CUDA and cuDNN say it."""


@dataclass(frozen=True)
class Model:
    """An opened `.onnx` file. Holds no state of any request, so threads can share it."""

    path: Path
    contract: Contract
    sha256: str
    """Of the file's bytes."""
    provider: str
    """The execution provider that really runs, by onnxruntime's name."""
    session: ort.InferenceSession

    def run(self, tensor: Tensor, cancellation: Cancellation | None = None) -> Tensor:
        """(N, C, H, W) in, (N, C, scale*H + offset, scale*W + offset) out, for models with one input and one output.

        Ends with `Cancelled` at the next node of the graph after `cancellation` is said. Raises `OutOfMemoryError` where memory
        does not suffice and `ModelError` where the model cannot run.
        """
        options = ort.RunOptions()
        try:
            with (cancellation or Cancellation()).calling(lambda: setattr(options, "terminate", True)):
                result: Tensor = self.session.run(None, {self.session.get_inputs()[0].name: tensor}, options)[0]
        except Exception as error:  # onnxruntime raises half a dozen unrelated types, all meaning the same
            raise self._told(error, tensor, options) from error
        return result

    def release(self) -> None:
        """Give back the memory that large tensors took: onnxruntime does so only at the end of a run, so of a tiny one."""
        if self.contract.input is None or not self.contract.session.arena:
            return
        options = ort.RunOptions()
        arenas = "cpu:0;gpu:0" if self.provider == providers.NAMES["cuda"] else "cpu:0"
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
        tiny = np.zeros((1, self.contract.input.channels, *self.contract.fitted(1, 1)), np.float32)
        self.session.run(None, {self.session.get_inputs()[0].name: tiny}, options)

    def _told(self, error: Exception, tensor: Tensor, options: ort.RunOptions) -> UpconvError:
        if options.terminate:
            return Cancelled(f"{self.contract.name} was stopped")
        if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
            return OutOfMemoryError(f"{self.path} runs out of memory on {tensor.shape}: {first_line(error)}")
        return ModelError(f"{self.path} cannot run on {tensor.shape}, as its contract says: {first_line(error)}")


def open_model(path: str | Path, provider: str = "cpu", threads: int | None = None) -> Model:
    """Open a model file on one execution provider.

    `threads` is the number of processor threads within one run; where none is given 1, as tiles run in parallel, and
    the cores at hand for a model that looks at the whole picture.
    Raises `ModelError` where the file is missing or damaged, `ContractError` where it does not describe itself and
    `ProviderError` where the provider is not available.
    """
    path = Path(path)
    session = open_session(path, provider, threads or 1)
    contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map, path)
    alone = threads is None and contract.task == "upscale" and not isinstance(contract.halo, Halo)
    if alone or contract.session != DEFAULT:
        session = open_session(path, provider, available_cores() if alone else threads or 1, wishes=contract.session)
    return Model(path, contract, hashlib.sha256(path.read_bytes()).hexdigest(), session.get_providers()[0], session)


def open_session(
    path: str | Path,
    provider: str = "cpu",
    threads: int = 1,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    profile: Path | None = None,
    wishes: SessionOptions = DEFAULT,
) -> ort.InferenceSession:
    """An onnxruntime session for any `.onnx` file, on exactly the provider that was asked for.

    With `profile` it notes what every node does, in a file whose name begins with that path.
    """
    wanted = providers.provider_options(provider)
    if not Path(path).is_file():
        raise ModelError(f"no model file at {path}")
    try:
        session = ort.InferenceSession(str(path), session_options(threads, level, wishes, profile), providers=wanted)
    except UpconvError:
        raise
    except Exception as error:  # onnxruntime raises half a dozen unrelated types, all meaning the same
        raise ModelError(f"{path} is not a model that onnxruntime can open: {first_line(error)}") from error
    providers.verify(session, provider)
    return session


def session_options(
    threads: int,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    wishes: SessionOptions = DEFAULT,
    profile: Path | None = None,
) -> ort.SessionOptions:
    """What a session is opened with."""
    made = ort.SessionOptions()
    made.graph_optimization_level = level if wishes.blocked else min(level, _UNBLOCKED, key=int)
    made.enable_cpu_mem_arena = wishes.arena
    made.enable_mem_pattern = wishes.memory_pattern
    made.intra_op_num_threads = threads
    made.inter_op_num_threads = 1
    made.log_severity_level = 4  # what goes wrong comes as an exception
    # Threads that spin while they wait take the processor from other sessions and from encoding.
    made.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile is not None:
        made.enable_profiling, made.profile_file_prefix = True, str(profile)
    return made
