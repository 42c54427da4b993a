from __future__ import annotations

import pytest

from upconv.export.capture.interpolation.translations import cubic_antialiased, linear_antialiased
from upconv.runtime.errors import ExportError


@pytest.mark.parametrize("translation", [linear_antialiased, cubic_antialiased])
def test_antialiasing_with_aligned_corners_is_refused(translation: object) -> None:
    assert callable(translation)
    with pytest.raises(ExportError, match="use align_corners=False"):
        translation(None, None, True)
