"""The source that reads ncnn's `.param` and `.bin` files."""

from upconv.export.sources.ncnn.ncnn_model import NcnnModel, from_ncnn, ncnn_source, refuse_weights

__all__ = ["NcnnModel", "from_ncnn", "ncnn_source", "refuse_weights"]
