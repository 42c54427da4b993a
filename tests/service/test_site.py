"""The page as static files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.service.conftest import web_runtime_folder

from upconv.models.catalogue import CATALOGUE, bundled
from upconv.runtime.errors import ModelError, ParameterError
from upconv.service.site import HEADERS, MODELS, write_site
from upconv.service.web_runtime import FILES, open_runtime


def test_every_file_is_there_and_the_models_are_those_given(tmp_path: Path, nearest_x2: Path) -> None:
    out = tmp_path / "site"
    assert write_site(open_runtime(web_runtime_folder(tmp_path)), [nearest_x2, bundled("photo-s-x2")], out) == [
        "nearest-x2-test",
        "photo-s-x2",
    ]
    listed = json.loads((out / MODELS).read_text())["models"]
    for model, path in zip(listed, (nearest_x2, bundled("photo-s-x2")), strict=True):
        assert (out / model["file"]).read_bytes() == path.read_bytes()
        assert model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    page = (out / "index.html").read_text()
    assert 'data-runtime="web-runtime/"' in page
    assert "data-server" not in page
    assert (out / "web" / "page.js").is_file()
    assert all((out / "web-runtime" / name).is_file() for name in FILES)
    assert "Cross-Origin-Embedder-Policy: require-corp" in (out / HEADERS).read_text()


def test_what_the_page_cannot_compute_is_refused_and_nothing_is_written(
    tmp_path: Path, nearest_x2: Path, decoder: Path
) -> None:
    runtime, out = open_runtime(web_runtime_folder(tmp_path)), tmp_path / "site"
    with pytest.raises(ModelError, match="is a model in int8; the page computes in float32 only"):
        write_site(runtime, [CATALOGUE["photo-s-x2"].reduced], out)
    with pytest.raises(ModelError, match="has the task decode"):
        write_site(runtime, [decoder], out)
    with pytest.raises(ParameterError, match="two models are called 'nearest-x2-test'"):
        write_site(runtime, [nearest_x2, nearest_x2], out)
    assert not out.exists()
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(ParameterError, match="is not empty"):
        write_site(runtime, [nearest_x2], out)
    assert [path.name for path in out.iterdir()] == ["mine"]
