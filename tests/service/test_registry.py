from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from upconv.models import bundled
from upconv.runtime.errors import ParameterError
from upconv.service import Settings, loading
from upconv.service.errors import UnknownModelError
from upconv.service.registry import Registry
from upconv.service.trials.trials import Trials


def load(*models: Path) -> Registry:
    settings = Settings(models=models, workers=1)
    return loading.load(settings, Trials(settings))


def test_by_name(nearest_x2: Path, decoder: Path) -> None:
    registry = load(decoder, nearest_x2)
    try:
        assert registry.upscaling() == registry.upscaling("nearest-x2-test")
        assert registry.default is registry.entry("nearest-x2-test")
        with pytest.raises(UnknownModelError, match="no model 'x'; the loaded models are decoder-test, nearest-x2-test"):
            registry.upscaling("x")
        with pytest.raises(ParameterError, match="is decode; expected a model that upscales"):
            registry.upscaling("decoder-test")
    finally:
        registry.close()


def test_decoders_alone(decoder: Path) -> None:
    registry = load(decoder)
    with pytest.raises(ParameterError, match="no loaded model upscales pictures"):
        registry.upscaling()


def test_by_version_and_by_file(nearest_x2: Path) -> None:
    with contextlib.closing(load(nearest_x2)) as registry:
        entry = registry.entry("nearest-x2-test", "1")
        sha256 = entry.model.sha256
        assert registry.entry(f"nearest-x2-test@{sha256}") is registry.entry(f"nearest-x2-test@{sha256[:8]}") is entry
        for name, version, words in (
            ("nearest-x2-test", "2", "no version '2' of 'nearest-x2-test'; the loaded versions are 1"),
            (f"nearest-x2-test@{sha256[:7]}", "", f"the loaded files are nearest-x2-test@{sha256[:12]}"),
            ("nearest-x2-test@" + "0" * 64, "", "there is no file"),
        ):
            with pytest.raises(UnknownModelError, match=words):
                registry.entry(name, version)


def test_the_default_is_drawn_by_shares(nearest_x2: Path, tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / "net" / version).mkdir(parents=True)
        shutil.copy(nearest_x2, tmp_path / "net" / version / "model.onnx")
    with contextlib.closing(load(nearest_x2, tmp_path)) as registry:

        def drawn(shares: dict[str, float]) -> Counter[str]:
            changed = replace(registry, shares=shares)
            defaults = (changed.upscaling()[0] for _ in range(1000))
            return Counter(f"{entry.name}@{entry.version}" for entry in defaults)

        assert drawn({}) == {"nearest-x2-test@1": 1000}
        assert drawn({"net": 1}) == {"net@2": 1000}
        assert drawn({"net@1": 1}) == {"net@1": 1000}
        assert drawn({"gone": 1}) == {"nearest-x2-test@1": 1000}
        divided = drawn({"net@1": 3, "net@2": 1, "gone": 5})
        assert set(divided) == {"net@1", "net@2"}
        assert 650 < divided["net@1"] < 850


def test_auto_stands_for_the_models_that_may_be_chosen(nearest_x2: Path) -> None:
    with contextlib.closing(load(nearest_x2, bundled("photo-s-x2"), bundled("subpixel-s-x2"))) as registry:
        auto = registry.upscaling_models("auto")
        assert (auto.name, [entry.name for entry in auto.entries]) == ("auto", ["photo-s-x2", "subpixel-s-x2"])
        assert all(entry.model.sha256 in auto.identity for entry in auto.entries)
        assert registry.upscaling_models(None).name == "nearest-x2-test"
        by_content = replace(registry, by_content=True)
        assert by_content.upscaling_models(None).name == "auto"
        assert by_content.upscaling_models("subpixel-s-x2").entries == (registry.entry("subpixel-s-x2"),)
        assert replace(by_content, shares={"subpixel-s-x2": 1}).upscaling_models(None).name == "subpixel-s-x2"


def test_auto_without_models_to_choose_from(nearest_x2: Path) -> None:
    with contextlib.closing(load(nearest_x2)) as registry:
        with pytest.raises(UnknownModelError, match="no loaded model can be chosen by content; name one of: nearest-x2-test"):
            registry.upscaling_models("auto")
        assert replace(registry, by_content=True).upscaling_models(None).name == "nearest-x2-test"


def test_a_model_with_the_name_auto_is_itself(nearest_x2: Path, tmp_path: Path) -> None:
    (tmp_path / "auto" / "1").mkdir(parents=True)
    shutil.copy(nearest_x2, tmp_path / "auto" / "1" / "model.onnx")
    with contextlib.closing(load(tmp_path, bundled("photo-s-x2"))) as registry:
        assert registry.upscaling_models("auto").entries == (registry.entry("auto"),)
