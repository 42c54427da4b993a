from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from upconv.export.repositories.served_file import MAX_BATCH, ServedFile
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.contract import Halo, HaloDeviation, NoHalo, SizeLaw
from upconv.runtime.errors import ContractError, ExportError

Artifact = Callable[..., ServedFile]


def test_a_file_states_its_tensors_and_tiles(artifact: Artifact) -> None:
    model = artifact("photo-s-x2.int8")
    assert (model.name, model.contract.precision) == ("photo-s-x2.int8", "int8")
    assert [(value.name, value.kind, value.shape) for value in model.inputs] == [("image", "FLOAT", (None, 3, None, None))]
    assert (model.batched, model.most_batch, model.tile_shape) == (True, MAX_BATCH, (TILE_PX, TILE_PX))
    assert len(model.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"height": SizeLaw(scale=2, multiple=60), "width": SizeLaw(scale=2)}, (360, 384)),
        ({"height": SizeLaw(scale=2, maximum=100)}, (100, 384)),
        ({"halo": Halo(top=80, bottom=80, left=1, right=1)}, (480, 480)),
        (
            {
                "halo": Halo(top=80, bottom=80, left=80, right=80),
                "halo_deviation": (HaloDeviation(halo_px=70, steps=0.5, share=0), HaloDeviation(halo_px=9, steps=0.6, share=0)),
            },
            (480, 480),
        ),
        ({"halo": NoHalo(node="n", reason="r"), "height": SizeLaw(scale=2, multiple=60)}, (420, 384)),
    ],
)
def test_tiles_are_what_the_contract_allows(artifact: Artifact, changes: dict[str, object], shape: tuple[int, int]) -> None:
    assert artifact(**changes).tile_shape == shape


@pytest.mark.parametrize(("most", "batch"), [(None, MAX_BATCH), (3, 3), (MAX_BATCH + 1, MAX_BATCH)])
def test_a_batch_is_one_that_the_export_proved(artifact: Artifact, most: int | None, batch: int) -> None:
    assert artifact(max_batch=most).most_batch == batch


def test_what_no_server_can_use_is_refused(artifact: Artifact, without_contract: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="carries no contract"):
        ServedFile.read(without_contract)
    with pytest.raises(ExportError, match="cannot be a model's name"):
        ServedFile.read(without_contract, "a/b")
    with pytest.raises(ExportError, match="cannot be read"):
        ServedFile.read(tmp_path / "missing.onnx")
    (tmp_path / "damaged.onnx").write_bytes(b"\xff" * 99)
    with pytest.raises(ExportError, match="is not an ONNX file"):
        ServedFile.read(tmp_path / "damaged.onnx")
    model = onnx.load_model_from_string(artifact().content)
    onnx.save(model, tmp_path / "large.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ExportError, match="in a second file"):
        ServedFile.read(tmp_path / "large.onnx")
