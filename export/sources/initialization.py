"""Weights that look as torch or a common initialiser draws them, so that the model was never trained.

Torch draws the weights of convolutions and linear layers uniformly from [-b, b], b = 1 / sqrt(fan_in) (He et al., 2015, with
a = sqrt(5)), and their biases from the same interval. A weight counts as fresh if all its values lie within the bounds of one
initialiser, and their distribution passes a test of Kolmogorov and Smirnov against it:

    D = max |F_n(x) - F(x)|,    sqrt(n) D <= 1.95        exceeded by one fresh weight of a thousand

Training moves values across the bound, and makes the distribution heavier in its tails, within few steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from upconv.export.lint import Finding

RULE = "random-weights"
"""The rule of the finding."""

LIMIT = 1.95
"""The largest sqrt(n) D of a fresh weight."""

SLACK = 1.005
"""The factor by which a value may exceed its bound: the rounding of bfloat16."""

MOST = 20_000
"""The most values of one weight that are tested, evenly spaced."""

FEWEST = 64
"""The fewest values from which uniform weights are recognised."""

FEWEST_NORMAL = 1_000
"""The fewest values of one weight from which a normal distribution is recognised."""

SURE = 100_000
"""The number of normal values that are recognised without the support of untouched biases and scales."""


@dataclass(frozen=True)
class FreshWeights:
    """The share of a model's weights that look freshly initialised."""

    fresh: int
    """The number of weights with two or more axes that look fresh."""
    total: int
    """The number of all weights with two or more axes."""
    share: float
    """The share of their values that look fresh."""
    evidence: int
    """The number of values with a uniform distribution."""
    normal: int
    """The number of values with a normal distribution."""
    untouched: int
    """The number of biases and scales that have their initial values."""
    touched: int
    """The number of biases and scales that have other values."""

    @property
    def random(self) -> bool:
        """True if the model was probably never trained."""
        if self.share < 0.5 or self.touched > self.untouched:
            return False
        if self.evidence >= FEWEST and 2 * self.evidence >= self.normal:
            return True
        return (self.untouched > 0 and self.touched == 0 and self.normal > 0) or self.normal >= SURE


def random_weights(module: nn.Module, name: str) -> list[Finding]:
    """Return a finding if the parameters of `module` look freshly initialised, or nothing."""
    return findings_of(dict(module.named_parameters()), name)


def findings_of(parameters: Mapping[str, Tensor], name: str) -> list[Finding]:
    """Return a finding if these parameters, in the layouts of torch, look freshly initialised, or nothing."""
    found = fresh_weights(parameters)
    if not found.random:
        return []
    message = (
        f"{found.fresh} of {found.total} weights of {name} look freshly initialised, so its output has no meaning; "
        "load trained weights with --weights, or with load_state_dict before the export"
    )
    return [Finding(RULE, next(key for key, value in parameters.items() if value.ndim > 1), message)]


def fresh_weights(parameters: Mapping[str, Tensor]) -> FreshWeights:
    """Return how many of these parameters look freshly initialised."""
    parameters = {key: value.detach() for key, value in parameters.items()}
    weights = {
        key: value
        for key, value in parameters.items()
        if value.ndim > 1 and value.numel() > len(value) and value.is_floating_point()
    }
    uniform = {key for key, value in weights.items() if _uniform(value)}
    normal = {key for key, value in weights.items() if key not in uniform and _normal(value)}
    others = [key for key, value in parameters.items() if value.ndim == 1]
    untouched = sum(_untouched(parameters[key], _beside(key, weights)) for key in others)
    sizes = {key: value.numel() for key, value in weights.items()}
    fresh = uniform | normal
    return FreshWeights(
        fresh=len(fresh),
        total=len(weights),
        share=sum(sizes[key] for key in fresh) / max(1, sum(sizes.values())),
        evidence=sum(sizes[key] for key in uniform),
        normal=sum(sizes[key] for key in normal),
        untouched=untouched,
        touched=len(others) - untouched,
    )


def _beside(key: str, weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the weights of the layer that has this bias."""
    place = key[: key.rfind("bias")] if "bias" in key else f"{key}."
    return [value for name, value in weights.items() if name.startswith(place)] if place else list(weights.values())


def _untouched(values: Tensor, beside: Sequence[Tensor]) -> bool:
    """Return whether a bias or scale is constant, or a bias lies within the bounds of its layer's weights."""
    if bool((values == values.flatten()[:1]).all()):
        return True
    bounds = [bound for weight in beside for bound in _bounds(weight)]
    return float(values.abs().max()) <= SLACK * max(bounds, default=0.0)


def _fans(weight: Tensor) -> tuple[int, int]:
    """Return the inputs and outputs of a value, as `torch.nn.init` counts them."""
    field = math.prod(weight.shape[2:])
    return max(1, weight.shape[1] * field), max(1, weight.shape[0] * field)


def _bounds(weight: Tensor) -> Iterator[float]:
    """Yield the bounds of uniform initialisers: torch's own, He's, Glorot's, and that of recurrent layers."""
    inputs, outputs = _fans(weight)
    yield 1 / math.sqrt(inputs)
    yield math.sqrt(6 / inputs)
    yield math.sqrt(6 / outputs)
    yield math.sqrt(6 / (inputs + outputs))
    if weight.ndim == 2:
        yield from (math.sqrt(gates / outputs) for gates in (3, 4))


def _deviations(weight: Tensor) -> Iterator[float]:
    """Yield the standard deviations of normal initialisers: He's, Glorot's, LeCun's, and common constants."""
    inputs, outputs = _fans(weight)
    yield from (math.sqrt(2 / inputs), math.sqrt(2 / outputs), math.sqrt(2 / (inputs + outputs)), math.sqrt(1 / inputs))
    yield from (1.0, 0.02, 0.01)


def _uniform(weight: Tensor) -> bool:
    values = _sample(weight)
    largest = float(values[[0, -1]].abs().max())
    bounds = (b for b in _bounds(weight) if largest <= SLACK * b)
    return any(_fits(values, ((values / b).clamp(-1, 1) + 1) / 2) for b in bounds)


def _normal(weight: Tensor) -> bool:
    if weight.numel() < FEWEST_NORMAL:
        return False
    values = _sample(weight)
    return any(_fits(values, torch.special.ndtr(values / deviation)) for deviation in _deviations(weight))


def _sample(weight: Tensor) -> Tensor:
    """Return at most `MOST` values, sorted, in float64."""
    values = weight.flatten()
    return values[:: max(1, values.numel() // MOST)].double().cpu().sort().values


def _fits(values: Tensor, expected: Tensor) -> bool:
    """Return whether sorted values have the distribution whose function is `expected` at them."""
    n = values.numel()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    distance = torch.maximum(steps[1:] - expected, expected - steps[:-1]).max()
    return math.sqrt(n) * float(distance) <= LIMIT
