"""The halo of an .onnx file of any origin, and what to set in programs that tile by hand."""

from upconv.export.tile_settings.bioimageio import write_bioimageio
from upconv.export.tile_settings.file_halo import FileHalo, halo_of_file, load_file, stated_contract
from upconv.export.tile_settings.programs import ProgramSetting, program_settings

__all__ = [
    "FileHalo",
    "ProgramSetting",
    "halo_of_file",
    "load_file",
    "program_settings",
    "stated_contract",
    "write_bioimageio",
]
