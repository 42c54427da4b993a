"""What each folder offers, so that nothing joins or leaves unnoticed."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("upconv", "Upscaler bundled to_onnx"),
        (
            "upconv.runtime",
            "AutoUpscaler Contract Engine Model Picture Processed UpconvError UpscaleOptions Upscaler open_model process",
        ),
        ("upconv.runtime.buckets", "BucketPath ObjectState Place is_inside path_of place"),
        ("upconv.runtime.doctor", "Check Diagnosis State diagnose"),
        ("upconv.runtime.folders", "FileResult FileTask FolderListing Journal Shard find_tasks process_folder stream_tasks"),
        ("upconv.runtime.remote", "EndpointReport RemoteExecutor RemoteOptions"),
        (
            "upconv.runtime.video",
            "FrameFormat MatrixName PartialVideo RawFormat Y4mFormat check_frame_size frames parse_raw read_header upscaled_frames usual_matrix write_all",
        ),
        (
            "upconv.runtime.codecs",
            "ANIMATED FORMATS MAX_PIXELS MEDIA_TYPES SUFFIXES WRITABLE Animation check_options check_size decode decode_frames default_result encode encode_frames format_of read read_bytes read_size sniff to_srgb unread write_atomically",
        ),
        ("upconv.models", "CATALOGUE DEFAULT CatalogueEntry bundled model_set"),
        (
            "upconv.models.training.comparison",
            "CANDIDATES Candidate ComparisonPlan DecoderComparison Pictures budget compare named page pictures text",
        ),
        (
            "upconv.export",
            "Artifact Source SourceOptions StageReport from_checkpoint from_factory from_keras from_module from_ncnn from_onnx from_program open_source to_onnx tune",
        ),
        ("upconv.export.backends", "LEVELS Array Backend OnnxruntimeBackend Precision rounds_to"),
        ("upconv.export.backends.exact", "OPERATORS in_double"),
        ("upconv.export.conformance", "CaseResult GridBackend GridCase grid present run sample summarise"),
        ("upconv.export.formats", "FORMATS FileFormat FormatOptions WrittenModel check_source write"),
        (
            "upconv.export.repositories",
            "REPOSITORIES OvmsRepository RepositoryFormat RepositoryOptions ServedFile TritonRepository WrittenRepository add",
        ),
        ("upconv.runtime.triton_backend", "TritonPythonModel"),
        (
            "upconv.export.tile_settings",
            "FileHalo ProgramSetting halo_of_file load_file program_settings stated_contract write_bioimageio",
        ),
        (
            "upconv.export.precision",
            "CalibrationSamples Precision PrecisionOptions QualityGate ReducedModel from_folder of_pictures to_int8",
        ),
        ("upconv.export.rewrite", "RULES ExactRule Rewrite every_conv_transpose_to_phases"),
        (
            "upconv.export.steps",
            "REWRITES Expansion ExportDraft ExportOptions Step ask_witness capture_graph choose_session derive_halo find_sizes find_statistics inspect_graph load_graph measure_deviation pick_tile prove_parity raise_opset recognise_task reduce_precision run simplify_graph try_tiling write_contract",
        ),
        ("upconv.export.capture.interpolation", "TRANSLATIONS lengths_in_double lines_pooled_as_pictures with_scales"),
        ("upconv.service", "Settings create_app serve"),
        (
            "upconv.service.client",
            "AsyncClient Client DeliveryInfo JobInfo ModelInfo RetryPolicy ServiceError UpscaleOptions Upscaled",
        ),
    ],
)
def test_the_public_names(module: str, names: str) -> None:
    loaded = import_module(module)
    assert loaded.__all__ == names.split()
    for name in names.split():
        assert getattr(loaded, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = loaded.no_such_name
