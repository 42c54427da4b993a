from __future__ import annotations

import pytest
import torch

from upconv.export.sources.state_entries import renamed, unwrapped

W = {"a.weight": torch.ones(2), "b.weight": torch.ones(2)}


@pytest.mark.parametrize(
    ("state", "entry"),
    [
        (W, ""),
        ({"params": {}, "params_ema": W}, "params_ema"),
        ({"params": {"x": torch.ones(1)}, "params_ema": W}, "params_ema"),
        ({"epoch": 3, "model": {"state_dict": W}}, "model.state_dict"),
        ({"epoch": torch.tensor(3), "net_g": W}, "net_g"),
    ],
)
def test_the_entry_with_weights_is_found(state: dict[str, object], entry: str) -> None:
    assert unwrapped(state) == (W, entry)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module.model._orig_mod."])
def test_prefixes_of_training_are_removed(prefix: str) -> None:
    state = {f"{prefix}{key}": value for key, value in W.items()} | {"loss.weight": torch.ones(1)}
    found = renamed(state, W)
    assert set(W) <= set(found)


def test_a_prefix_of_the_module_is_added() -> None:
    assert set(renamed(W, {"net.a.weight", "net.b.weight"})) == {"net.a.weight", "net.b.weight"}
