from __future__ import annotations

import errno
import inspect
from collections.abc import Callable

import pytest
import pyvips

from upconv.runtime import errors


def libvips(detail: str) -> pyvips.Error:
    """An error of libvips with this detail."""
    made = pyvips.Error("unable to call")
    made.detail = detail
    return made


def test_the_drawn_tree_is_the_real_one(drawn: Callable[..., dict[str, str]]) -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.UpconvError)]
    own = {kind.__name__: kind.__bases__[0].__name__ for kind in classes if kind is not errors.UpconvError}
    assert drawn(errors) == own


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), errors.OutOfMemoryError),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), errors.OutOfMemoryError),
        (OSError(errno.ENOSPC, "No space left on device"), errors.DiskFullError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errors.DiskFullError),
        (OSError(errno.EMFILE, "Too many open files"), errors.MachineError),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), errors.MachineError),
        (RuntimeError("can't start new thread"), errors.MachineError),
        (libvips("vips_tracked: out of memory --- size == 100MB"), errors.OutOfMemoryError),
        (libvips("write error\nsystem error: No space left on device"), errors.DiskFullError),
        (libvips("unable to create thread"), errors.MachineError),
        (RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer"), errors.OutOfMemoryError),
        (errors.DiskFullError("full"), errors.DiskFullError),
        (OSError(errno.ENOENT, "No such file or directory"), None),
        (OSError(errno.EACCES, "Permission denied"), None),
        (RuntimeError("a defect"), None),
        (libvips("VipsJpeg: Premature end of JPEG file"), None),
        (
            libvips("tiff2vips: Failed to allocate memory for strips (99999999 elements of 8 bytes each)"),
            errors.OutOfMemoryError,
        ),
        (libvips("tiff2vips: Failed to allocate memory for strips (100000000 elements of 8 bytes each)"), None),
        (libvips("tiff2vips: Failed to allocate memory for to read TIFF directory (0 elements of 12 bytes each)"), None),
        (libvips("heif: Memory allocation error: Security limit exceeded"), None),
        (
            libvips("tiff2vips: Failed to allocate memory for to read TIFF directory (9 elements of 12 bytes each)"),
            errors.OutOfMemoryError,
        ),
        (errors.ImageError("out of memory"), None),
    ],
)
def test_the_machine_s_trouble_is_told_from_other_causes(error: Exception, kind: type[errors.MachineError] | None) -> None:
    trouble = errors.machine_error(error, "the picture cannot be read")
    assert (None if trouble is None else type(trouble)) is kind


def test_the_machine_s_trouble_is_a_sentence_with_the_cause() -> None:
    said = errors.machine_error(libvips("a\nvips_tracked: out of memory --- size == 100MB"), "the picture cannot be read")
    assert str(said) == (
        "the picture cannot be read: vips_tracked: out of memory --- size == 100MB; free memory, or try again later"
    )
