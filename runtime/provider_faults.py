"""Faults of execution providers: the reason in onnxruntime's messages, and the words of a device that is gone."""

from __future__ import annotations

import re

from upconv.runtime.errors import first_line

_CODE = re.compile(r"^.*\[ONNXRuntimeError\] : \d+ : \w+ : ")
_CHECK = re.compile(r"^.* was false\. ")
_SOURCE_FILE = re.compile(r"^\S+\.(?:cc|cpp|h|cu|cuh):\d+ ")
_LOST = re.compile(
    r"device (?:is |was |has been )?(?:lost|removed|hung)|DEVICE_(?:LOST|REMOVED|HUNG)|lost its device"
    r"|CUDA (?:failure|error)|CUDNN (?:failure|error)|CUBLAS (?:failure|error)|HIP (?:failure|error)|\bEP_FAIL\b",
    re.IGNORECASE,
)
"""What CUDA, cuDNN, HIP, Vulkan, Direct3D, Dawn and onnxruntime say if a device does not answer any more."""


def plain_reason(error: BaseException) -> str:
    """Return the reason in a message of onnxruntime, on one line, without its codes, source files and functions."""
    line = first_line(error)
    for clutter in (_CODE, _CHECK, _SOURCE_FILE):
        line = clutter.sub("", line) or line
    return line.strip().rstrip(".")


def is_lost(error: BaseException) -> bool:
    """Return whether an error of a run says that the device does not answer any more, for example because it vanished."""
    return _LOST.search(str(error)) is not None
