from __future__ import annotations

import json
import sys
from pathlib import Path

from upconv.models.training.comparison import DecoderComparison


def test_a_comparison_measures_everything(comparison: DecoderComparison, folders: tuple[Path, Path]) -> None:
    numbers = json.loads(json.dumps(comparison.as_dict()))
    assert [result["name"] for result in numbers["results"]] == ["upsample", "deconv-uneven"]
    assert "3 pictures of train/, 2 of val/ held out" in numbers["setup"]["pictures"]
    for result in numbers["results"]:
        assert result["curve"]["steps"] == [2, 4, 6]
        assert result["parity"] <= 4
        assert result["quality"]["psnr_y"] > 10
        assert result["timings"]["onnxruntime"]["ms"] > 0
        if sys.platform == "linux":
            assert result["memory"]["torch_mb"] > 0
    assert comparison.results[0].quality.psnr_gain == 0
