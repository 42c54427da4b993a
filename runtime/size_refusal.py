"""The reason why input shapes do not fit the size laws of a contract, and the next size that does."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.runtime.contract import Contract, SizeLaw


def size_refusal(contract: Contract, shapes: Sequence[Sequence[int]]) -> str | None:
    """Return why inputs of these shapes, in the model's order, do not fit the contract; `None` if they fit.

    The laws are about the first input of more than two axes, if that is (N, C, H, W).
    """
    shape = next((shape for shape in shapes if len(shape) > 2), ())
    if len(shape) != 4:
        return None
    if contract.max_batch is not None and shape[0] > contract.max_batch:
        return (
            f"a batch of {shape[0]} is larger than {contract.name} takes, at most {contract.max_batch}; send several requests"
        )
    for side, law, length in zip(("height", "width"), (contract.height, contract.width), shape[2:], strict=True):
        if law is not None and law.output(length) is None:
            return f"the {side} of {length} does not fit {contract.name}, which takes {_lengths(law)}; {_nearest(law, length)}"
    return None


def _lengths(law: SizeLaw) -> str:
    kind = f"multiples of {law.multiple}" if law.multiple > 1 else "any length"
    return f"{kind} from {law.fitted(0)} {'up' if law.maximum is None else f'to {law.maximum}'}"


def _nearest(law: SizeLaw, length: int) -> str:
    larger = law.fitted(length)
    if law.maximum is not None and larger > law.maximum:
        return f"the largest one is {law.fitted_down(length)}"
    return f"the next larger one is {larger}"
