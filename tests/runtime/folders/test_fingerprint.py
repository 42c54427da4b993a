from __future__ import annotations

from upconv.runtime.folders.fingerprint import fingerprint
from upconv.runtime.options import UpscaleOptions


def test_what_determines_a_result_changes_the_fingerprint_and_limits_do_not() -> None:
    usual = fingerprint("sha", UpscaleOptions())
    assert usual == fingerprint("sha", UpscaleOptions(max_pixels=7, format="png"))
    others = [
        fingerprint("other", UpscaleOptions()),
        *(fingerprint("sha", options) for options in (UpscaleOptions(3), UpscaleOptions(quality=7), UpscaleOptions(colors=16))),
    ]
    assert len({usual, *others}) == 5
