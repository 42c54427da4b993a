from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from upconv.export.pictures import PHOTOGRAPHS
from upconv.export.precision import of_pictures
from upconv.models import CATALOGUE
from upconv.runtime import session
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import read
from upconv.runtime.cores import int8_saturates
from upconv.runtime.errors import Cancelled, ContractError, ModelError, OutOfMemoryError, ProviderError
from upconv.runtime.install_hints import install_command
from upconv.runtime.session import open_model, session_options


def test_opens_a_file_that_describes_itself(nearest_x2: Path) -> None:
    model = open_model(nearest_x2)
    assert model.contract.name == "nearest-x2-test"
    assert model.provider == "CPUExecutionProvider"
    assert model.sha256 == hashlib.sha256(nearest_x2.read_bytes()).hexdigest()
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    np.testing.assert_array_equal(model.run(image), image.repeat(2, axis=2).repeat(2, axis=3))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file at"):
        open_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" * 50])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        open_model(path)


def test_a_file_without_a_contract_is_refused_with_the_command_that_adds_one(without_contract: Path) -> None:
    with pytest.raises(ContractError, match=r"upconv export SOURCE -o .*bare\.onnx"):
        open_model(without_contract)


@pytest.mark.parametrize(
    ("provider", "sentence"), [("cuda", re.escape(install_command("cuda"))), ("tpu", "expected one of cpu, cuda, tensorrt")]
)
def test_a_provider_that_is_not_there_is_an_error_that_says_what_to_do(nearest_x2: Path, provider: str, sentence: str) -> None:
    with pytest.raises(ProviderError, match=sentence):
        open_model(nearest_x2, provider)


def test_a_run_ends_when_it_is_stopped(nearest_x2: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        open_model(nearest_x2).run(np.zeros((1, 3, 8, 8), np.float32), cancellation)


def test_memory_that_does_not_suffice_is_told_from_other_failures(nearest_x2: Path, tmp_path: Path) -> None:
    huge = onnx.load(nearest_x2)
    huge.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1, 1, 2**17, 2**17], np.float32), "scales"))
    onnx.save(huge, tmp_path / "huge.onnx")
    with pytest.raises(OutOfMemoryError, match="llocate"):
        open_model(tmp_path / "huge.onnx").run(np.zeros((1, 3, 64, 64), np.float32))
    with pytest.raises(ModelError, match="which its contract allows") as failure:
        open_model(nearest_x2).run(np.zeros((1, 5, 8, 8), np.float32))
    assert not isinstance(failure.value, OutOfMemoryError)


def test_the_whole_graph_runs_on_named_inputs_until_it_is_stopped(nearest_x2: Path) -> None:
    model, cancellation = open_model(nearest_x2), Cancellation()
    given, wanted = model.session.get_inputs()[0].name, [model.session.get_outputs()[0].name]
    tensor = np.ones((1, 3, 8, 8), np.float32)
    assert model.compute({given: tensor}, wanted, cancellation)[0].shape == (1, 3, 16, 16)
    with pytest.raises(ModelError, match="which its contract allows"):
        model.compute({given: tensor[:, :, :, 0]}, wanted)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        model.compute({given: tensor}, wanted, cancellation)


def test_memory_is_given_back_without_a_trace(nearest_x2: Path) -> None:
    model, picture = open_model(nearest_x2), np.ones((1, 3, 300, 300), np.float32)
    before = model.run(picture)
    model.release()
    np.testing.assert_array_equal(model.run(picture), before)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_session_neither_spins_nor_plans_memory(threads: int) -> None:
    made = session_options(threads)
    assert (made.intra_op_num_threads, made.inter_op_num_threads, made.enable_mem_pattern) == (threads, 1, False)
    assert made.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize("saturates", [True, False])
def test_int8_takes_exact_kernels_only_where_the_others_saturate(saturates: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "int8_saturates", lambda: saturates)
    options = session_options(1)
    try:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
        assert saturates
    except RuntimeError:  # onnxruntime's answer for an entry that was not added
        assert not saturates


@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x3"])
def test_int8_is_as_near_to_float32_as_the_contract_says_on_every_processor(name: str) -> None:
    if int8_saturates() and ort.__version__.startswith("1.24."):
        pytest.skip("onnxruntime 1.24 has no exact kernels beside operators in float32")
    forms = CATALOGUE[name].forms
    quality = open_model(forms[1]).contract.evidence.quality
    assert quality is not None
    errors = []
    for photograph in sorted(PHOTOGRAPHS.glob("*.jpg")):
        [arrays] = of_pictures([read(photograph).samples], open_model(forms[1]).contract).inputs
        exact, reduced = (open_model(path).run(arrays[0]) for path in forms)
        errors.append(float(np.mean((exact - reduced) ** 2)))
    assert -10 * np.log10(np.mean(errors)) == pytest.approx(quality.psnr_db, abs=0.3)
