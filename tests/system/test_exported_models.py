"""What the catalogue holds and does not bring along, each exported once: the decoders of the articles, and the autoencoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest

from upconv.export import Artifact, to_onnx
from upconv.models import CATALOGUE, catalogue
from upconv.runtime.contract import NoHalo

LARGE = {"autoencoder-encoder", "fcn", "generator", "generator-interpolate"}
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
    for name, entry in CATALOGUE.items()
    if not entry.artifact.exists()
]
Exported = Callable[[str], Artifact]


@pytest.fixture(scope="module")
def exported() -> Exported:
    known: dict[str, Artifact] = {}

    def artifact(name: str) -> Artifact:
        return known.get(name) or known.setdefault(name, to_onnx(catalogue.source(name)))

    return artifact


def run(artifact: Artifact, array: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {session.get_inputs()[0].name: array.astype(np.float32)})[0]
    return result


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_passes_parity(name: str, exported: Exported) -> None:
    contract = exported(name).contract
    assert (contract.name, contract.task) == (name, CATALOGUE[name].task)
    assert contract.evidence.parity
    assert all(p.max_abs <= p.factor * p.noise_floor for p in contract.evidence.parity)


@pytest.mark.slow
def test_both_forms_of_the_generator_become_one_graph(exported: Exported) -> None:
    first, second = exported("generator"), exported("generator-interpolate")
    assert first.operators == second.operators
    image = np.random.default_rng(0).random((2, 3, 224, 224))
    outputs = [run(artifact, image) for artifact in (first, second)]
    assert outputs[0].shape == (2, 3, 224, 224)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert first.contract.height is not None
    assert (first.contract.height.scale, first.contract.height.multiple) == (1, 8)
    assert isinstance(first.contract.halo, NoHalo)
    assert "align_corners" in first.contract.halo.reason


def test_the_net_takes_one_size(exported: Exported) -> None:
    artifact = exported("net")
    assert artifact.contract.height is None
    assert [d.dim_value for d in artifact.model.graph.input[0].type.tensor_type.shape.dim][1:] == [3, 32, 32]


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("transposed-conv", (1, 32, 16, 16), (1, 64, 32, 32)),
        ("net", (5, 3, 32, 32), (5, 10, 2, 2)),
        ("dcgan", (1, 100, 1, 1), (1, 3, 64, 64)),
        ("cgan", (1, 110), (1, 1, 28, 28)),
        pytest.param("fcn", (1, 3, 40, 48), (1, 21, 40, 48), marks=pytest.mark.slow),
    ],
)
def test_what_a_decoder_makes_is_as_large_as_the_articles_say(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...], exported: Exported
) -> None:
    assert run(exported(name), np.zeros(shape)).shape == expected
