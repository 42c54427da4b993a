"""Opened model files: an onnxruntime session together with the contract and the hash of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from upconv.runtime import providers
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract, Halo, SessionOptions
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, ModelError, UpconvError, first_line, machine_error
from upconv.runtime.pass_sessions import ModelPass, PassSessions

Tensor = NDArray[np.float32]

DEFAULT = SessionOptions()
_UNBLOCKED = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


@dataclass(frozen=True)
class Model:
    """An opened `.onnx` file. It holds no state of a request, so threads can share it."""

    path: Path
    contract: Contract
    sha256: str
    """SHA-256 of the file's bytes, in hexadecimal."""
    provider: str
    """onnxruntime's name of the execution provider that runs the model."""
    session: ort.InferenceSession
    passes: PassSessions | None = None
    """The sessions of the passes; `None` for a model that computes each tile in one pass."""

    def run(self, tensor: Tensor, cancellation: Cancellation | None = None) -> Tensor:
        """Run a model with one input and one output, and return the output.

        `tensor` is (N, C, H, W), and the output is (N, C, scale*H + offset, scale*W + offset).

        Raises `Cancelled` at the next node of the graph after a cancellation, `OutOfMemoryError` if memory runs out, and
        `ModelError` if the model cannot run.
        """
        return self._run(self.session, {self.session.get_inputs()[0].name: tensor}, cancellation)[0]

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation | None = None) -> list[Tensor]:
        """Run one pass of a model with statistics, and return the feature maps of its level, or the output.

        `tensor` is (N, C, H, W). Raises what `run` raises.
        """
        assert self.passes is not None
        session = self.passes.session(part.level)
        taken = {value.name for value in session.get_inputs()}
        means = {name: mean for name, mean in part.means.items() if name in taken}
        return self._run(session, {self.session.get_inputs()[0].name: tensor, **means}, cancellation)

    def compute(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str], cancellation: Cancellation | None = None
    ) -> list[NDArray[Any]]:
        """Run the whole graph on inputs of any type, by name, and return the outputs of these names.

        Raises what `run` raises.
        """
        return self._run(self.session, inputs, cancellation, outputs)

    def _run(
        self,
        session: ort.InferenceSession,
        inputs: Mapping[str, NDArray[Any]],
        cancellation: Cancellation | None,
        outputs: Sequence[str] | None = None,
    ) -> list[NDArray[Any]]:
        options = ort.RunOptions()
        try:
            with (cancellation or Cancellation()).calling(lambda: setattr(options, "terminate", True)):
                results: list[NDArray[Any]] = session.run(outputs, dict(inputs), options)
        except Exception as error:  # onnxruntime raises half a dozen unrelated types for the same failures
            raise self._converted(error, next(iter(inputs.values())), options) from error
        return results

    def release(self) -> None:
        """Release the memory that large tensors took.

        onnxruntime releases memory only at the end of a run, so this runs the model on its smallest input.
        """
        if self.contract.input is None or not self.contract.session.arena:
            return
        options = ort.RunOptions()
        arenas = "cpu:0;gpu:0" if self.provider == providers.NAMES["cuda"] else "cpu:0"
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
        tiny = np.zeros((1, self.contract.input.channels, *self.contract.fitted(1, 1)), np.float32)
        self.session.run(None, {self.session.get_inputs()[0].name: tiny}, options)

    def _converted(self, error: Exception, tensor: NDArray[Any], options: ort.RunOptions) -> UpconvError:
        if options.terminate:
            return Cancelled(f"the run of {self.contract.name} was cancelled")
        failure = f"{self.path} cannot run on an input of {tensor.shape}"
        return machine_error(error, failure) or ModelError(f"{failure}, which its contract allows: {first_line(error)}")


def open_model(path: str | Path, provider: str = "cpu", threads: int | None = None) -> Model:
    """Open a model file on one execution provider: `cpu`, `cuda` or `openvino`.

    `threads` is the number of processor threads within one run. By default it is 1, because tiles run in parallel, and
    the number of available cores for a model that needs the whole picture at once.

    Raises `ModelError` if the file is missing or damaged, `ContractError` if it has no contract that this version can
    read, and `ProviderError` if the provider is not available.
    """
    path = Path(path)
    session = open_session(path, provider, threads or 1)
    contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map, path)
    alone = threads is None and contract.task == "upscale" and not isinstance(contract.halo, Halo)
    if alone or contract.session != DEFAULT:
        session = open_session(path, provider, available_cores() if alone else threads or 1, settings=contract.session)
    content = path.read_bytes()
    parts = None
    if contract.statistics:
        image, output = session.get_inputs()[0].name, session.get_outputs()[0].name
        opened = partial(open_session, path, provider, threads or 1, settings=contract.session)
        parts = PassSessions(content, contract, image, output, lambda part: opened(content=part))
    return Model(path, contract, hashlib.sha256(content).hexdigest(), session.get_providers()[0], session, parts)


def open_session(
    path: str | Path,
    provider: str = "cpu",
    threads: int = 1,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    profile: Path | None = None,
    settings: SessionOptions = DEFAULT,
    content: bytes | None = None,
) -> ort.InferenceSession:
    """Return an onnxruntime session for any `.onnx` file, with or without a contract.

    `profile` is the beginning of the path of a file that onnxruntime writes the timing and sizes of every node to.
    `content` is opened instead of the file, which it is a part of.

    Raises `ModelError` if the file is missing or damaged, and `ProviderError` if onnxruntime falls back to another
    provider than `provider`, and `MachineError` if memory or threads run out.
    """
    options = providers.provider_options(provider)
    if content is None and not Path(path).is_file():
        raise ModelError(f"no model file at {path}")
    try:
        session = ort.InferenceSession(
            content or str(path), session_options(threads, level, settings, profile), providers=options
        )
    except UpconvError:
        raise
    except Exception as error:  # onnxruntime raises half a dozen unrelated types for the same failures
        trouble = machine_error(error, f"{path} cannot be opened")
        raise trouble or ModelError(f"{path} is not a model that onnxruntime can open: {first_line(error)}") from error
    providers.verify(session, provider)
    return session


def session_options(
    threads: int,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    settings: SessionOptions = DEFAULT,
    profile: Path | None = None,
) -> ort.SessionOptions:
    """Return the onnxruntime options for a session with these settings; see `open_session`."""
    options = ort.SessionOptions()
    options.graph_optimization_level = level if settings.blocked else min(level, _UNBLOCKED, key=int)
    options.enable_cpu_mem_arena = settings.arena
    options.enable_mem_pattern = settings.memory_pattern
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as exceptions anyway
    # Threads that spin while they wait take processor time from other sessions and from encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return options
