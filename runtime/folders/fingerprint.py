"""The hash of what determines a result beside its picture: the model and the options."""

from __future__ import annotations

import hashlib
import json

from upconv.runtime.options import DEFAULTS, UpscaleOptions

_LATER_OPTIONS = ("fitting", "border", "colors")
"""Options that count only if they differ from the default, so that they do not change the fingerprint of earlier runs."""


def fingerprint(model_sha256: str, options: UpscaleOptions) -> str:
    """Return a hash of the model and of the options that determine a result.

    Limits do not change a result. The format is the suffix of the destination.
    """
    target = {"scale": options.scale, "width": options.width, "height": options.height}
    names = ("quality", "lossless", "profile", "metadata", "frames")
    later = {name: value for name in _LATER_OPTIONS if (value := getattr(options, name)) != getattr(DEFAULTS, name)}
    # The layout of the first version, so that folders of earlier runs are continued.
    request = {"target": target, "max_pixels": 0, **{name: getattr(options, name) for name in names}, **later}
    return hashlib.sha256(json.dumps([model_sha256, request], sort_keys=True).encode()).hexdigest()[:16]
