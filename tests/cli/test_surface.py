"""What each folder offers, so that nothing joins or leaves unnoticed."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("upconv", ["Upscaler", "bundled", "export"]),
        (
            "upconv.runtime",
            [
                *("Contract", "Engine", "Model", "Picture", "Processed", "UpconvError", "UpscaleOptions", "Upscaler"),
                *("open_model", "process"),
            ],
        ),
        ("upconv.runtime.folders", ["Found", "Job", "Journal", "Outcome", "find", "run"]),
        (
            "upconv.runtime.codecs",
            [
                *("ANIMATED", "FORMATS", "MAX_PIXELS", "MEDIA_TYPES", "SUFFIXES", "WRITABLE", "Animation"),
                *("check_options", "check_size", "decode", "decode_frames", "encode", "encode_frames", "format_of", "read"),
                *("read_bytes", "read_size", "sniff", "to_srgb", "unread", "write_atomically"),
            ],
        ),
        ("upconv.models", ["CATALOGUE", "DEFAULT", "Entry", "bundled"]),
        (
            "upconv.models.training.comparison",
            [
                "CANDIDATES",
                "Candidate",
                "Comparison",
                "Pictures",
                "Plan",
                "budget",
                "compare",
                "named",
                "page",
                "pictures",
                "text",
            ],
        ),
        (
            "upconv.export",
            [
                *(
                    "Artifact",
                    "Source",
                    "StageReport",
                    "export",
                    "from_checkpoint",
                    "from_factory",
                    "from_keras",
                    "from_module",
                ),
                *("from_onnx", "from_program", "open_source", "tune"),
            ],
        ),
        ("upconv.export.parity", ["FACTOR", "Backend", "OnnxruntimeBackend", "TorchBackend", "Verdict", "judge"]),
        (
            "upconv.export.parity.backends",
            [
                *("LEVELS", "Array", "Backend", "OnnxruntimeBackend", "Precision", "ReferenceBackend", "TorchBackend"),
                "rounds_to",
            ],
        ),
        ("upconv.export.parity.exact", ["OPERATORS", "in_double"]),
        ("upconv.export.parity.operators", ["Case", "Result", "Runtime", "grid", "present", "run", "sample", "summarise"]),
        (
            "upconv.export.precision",
            ["Gate", "Precision", "Reduced", "Reduction", "Samples", "from_folder", "of_pictures", "to_int8"],
        ),
        ("upconv.export.rewrite", ["RULES", "ExactRule", "Rewrite", "every_conv_transpose_to_phases"]),
        ("upconv.export.interpolation", ["TRANSLATIONS", "lengths_in_double", "lines_pooled_as_pictures", "with_scales"]),
        ("upconv.service", ["Settings", "create_app", "serve"]),
    ],
)
def test_the_public_names(module: str, names: list[str]) -> None:
    loaded = import_module(module)
    assert loaded.__all__ == names
    for name in names:
        assert getattr(loaded, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = loaded.no_such_name
