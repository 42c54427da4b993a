from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from upconv.export.repositories import RepositoryOptions, ServedFile, TritonRepository
from upconv.export.repositories.served_file import MAX_BATCH
from upconv.export.repositories.triton import MAX_PIXELS, MAX_TILES_WAITING, PICTURES_AT_ONCE, TILES_AT_ONCE
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.contract import Contract, NoHalo, SessionOptions, SizeLaw
from upconv.runtime.errors import ExportError
from upconv.runtime.provider_table import TABLE

Artifact = Callable[..., ServedFile]


def configs(model: ServedFile, **options: bool) -> dict[str, Any]:
    """Return the configurations by the name of the model, as Triton reads them."""
    files = TritonRepository().files(model, RepositoryOptions(**options), Path("repository"))
    texts = {Path(path).parent.name: content.decode() for path, content in files.items() if path.endswith(".pbtxt")}
    parsed = {name: text_format.Parse(text, model_config_pb2.ModelConfig()) for name, text in texts.items()}
    assert all(config.name == name for name, config in parsed.items())
    return parsed


def test_the_tensor_model_takes_any_size_and_batches(artifact: Artifact) -> None:
    config = configs(artifact())["photo-s-x2"]
    assert (config.backend, config.max_batch_size) == ("onnxruntime", MAX_BATCH)
    for tensor, name in ((config.input[0], "image"), (config.output[0], "output")):
        assert (tensor.name, list(tensor.dims)) == (name, [3, -1, -1])
        assert model_config_pb2.DataType.Name(tensor.data_type) == "TYPE_FP32"
    assert config.dynamic_batching.max_queue_delay_microseconds > 0
    assert config.dynamic_batching.default_queue_policy.max_queue_size == MAX_TILES_WAITING >= PICTURES_AT_ONCE * TILES_AT_ONCE
    assert [(group.count, group.kind) for group in config.instance_group] == [
        (1, model_config_pb2.ModelInstanceGroup.KIND_AUTO)
    ]


def test_it_warms_up_on_a_tile_and_on_the_largest_batch(artifact: Artifact) -> None:
    samples = configs(artifact())["photo-s-x2"].model_warmup
    assert [sample.batch_size for sample in samples] == [1, MAX_BATCH]
    assert [list(sample.inputs["image"].dims) for sample in samples] == 2 * [[3, TILE_PX, TILE_PX]]
    whole = configs(artifact(halo=NoHalo(node="n", reason="r")))["photo-s-x2"].model_warmup
    assert [sample.batch_size for sample in whole] == [1]


def test_cards_compute_the_function_that_was_checked(artifact: Artifact) -> None:
    (cuda,) = configs(artifact())["photo-s-x2"].optimization.execution_accelerators.gpu_execution_accelerator
    assert cuda.name == "cuda"
    assert dict(cuda.parameters) == {name: str(value) for name, value in TABLE["cuda"].options.items()}
    assert cuda.parameters["use_tf32"] == "0"


@pytest.mark.parametrize(("precision", "mode"), [("fp32", None), ("fp16", "FP16")])
def test_tensorrt_computes_in_float16_only_what_the_gate_has_judged(
    artifact: Artifact, precision: str, mode: str | None
) -> None:
    config = configs(artifact(precision=precision), tensorrt=True)["photo-s-x2"]
    first, second = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert (first.name, second.name) == ("tensorrt", "cuda")
    assert first.parameters.get("precision_mode") == mode
    assert first.parameters["trt_profile_min_shapes"] == "image:1x3x1x1"
    assert first.parameters["trt_profile_max_shapes"] == f"image:{MAX_BATCH}x3x{TILE_PX}x{TILE_PX}"


def test_int8_is_refused_with_tensorrt(artifact: Artifact) -> None:
    with pytest.raises(ExportError, match="is in int8, which TensorRT rounds in another way"):
        configs(artifact("photo-s-x2.int8"), tensorrt=True)


@pytest.mark.parametrize(
    ("arena", "pattern", "blocked"), list(itertools.product((False, True), repeat=3)), ids=lambda chosen: "ny"[chosen]
)
def test_the_session_is_as_tuning_chose_it(artifact: Artifact, arena: bool, pattern: bool, blocked: bool) -> None:
    session = SessionOptions(arena=arena, memory_pattern=pattern, blocked=blocked)
    model = artifact(session=session)
    config = configs(model)["photo-s-x2"]
    stated = {name: value.string_value for name, value in config.parameters.items()}
    assert stated.pop("sha256") == model.sha256
    assert stated == {"enable_mem_arena": str(int(arena)), "enable_mem_pattern": str(int(pattern))}
    assert config.optimization.graph.level == (0 if blocked else 1)


def test_the_picture_model_takes_and_returns_files(artifact: Artifact) -> None:
    model = artifact()
    config = configs(model)["photo-s-x2-picture"]
    assert (config.backend, config.max_batch_size) == ("python", 1)
    assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [("image", [1])]
    assert [tensor.name for tensor in config.output] == ["result", "report"]
    assert config.dynamic_batching.default_queue_policy.max_queue_size > 0
    stated = {name: value.string_value for name, value in config.parameters.items()}
    assert stated["tensor_model"] == "photo-s-x2"
    assert (stated["tensor_input"], stated["tensor_output"], stated["sha256"]) == ("image", "output", model.sha256)
    assert (stated["tile_px"], stated["max_pixels"]) == (str(TILE_PX), str(MAX_PIXELS))


def test_its_files_are_code_and_the_contract(artifact: Artifact) -> None:
    model = artifact()
    files = TritonRepository().files(model, RepositoryOptions(), Path("repository"))
    assert files["photo-s-x2/1/model.onnx"] == model.content
    assert Contract.model_validate_json(files["photo-s-x2-picture/1/contract.json"]) == model.contract
    imported = [node for node in ast.parse(files["photo-s-x2-picture/1/model.py"]).body if isinstance(node, ast.ImportFrom)]
    assert [(node.module, node.names[0].name) for node in imported] == [("upconv.runtime.triton_backend", "TritonPythonModel")]
    assert list(files)[-1].endswith("config.pbtxt"), "Triton loads a model when its configuration is there"


def test_a_fixed_size_is_stated(artifact: Artifact) -> None:
    model = artifact(height=SizeLaw(scale=2, minimum=64, maximum=64), width=SizeLaw(scale=2, minimum=48, maximum=48))
    assert [list(sample.inputs["image"].dims) for sample in configs(model)["photo-s-x2"].model_warmup] == 2 * [[3, 64, 48]]


def test_a_decoder_of_tensors_has_no_picture_model(artifact: Artifact) -> None:
    model = artifact(task="decode", input=None, output=None, halo=None, height=None, width=None)
    (config,) = configs(model).values()
    assert len(config.model_warmup) == 0
