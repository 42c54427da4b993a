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
from upconv.runtime.cores import available_cores, int8_saturates
from upconv.runtime.errors import Cancelled, DeviceLostError, ModelError, UpconvError, first_line, machine_error
from upconv.runtime.pass_sessions import ModelPass, PassSessions
from upconv.runtime.provider_faults import is_lost, plain_reason
from upconv.runtime.spot_proof import SpotProof

Tensor = NDArray[np.float32]

DEFAULT = SessionOptions()
INT8_EXACT = {"session.x64quantprecision": "1"}
"""The setting of a session that chooses kernels for int8 that do not saturate."""
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
    proof: SpotProof | None = None
    """The proof on the spot; `None` on the processor and on a provider that the evidence names."""

    def run(self, tensor: Tensor, cancellation: Cancellation | None = None) -> Tensor:
        """Run a model with one input and one output, and return the output.

        `tensor` is (N, C, H, W), and the output is (N, C, scale*H + offset, scale*W + offset).

        Raises `Cancelled` at the next node of the graph after a cancellation, `OutOfMemoryError` if memory runs out,
        `DeviceLostError` if the provider's device does not answer, and `ModelError` if the model cannot run.
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
        name = providers.short_name(self.provider)
        failure = f"{self.path} cannot run on an input of {tensor.shape}{'' if name == 'cpu' else f' on {name}'}"
        trouble = machine_error(error, failure)
        if trouble is None and name != "cpu" and is_lost(error):
            return DeviceLostError(f"{failure}, because the device is lost: {plain_reason(error)}; check it, and start again")
        return trouble or ModelError(f"{failure}, which its contract allows: {plain_reason(error)}")


def open_model(path: str | Path, provider: str = "cpu", threads: int | None = None) -> Model:
    """Open a model file on one execution provider of the table (`provider_table.py`), without a proof on the spot.

    `threads` is the number of processor threads within one run. By default it is 1, because tiles run in parallel, and
    the number of available cores for a model that needs the whole picture at once. With a number, OpenVINO has threads for
    one run at a time.

    Raises `ModelError` if the file is missing or damaged, `ContractError` if it has no contract that this version can
    read, and `ProviderError` if the provider is not available.
    """
    path = Path(path)
    streams = available_cores() if threads is None else 1
    session = open_session(path, provider, threads or 1, streams=streams)
    contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map, path)
    alone = threads is None and contract.task == "upscale" and not isinstance(contract.halo, Halo)
    if alone:
        session = open_session(path, provider, available_cores(), settings=contract.session)
    elif contract.session != DEFAULT:
        session = open_session(path, provider, threads or 1, settings=contract.session, streams=streams)
    content = path.read_bytes()
    parts = None
    if contract.statistics:
        image, output = session.get_inputs()[0].name, session.get_outputs()[0].name
        opened = partial(open_session, path, provider, threads or 1, settings=contract.session, streams=streams)
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
    streams: int = 1,
) -> ort.InferenceSession:
    """Return an onnxruntime session for any `.onnx` file, with or without a contract.

    `profile` is the beginning of the path of a file that onnxruntime writes the timing and sizes of every node to.
    `content` is opened instead of the file, which it is a part of. `streams` is the number of runs at a time for which
    OpenVINO has threads; the other providers run as many as there are callers.

    Raises `ModelError` if the file is missing or damaged, and `ProviderError` if onnxruntime falls back to another
    provider than `provider`, and `MachineError` if memory or threads run out.
    """
    options = session_options(threads, level, settings, profile)
    chosen = providers.attached(options, provider, threads, streams)
    if content is None and not Path(path).is_file():
        raise ModelError(f"no model file at {path}")
    try:
        # By default, onnxruntime falls back to the processor, at opening and at any later run, and prints that to standard output.
        session = ort.InferenceSession(content or str(path), options, providers=chosen, enable_fallback=0)
    except Exception as error:  # onnxruntime raises half a dozen unrelated types for the same failures
        raise _not_opened(error, path, content, provider) from error
    providers.verify(session, provider)
    return session


def _not_opened(error: Exception, path: str | Path, content: bytes | None, provider: str) -> UpconvError:
    """Return the error to raise if onnxruntime opens no session: the machine, the provider or the file is at fault."""
    trouble = machine_error(error, f"{path} cannot be opened")
    if trouble is not None:
        return trouble
    if provider != "cpu" and _opens(content or str(path)):
        return providers.not_started(provider, error)
    return ModelError(f"{path} is not a model that onnxruntime can open: {first_line(error)}")


def _opens(model: str | bytes) -> bool:
    try:
        ort.InferenceSession(model, session_options(1), providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


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
    keep_int8_exact(options)
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return options


def keep_int8_exact(options: ort.SessionOptions) -> None:
    """Make int8 give the same result on processors without VNNI, whose default kernels saturate, by slower kernels."""
    if int8_saturates():
        for name, value in INT8_EXACT.items():
            options.add_session_config_entry(name, value)
