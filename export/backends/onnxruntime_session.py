"""An onnxruntime session as a backend."""

from __future__ import annotations

import re
from collections.abc import Sequence

import onnx
import onnxruntime as ort

from upconv.export.backends.backend import Array
from upconv.export.storage import opened
from upconv.runtime import providers
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.session import keep_int8_exact

CODES = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
NODE = re.compile(r"while running (?P<kind>\w+) node\. Name:'(?P<name>[^']*)' Status Message: (?P<said>.*)")
SOURCE_FILE = re.compile(r"^\S+\.(h|cc):\d+ \S+ ")
"""The parts of onnxruntime's messages."""

LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""Graph optimisation levels by name. The service uses `all`."""


class OnnxruntimeBackend:
    """onnxruntime on one execution provider, with one thread, at one graph optimisation level.

    TensorFloat-32 is off on CUDA: its mantissa of ten bits would look like an error (onnxruntime#19357). Raises
    `ProviderError` if the provider is not available and `ExportError` if onnxruntime cannot open the graph.
    """

    version: str = ort.__version__

    def __init__(self, model: onnx.ModelProto, level: str = "all", provider: str = "cpu") -> None:
        self.name = f"onnxruntime {provider}"
        self.level = level
        options = _options(level)
        chosen = providers.attached(options, provider)
        try:
            with opened(model) as graph:
                self._session = ort.InferenceSession(graph, options, providers=chosen, enable_fallback=0)
        except Exception as error:  # onnxruntime raises several unrelated types
            if provider != "cpu" and _opens_on_cpu(model):
                raise providers.not_started(provider, error) from error
            raise ExportError(f"onnxruntime cannot open the graph: {plain_message(first_line(error))}") from error
        providers.verify(self._session, provider)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of the graph; raises `ExportError` if onnxruntime cannot run it."""
        feed = {value.name: array for value, array in zip(self._session.get_inputs(), inputs, strict=True)}
        try:
            outputs: list[Array] = self._session.run(None, feed)
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            raise ExportError(f"onnxruntime cannot run the graph on {shapes}: {plain_message(first_line(error))}") from error
        return outputs


def _opens_on_cpu(model: onnx.ModelProto) -> bool:
    """Return whether the processor opens a graph that a provider does not open."""
    try:
        OnnxruntimeBackend(model)
    except ExportError:
        return False
    return True


def plain_message(said: str) -> str:
    """Return a message of onnxruntime without its codes and source files, and with the node in words."""
    text = CODES.sub("", said)
    node = NODE.search(text)
    if node is None:
        return text
    said = SOURCE_FILE.sub("", node["said"]).strip().rstrip(".")
    return f"{node['kind']} at {node['name']} refuses what it gets ({said})"


def _options(level: str) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as exceptions anyway
    keep_int8_exact(options)
    return options
