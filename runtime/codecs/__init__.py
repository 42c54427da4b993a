"""Decoding and encoding of image files with libvips."""

from upconv.runtime.codecs.animation import Animation, decode_frames, encode_frames
from upconv.runtime.codecs.decoding import decode, read_size
from upconv.runtime.codecs.encoding import check_options, check_size, encode
from upconv.runtime.codecs.files import read, read_bytes, write_atomically
from upconv.runtime.codecs.formats import (
    ANIMATED,
    FORMATS,
    MEDIA_TYPES,
    SUFFIXES,
    WRITABLE,
    default_result,
    format_of,
    sniff,
    unread,
)
from upconv.runtime.codecs.profiles import to_srgb
from upconv.runtime.options import MAX_PIXELS

__all__ = [
    "ANIMATED",
    "FORMATS",
    "MAX_PIXELS",
    "MEDIA_TYPES",
    "SUFFIXES",
    "WRITABLE",
    "Animation",
    "check_options",
    "check_size",
    "decode",
    "decode_frames",
    "default_result",
    "encode",
    "encode_frames",
    "format_of",
    "read",
    "read_bytes",
    "read_size",
    "sniff",
    "to_srgb",
    "unread",
    "write_atomically",
]
