"""A blob of ncnn, as a tensor of an ONNX graph.

ncnn computes one picture at a time. A blob has one to four axes: (W), (H, W), (C, H, W) or (C, D, H, W). Its tensor has
the batch before them: (N, W), (N, H, W), (N, C, H, W) or (N, C, D, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

Length = int | None
"""The length of an axis; `None` if it depends on the size of the picture."""


@dataclass(frozen=True)
class Blob:
    """One blob."""

    value: str
    """The name of the tensor."""
    shape: tuple[Length, ...]
    """The lengths of the axes, the batch not among them."""
    lifted: bool = False
    """True if a blob with the one axis C has the tensor (N, C, 1, 1), as convolutions need it."""

    @property
    def rank(self) -> int:
        """The number of axes, the batch not among them."""
        return len(self.shape)

    @property
    def tensor_rank(self) -> int:
        """The number of axes of the tensor."""
        return 4 if self.lifted else 1 + len(self.shape)

    @property
    def channels(self) -> Length:
        """The length of the first axis."""
        return self.shape[0]
