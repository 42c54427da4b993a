"""The formats other than ONNX that an export writes, one file per format."""

from upconv.export.formats.file_format import FileFormat, FormatOptions
from upconv.export.formats.ncnn import NcnnFormat
from upconv.export.formats.openvino_ir import OpenvinoFormat
from upconv.export.formats.writing import WrittenModel, check_source, write

FORMATS: dict[str, FileFormat] = {"ncnn": NcnnFormat(), "openvino": OpenvinoFormat()}
"""The formats by their name in `--to`."""

__all__ = ["FORMATS", "FileFormat", "FormatOptions", "WrittenModel", "check_source", "write"]
