from __future__ import annotations

import onnx
import pytest
from tests.export.sources.ncnn.conftest import drawn, param, tagged

from upconv.export.sources.ncnn.conversion import convert
from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"
CONV = "Convolution conv 1 1 data out 0=4 1=3 5=0 6=108"


def test_the_channels_come_from_the_weights_and_the_sizes_are_free() -> None:
    network = convert(param(INPUT, CONV), tagged(drawn(108)))
    onnx.checker.check_model(network.model)
    assert network.inputs == {"data": (3, None, None)}
    assert network.outputs == ("out",)


def test_a_blob_that_only_a_copy_reads_is_no_output() -> None:
    network = convert(param(INPUT, "Split split 1 2 data a b", "ReLU relu 1 1 a out"), b"")
    assert network.outputs == ("out",)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["MemoryData memory 0 1 out 0=1"], "expected a layer of type Input"),
        ([INPUT, "Quantum q 1 1 data out"], "the layer 'q' of type Quantum is not supported"),
        ([INPUT, "ReLU relu 1 2 data a b"], "makes 2 blobs; expected 1"),
        ([INPUT, "ReLU relu 0 1 out"], "reads 0 blobs; expected 1"),
        (["Input data 0 2 a b"], "must make one blob"),
        ([INPUT], "the network has no output"),
        ([INPUT, CONV], "0 are left in the .bin file"),
    ],
)
def test_what_cannot_be_converted_is_named(layers: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        convert(param(*layers), b"")


def test_the_number_of_examples_must_fit() -> None:
    with pytest.raises(SourceError, match="has 1 inputs, but 2 examples"):
        convert(param(INPUT, CONV), tagged(drawn(108)), [(1, 3, 8, 8), (1, 3, 8, 8)])
