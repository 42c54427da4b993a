"""Video by frames: streams of YUV4MPEG2 and of raw R, G and B, upscaled frame by frame, in order and in bounded memory."""

from upconv.runtime.video.color_matrix import MatrixName, usual_matrix
from upconv.runtime.video.frame_formats import FrameFormat, RawFormat, Y4mFormat, parse_raw
from upconv.runtime.video.frame_pipeline import upscaled_frames
from upconv.runtime.video.frame_reader import check_frame_size, frames, read_header
from upconv.runtime.video.partial_video import PartialVideo, write_all

__all__ = [
    "FrameFormat",
    "MatrixName",
    "PartialVideo",
    "RawFormat",
    "Y4mFormat",
    "check_frame_size",
    "frames",
    "parse_raw",
    "read_header",
    "upscaled_frames",
    "usual_matrix",
    "write_all",
]
