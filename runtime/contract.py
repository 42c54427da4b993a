"""What an exported `.onnx` file says about itself: everything that serving it needs, as JSON in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from upconv.runtime.errors import ContractError
from upconv.runtime.rounding import round_down, round_up

KEY = "upconv.contract"
"""The name in `metadata_props` under which the contract lies."""

VERSION: Literal[1] = 1

MAX_LENGTH = 4096
"""Largest multiple, minimum and halo; a file that claims more is wrong about itself."""

Color = Literal["rgb", "y", "gray"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Pixels(_Part):
    """How 8- or 16-bit pixels become the tensor's numbers: `value = low + (high - low) * pixel / largest`."""

    color: Color = "rgb"
    """The planes of the tensor's channel axis."""
    low: float = 0.0
    """What black becomes."""
    high: float = 1.0
    """What white becomes."""

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self

    @property
    def channels(self) -> int:
        """Length of the channel axis."""
        return 3 if self.color == "rgb" else 1


class SizeLaw(_Part):
    """Along one axis: `output = scale * input + offset`, for inputs that are a multiple of `multiple`, from `minimum` up."""

    scale: float = Field(gt=0)
    offset: int = 0
    multiple: int = Field(default=1, ge=1, le=MAX_LENGTH)
    minimum: int = Field(default=1, ge=1, le=MAX_LENGTH)

    def __str__(self) -> str:
        offset = f" {self.offset:+d}" if self.offset else ""
        return f"output = {self.scale:g} x input{offset}, multiple {self.multiple}, minimum {self.minimum}"

    def fitted(self, length: int) -> int:
        """Return the shortest length that the law covers and that is at least `length`."""
        return round_up(max(length, self.minimum), self.multiple)

    def fitted_down(self, length: int) -> int | None:
        """Return the longest length that the law covers and that is at most `length`; `None` if there is none."""
        fitted = round_down(length, self.multiple)
        return fitted if fitted >= self.minimum else None

    def output(self, length: int) -> int | None:
        """What an input of this length becomes; none where the law does not cover it."""
        if length < self.minimum or length % self.multiple:
            return None
        return round(self.scale * length) + self.offset


class Halo(_Part):
    """How many input pixels beyond a tile's edge the tile's output depends on, per side."""

    top: int = Field(ge=0, le=MAX_LENGTH)
    bottom: int = Field(ge=0, le=MAX_LENGTH)
    left: int = Field(ge=0, le=MAX_LENGTH)
    right: int = Field(ge=0, le=MAX_LENGTH)

    def __str__(self) -> str:
        return f"{self.top} above, {self.bottom} below, {self.left} left, {self.right} right, in input pixels"


class NoHalo(_Part):
    """Why no tile can be computed on its own."""

    node: str
    """The operator that looks at the whole image."""
    reason: str


class HaloDeviation(_Part):
    """What a smaller halo than the exact one costs, measured on a photograph."""

    halo_px: int = Field(ge=0, le=MAX_LENGTH)
    """Input pixels around the tile, on each side."""
    steps: float = Field(ge=0)
    """Largest difference from the whole picture's output, in 8-bit steps."""
    share: float = Field(ge=0, le=1)
    """Values of the output that differ once they are rounded to 8 bits."""


class ParityEvidence(_Part):
    """How equal one backend's output is to the torch module's in float64, over inputs of several sizes."""

    backend: str
    version: str
    level: str
    """The runtime's graph optimisation level."""
    shapes: tuple[tuple[int, ...], ...]
    """Inputs that were tried."""
    max_abs: float
    """Largest absolute error, in units of the output's range."""
    noise_floor: float
    """The same for the torch module in float32: the error nobody can avoid in this precision."""
    factor: float
    """How many noise floors are allowed."""


class Quality(_Part):
    """What fewer bits cost, measured on pictures or samples."""

    psnr_db: float
    """How alike the output is to that in float32."""
    loss_db: float | None = None
    """How much PSNR is lost against the truth; none where there is no truth."""
    samples: int = Field(ge=1)
    kept: int = Field(default=0, ge=0)
    """Operators that stayed in float32 for the sake of it."""

    def __str__(self) -> str:
        loss = "" if self.loss_db is None else f", {self.loss_db:.3f} dB lost against the truth"
        return f"{self.psnr_db:.1f} dB from float32{loss}, on {self.samples} samples"


class Evidence(_Part):
    """What was measured before the file was written."""

    parity: tuple[ParityEvidence, ...] = ()
    """Of the graph in float32."""
    quality: Quality | None = None
    """Of the reduced precision; none for float32."""
    tiling_max_abs: float | None = None
    """Largest difference between tiled and whole-image output; none where no finite halo exists."""


class SessionOptions(_Part):
    """How onnxruntime is best told to run the file, as tuning found it."""

    arena: bool = True
    """Whether freed memory is kept for the next run."""
    memory_pattern: bool = False
    """Whether memory is planned ahead for a size that has been seen; of no use where sizes vary, and then takes more."""
    blocked: bool = True
    """Whether channels are rearranged into blocks as wide as the processor's vectors."""


class TuningTrial(_Part):
    """One thing that tuning tried."""

    name: str
    speed: float
    """How many times as fast as before; median over the rounds."""
    low: float
    high: float
    """Quartiles of the same."""
    kept: bool

    def __str__(self) -> str:
        return f"x{self.speed:.2f} ({self.low:.2f} to {self.high:.2f})"


class Tuning(_Part):
    """What was measured on the machine that tuned the file, in turns, on one thread."""

    shape: tuple[int, ...]
    """Of the leading input."""
    trials: tuple[TuningTrial, ...] = ()
    machine: str
    runtime: str

    def __str__(self) -> str:
        kept = [f"{trial.name} {trial}" for trial in self.trials if trial.kept]
        return f"{len(self.trials)} tried on {self.machine}; kept {', '.join(kept) or 'nothing'}"


class Provenance(_Part):
    """Where the weights come from."""

    source: str
    weights_sha256: str | None = None
    """Of every parameter and buffer; none where the model has none."""
    licence: str | None = None
    tools: dict[str, str] = {}
    """Versions of what made the file."""


class Contract(_Part):
    """The whole contract: the last step of an export writes it, and whoever opens the file reads it."""

    version: Literal[1] = VERSION
    name: str
    task: Literal["upscale", "decode"]
    """`upscale`: image in, larger image out. `decode`: tensors in, tensors out."""
    height: SizeLaw | None = None
    width: SizeLaw | None = None
    """The size laws; none where the output's size does not follow the input's."""
    halo: Halo | NoHalo | None = None
    halo_deviation: tuple[HaloDeviation, ...] = ()
    """Halos smaller than the exact one and what they cost, ascending; empty where the exact one is small enough to use."""
    input: Pixels | None = None
    output: Pixels | None = None
    """How pixels are put in and read out; none for `decode`."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    opset: int
    rewrites: tuple[str, ...] = ()
    session: SessionOptions = SessionOptions()
    tuning: Tuning | None = None
    """None where what was measured to gain elsewhere was taken over."""
    evidence: Evidence = Evidence()
    provenance: Provenance

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: object) -> Self:
        """The contract among a model's metadata; raises `ContractError` where there is none that can be read."""
        text = metadata.get(KEY)
        if text is None:
            raise ContractError(
                f"{path} carries no contract; write it anew from its source with: upconv export SOURCE -o {path}"
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its JSON"
            raise ContractError(
                f"the contract in {path} cannot be read by this version of upconv ({where}: {first['msg']}); export the model again"
            ) from error

    def to_json(self) -> str:
        """The contract as compact JSON, the same bytes for the same contract."""
        return self.model_dump_json()

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """The smallest size from this one up that the model takes; raises `ContractError` where it has no size law."""
        if self.height is None or self.width is None:
            raise ContractError(f"{self.name} has no size law, so it cannot upscale pictures")
        return self.height.fitted(height), self.width.fitted(width)

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along both axes; raises `ContractError` where that is no single integer."""
        if self.height is None or self.width is None:
            raise ContractError(f"{self.name} has no size law, so it cannot upscale pictures")
        if self.height.scale != self.width.scale or not self.height.scale.is_integer():
            raise ContractError(f"{self.name} scales by {self.height.scale} and {self.width.scale}; expected one integer")
        return int(self.height.scale)
