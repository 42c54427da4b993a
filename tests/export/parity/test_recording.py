from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.parity.comparison import cases_of, compare
from upconv.export.parity.recording import FORMAT, load_outputs, save_inputs
from upconv.export.parity.subject import ParitySubject, from_file
from upconv.runtime.errors import ExportError, OutputError, ParameterError

Changed = Callable[[str], Path]


@pytest.fixture(scope="module")
def subject(file: Path) -> ParitySubject:
    return from_file(file)


@pytest.fixture
def folder(subject: ParitySubject, tmp_path: Path) -> Path:
    """Saved inputs, with the outputs of onnxruntime beside them."""
    save_inputs(subject, cases_of(subject), tmp_path / "saved")
    session = OnnxruntimeBackend(subject.model)
    for path in (tmp_path / "saved").glob("input-*.npz"):
        with np.load(path) as arrays:
            (output,) = session.run([arrays["image"]])
        np.savez(path.with_name(path.name.replace("input", "output")), output=output)
    return tmp_path / "saved"


def rewritten(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_recorded_outputs_are_judged_as_a_backend_is(subject: ParitySubject, folder: Path) -> None:
    (folder / "runtime.json").write_text('{"name": "my C++ program", "version": "3"}')
    comparison = compare(subject, recording=load_outputs(subject, folder))
    assert comparison.equal
    (row,) = comparison.rows
    assert (row.name, row.backend, row.version, row.precision) == ("my C++ program", "my C++ program", "3", "float32")
    assert comparison.inputs == compare(subject, backends=["onnxruntime:all"]).inputs
    both = compare(subject, recording=load_outputs(subject, folder), backends=["onnxruntime:all"])
    assert [row.name for row in both.rows] == ["my C++ program", "onnxruntime:all"]


def test_a_recorded_output_that_differs_is_found(subject: ParitySubject, folder: Path) -> None:
    path = folder / "output-0003.npz"
    with np.load(path) as arrays:
        np.savez(path, output=arrays["output"] + np.float32(1e-3))
    comparison = compare(subject, recording=load_outputs(subject, folder))
    assert not comparison.equal
    assert comparison.rows[0].worst == comparison.inputs[3]
    assert (comparison.first_difference, comparison.notes) == (None, ())


def test_a_recording_in_reduced_precision_is_judged_in_decibels(subject: ParitySubject, folder: Path) -> None:
    for path in folder.glob("output-*.npz"):
        with np.load(path) as arrays:
            np.savez(path, output=arrays["output"].astype(np.float16))
    assert not compare(subject, recording=load_outputs(subject, folder)).equal
    (folder / "runtime.json").write_text('{"precision": "fp16"}')
    comparison = compare(subject, recording=load_outputs(subject, folder))
    assert comparison.equal
    assert (comparison.rows[0].precision, comparison.rows[0].name) == ("fp16", "recorded")


def test_the_same_inputs_are_the_same_bytes(subject: ParitySubject, folder: Path, tmp_path: Path) -> None:
    save_inputs(subject, cases_of(subject), tmp_path / "again")
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_outputs_of_another_model_are_refused(folder: Path, changed: Changed) -> None:
    with pytest.raises(ParameterError, match="saved for a model with the SHA-256"):
        load_outputs(from_file(changed("other_weight")), folder)


def test_a_changed_input_is_refused(subject: ParitySubject, folder: Path) -> None:
    with np.load(folder / "input-0001.npz") as arrays:
        np.savez(folder / "input-0001.npz", image=arrays["image"] + np.float32(1e-6))
    with pytest.raises(ParameterError, match=r"input-0001\.npz was changed since it was saved"):
        load_outputs(subject, folder)


def damage_zip(folder: Path) -> None:
    (folder / "output-0002.npz").write_bytes(b"PK" + bytes(100))


def objects(folder: Path) -> None:
    np.savez(folder / "output-0002.npz", output=np.array([{}], object))


def two_names(folder: Path) -> None:
    np.savez(folder / "output-0002.npz", output=np.zeros(1), more=np.zeros(1))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "output-0002.npz").unlink(), r"no file .*output-0002.npz; .*arrays named output"),
        (damage_zip, r"output-0002.npz is not an .npz file of numbers"),
        (objects, r"output-0002.npz is not an .npz file of numbers"),
        (two_names, r"output-0002.npz holds the arrays more, output; expected output"),
        (lambda folder: (folder / "inputs.json").unlink(), "no file .*inputs.json; write it with --save-inputs"),
        (lambda folder: (folder / "inputs.json").write_text("{"), "inputs.json cannot be read"),
        (
            lambda folder: rewritten(folder / "inputs.json", version=FORMAT + 1),
            f"has the version {FORMAT + 1}; expected {FORMAT}",
        ),
        (lambda folder: rewritten(folder / "inputs.json", cases=[]), "lists no inputs"),
        (
            lambda folder: rewritten(
                folder / "inputs.json", cases=[{"file": "../input-0000.npz", "distribution": "uniform", "sha256": ""}]
            ),
            "which is not in the folder",
        ),
        (lambda folder: (folder / "runtime.json").write_text('{"nam": 1}'), "runtime.json cannot be read: nam: "),
    ],
)
def test_bad_files_are_one_sentence(subject: ParitySubject, folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder)
    with pytest.raises(ParameterError, match=said):
        load_outputs(subject, folder)


def test_other_inputs_have_no_recorded_outputs(subject: ParitySubject, folder: Path) -> None:
    with pytest.raises(ExportError, match="only the saved inputs can be judged"):
        load_outputs(subject, folder).run([np.zeros((1, 3, 4, 4), np.float32)])


def test_a_folder_that_cannot_be_made_is_one_sentence(subject: ParitySubject, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot create the folder"):
        save_inputs(subject, [], tmp_path / "file" / "below")


def test_names_of_any_kind_are_saved(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18]> g (float[1,3,4,4] file) => (float[1,3,4,4] y) { y = Relu(file) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    subject = from_file(tmp_path / "m.onnx")
    save_inputs(subject, cases_of(subject), tmp_path / "saved")
    with np.load(tmp_path / "saved" / "input-0000.npz") as arrays:
        assert arrays.files == ["file"]
