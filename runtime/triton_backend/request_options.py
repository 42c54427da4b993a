"""The options of a picture in a request to Triton: its parameters, which have the names of `UpscaleOptions`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import UpscaleOptions

LIMITS = ("max_pixels", "max_output_pixels")
"""The options that the configuration of the model states, and no request."""

NAMES = tuple(field.name for field in dataclasses.fields(UpscaleOptions) if field.name not in LIMITS)
"""The parameters that a request may have."""

_OPTIONS = TypeAdapter(UpscaleOptions)


def request_options(parameters: str, max_pixels: int, max_output_pixels: int) -> UpscaleOptions:
    """Return the options that the parameters of a request state, as JSON, with the limits of the model.

    Triton's parameters are strings, integers and booleans, so a scale may be the string "1.5". Raises `ParameterError` for an
    unknown name or a value that is not allowed.
    """
    stated = json.loads(parameters) if parameters else {}
    unknown = [name for name in stated if name not in NAMES]
    if unknown:
        raise ParameterError(f"there is no parameter {unknown[0]}; expected one of {', '.join(NAMES)}")
    try:
        options = _OPTIONS.validate_python(stated)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(f"{'.'.join(map(str, first['loc'][:1]))}: {first['msg']}; got {first['input']!r}") from error
    return replace(options, max_pixels=max_pixels, max_output_pixels=max_output_pixels)
