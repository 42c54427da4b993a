from __future__ import annotations

import pytest
from fastapi import FastAPI

from upconv.runtime.errors import Overloaded


def test_before_the_start_nothing_is_ready(app: FastAPI) -> None:
    state = app.state.upconv
    assert not state.ready
    with pytest.raises(Overloaded, match="models are not loaded"):
        _ = state.models
    with pytest.raises(Overloaded, match="jobs are not accepted"):
        _ = state.jobs
