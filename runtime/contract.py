"""The contract: the description of an exported model that its `.onnx` file holds.

It is stored as JSON in `metadata_props`. It holds all that serving needs, so that a file can be served without the
source that it was exported from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from upconv.runtime.errors import ContractError
from upconv.runtime.rounding import round_down, round_up

KEY = "upconv.contract"
"""The key of the contract in `metadata_props`."""

VERSION: Literal[1] = 1
"""The version of the contract's fields."""

MAX_LENGTH = 4096
"""Largest multiple, minimum and halo, in pixels. A contract with a larger one is invalid."""

Color = Literal["rgb", "y", "gray"]
ModelKind = Literal["clean", "drawn", "web", "drawn-web", "pixels"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Pixels(_Part):
    """The conversion of 8- or 16-bit samples to tensor values.

    `value = low + (high - low) * sample / largest`, with the largest sample 255 or 65535.
    """

    color: Color = "rgb"
    """The channels of the tensor: R, G and B, the luma of BT.601, or grey."""
    low: float = 0.0
    """The tensor value of black."""
    high: float = 1.0
    """The tensor value of white."""

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self

    @property
    def channels(self) -> int:
        """The length of the channel axis."""
        return 3 if self.color == "rgb" else 1


class SizeLaw(_Part):
    """The output length along one axis as a function of the input length.

    `output = scale * input + offset`, for inputs that are a multiple of `multiple` and at least `minimum`.
    """

    scale: float = Field(gt=0)
    """Output pixels per input pixel."""
    offset: int = 0
    """Output pixels that are added, or removed if negative."""
    multiple: int = Field(default=1, ge=1, le=MAX_LENGTH)
    """Input lengths are multiples of this."""
    minimum: int = Field(default=1, ge=1, le=MAX_LENGTH)
    """The shortest input, in pixels."""
    maximum: int | None = Field(default=None, ge=1)
    """The longest input that the export proved, in pixels. `None` if the module has no limit."""

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.maximum is not None and self.maximum < self.fitted(0):
            raise ValueError(f"maximum ({self.maximum}) must be at least the shortest input ({self.fitted(0)})")
        return self

    def __str__(self) -> str:
        offset = f" {self.offset:+d}" if self.offset else ""
        most = "" if self.maximum is None else f", maximum {self.maximum}"
        return f"output = {self.scale:g} x input{offset}, multiple {self.multiple}, minimum {self.minimum}{most}"

    def fitted(self, length: int) -> int:
        """Return the shortest length that the law covers and that is at least `length`."""
        return round_up(max(length, self.minimum), self.multiple)

    def fitted_down(self, length: int) -> int | None:
        """Return the longest length that the law covers and that is at most `length`; `None` if there is none."""
        fitted = round_down(length if self.maximum is None else min(length, self.maximum), self.multiple)
        return fitted if fitted >= self.minimum else None

    def clamped(self, length: int) -> int:
        """Return the shortest length that the law covers and that is at least `length`, or the longest if that is shorter."""
        fitted = self.fitted(length)
        return fitted if self.maximum is None else min(fitted, round_down(self.maximum, self.multiple))

    def output(self, length: int) -> int | None:
        """Return the output length of an input of this length; `None` if the law does not cover it."""
        if length < self.minimum or length % self.multiple or (self.maximum is not None and length > self.maximum):
            return None
        return round(self.scale * length) + self.offset


class Halo(_Part):
    """The input pixels around a tile that its output depends on, per side."""

    top: int = Field(ge=0, le=MAX_LENGTH)
    bottom: int = Field(ge=0, le=MAX_LENGTH)
    left: int = Field(ge=0, le=MAX_LENGTH)
    right: int = Field(ge=0, le=MAX_LENGTH)

    def __str__(self) -> str:
        return f"{self.top} above, {self.bottom} below, {self.left} left, {self.right} right, in input pixels"


class NoHalo(_Part):
    """The reason why a model needs the whole picture at once, so that it has no finite halo."""

    node: str
    """The node that has no finite halo, or `the whole graph`."""
    reason: str
    """Why it has none."""


class Context(_Part):
    """The input pixels around the picture that the model consumes: its output covers the picture without them.

    A model of valid convolutions has a size law with a negative offset. The runtime extends the picture by these pixels.
    """

    top: int = Field(ge=0, le=MAX_LENGTH)
    bottom: int = Field(ge=0, le=MAX_LENGTH)
    left: int = Field(ge=0, le=MAX_LENGTH)
    right: int = Field(ge=0, le=MAX_LENGTH)
    fill: Literal["reflect", "edge"] = "edge"
    """The pixels beyond the border of the picture: mirrored at the border pixel, or the border pixel repeated."""


class Crop(_Part):
    """The output pixels around the enlarged picture that the runtime removes, of a size law with a positive offset."""

    top: int = Field(ge=0, le=MAX_LENGTH)
    bottom: int = Field(ge=0, le=MAX_LENGTH)
    left: int = Field(ge=0, le=MAX_LENGTH)
    right: int = Field(ge=0, le=MAX_LENGTH)


class HaloDeviation(_Part):
    """The error that a halo smaller than the exact one makes, measured on a photograph."""

    halo_px: int = Field(ge=0, le=MAX_LENGTH)
    """The smaller halo, in input pixels on each side."""
    steps: float = Field(ge=0)
    """Largest difference from the whole picture's output, in 8-bit steps."""
    share: float = Field(ge=0, le=1)
    """The share of output values that differ after rounding to 8 bits, from 0 to 1."""


class Statistic(_Part):
    """The mean of a feature map over the whole picture, which a model with squeeze-and-excitation computes.

    With tiles, a first pass sums the feature maps of all tiles, and the next pass takes the mean as an input.
    """

    features: str
    """Name of the tensor that is averaged, (N, channels, h, w)."""
    mean: str
    """Name of the tensor that holds the mean."""
    channels: int = Field(ge=1)
    """Channels of both tensors."""
    flat: bool = False
    """True if the mean has the shape (N, channels), False for (N, channels, 1, 1)."""
    level: int = Field(ge=0)
    """The number of passes before the features can be computed. Means of one level are summed in the same pass."""
    scale: float = Field(default=1, gt=0)
    """Positions of the feature map per input pixel, per side."""

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The shape of the mean."""
        return ("n", self.channels) if self.flat else ("n", self.channels, 1, 1)


class ParityEvidence(_Part):
    """The comparison of one backend's output with that of the torch module in float64."""

    backend: str
    """Name of the backend, such as `onnxruntime`."""
    version: str
    """Version of the backend."""
    level: str
    """Graph optimisation level of the backend."""
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of the inputs, of several sizes."""
    max_abs: float
    """Largest absolute error, in units of the output's range."""
    noise_floor: float
    """The same error of the torch module in float32, which this precision cannot avoid."""
    factor: float
    """Largest allowed error, as a multiple of the noise floor."""


class Quality(_Part):
    """The loss by reduced precision, measured on pictures or calibration samples."""

    psnr_db: float
    """PSNR of the output against the float32 output, in dB."""
    loss_db: float | None = None
    """PSNR that is lost against the true high-resolution pictures, in dB. `None` if there are none."""
    samples: int = Field(ge=1)
    """The number of pictures or samples."""
    kept: int = Field(default=0, ge=0)
    """The number of operators that stay in float32 to keep the quality."""

    def __str__(self) -> str:
        loss = "" if self.loss_db is None else f", {self.loss_db:.3f} dB lost against the truth"
        return f"{self.psnr_db:.1f} dB from float32{loss}, on {self.samples} samples"


class WitnessEvidence(_Part):
    """The comparison of a converted graph with the program that it was converted from."""

    name: str
    """Name of the program, such as `ncnn`."""
    version: str
    """Version of the program."""
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of the inputs, of several sizes."""
    difference: float = Field(ge=0)
    """Largest difference, as a fraction of the range of the output."""


class Evidence(_Part):
    """The measurements that the export makes before it writes the file."""

    parity: tuple[ParityEvidence, ...] = ()
    """Comparisons of the float32 graph with the torch module, one per backend and level."""
    quality: Quality | None = None
    """The loss by reduced precision. `None` for float32."""
    witness: WitnessEvidence | None = None
    """The comparison with the program that the graph was converted from. `None` if it was not compared."""
    tiling_max_abs: float | None = None
    """Largest absolute difference between the tiled and the whole output. `None` if the model has no finite halo."""


class SessionOptions(_Part):
    """The onnxruntime settings that tuning found to be fastest for the file."""

    arena: bool = True
    """True if onnxruntime keeps freed memory for the next run."""
    memory_pattern: bool = False
    """True if onnxruntime plans the memory for each size that it has seen. If sizes vary, this takes more memory."""
    blocked: bool = True
    """True if onnxruntime rearranges channels into blocks as wide as the processor's vectors."""


class TuningTrial(_Part):
    """One comparison that tuning made: two forms of a model, timed in turns."""

    name: str
    """Name of the change that was tried."""
    speed: float
    """Speed as a multiple of that before the change; the median over the rounds."""
    low: float
    """First quartile of the speed."""
    high: float
    """Third quartile of the speed."""
    kept: bool
    """True if the change was kept."""

    def __str__(self) -> str:
        return f"x{self.speed:.2f} ({self.low:.2f} to {self.high:.2f})"


class Tuning(_Part):
    """The measurements of one tuning run, on one machine and one thread."""

    shape: tuple[int, ...]
    """Shape of the first input."""
    trials: tuple[TuningTrial, ...] = ()
    """The changes that were tried, in order."""
    machine: str
    """Description of the machine."""
    runtime: str
    """Name and version of the runtime."""

    def __str__(self) -> str:
        kept = [f"{trial.name} {trial}" for trial in self.trials if trial.kept]
        return f"{len(self.trials)} tried on {self.machine}; kept {', '.join(kept) or 'nothing'}"


class Provenance(_Part):
    """The source of a file's weights, and the tools that wrote the file."""

    source: str
    """The source as the user stated it, such as a factory or a file."""
    weights_sha256: str | None = None
    """SHA-256 of all parameters and buffers. `None` if the model has none."""
    licence: str | None = None
    """The licence of the weights. `None` if it is not stated."""
    random_weights: bool = False
    """True if the weights look freshly initialised, so that the model was never trained."""
    tools: dict[str, str] = {}
    """Versions of the tools that wrote the file, by name."""


class ContentUse(_Part):
    """The pictures for which a model may be chosen by their content, and its place among models of one kind."""

    kind: ModelKind
    """The pictures that the model is for: any without loss, drawings without loss, photographs or drawings of the web, or pixel art."""
    psnr_y: float = Field(default=0.0, ge=0)
    """PSNR-Y at the model's own scale, in dB, by which models of one kind and scale are compared."""


class Contract(_Part):
    """The description of one exported model.

    The last step of an export writes it, and `open_model` reads it.
    """

    version: Literal[1] = VERSION
    name: str
    """Name of the model, as the service and the reports show it."""
    task: Literal["upscale", "decode"]
    """`upscale`: a picture in, a larger picture out. `decode`: tensors in, tensors out."""
    height: SizeLaw | None = None
    """Size law of the rows. `None` if the output's height does not depend on the input's."""
    width: SizeLaw | None = None
    """Size law of the columns. `None` if the output's width does not depend on the input's."""
    max_batch: int | None = Field(default=None, ge=1)
    """The largest batch that the export proved. `None` if the module has no limit."""
    context: Context | None = None
    """The pixels around the picture that the model consumes. `None` if it consumes none."""
    crop: Crop | None = None
    """The output pixels around the enlarged picture. `None` if there are none."""
    halo: Halo | NoHalo | None = None
    """The exact halo, or the reason why there is none. `None` if the task needs no tiles."""
    statistics: tuple[Statistic, ...] = ()
    """The means over the whole picture that tiles need, in order of their levels. `halo` applies if they are given."""
    halo_deviation: tuple[HaloDeviation, ...] = ()
    """Smaller halos and the error that each makes, ascending. Empty if the exact halo is small."""
    input: Pixels | None = None
    """The conversion of samples to the input tensor. `None` for `decode`."""
    output: Pixels | None = None
    """The conversion of samples to the output tensor, which serving inverts. `None` for `decode`."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """The number format of the weights and activations."""
    opset: int
    """The version of the ONNX operator set."""
    rewrites: tuple[str, ...] = ()
    """Names of the rewrites that were applied, in order."""
    session: SessionOptions = SessionOptions()
    """The onnxruntime settings to open the file with."""
    tuning: Tuning | None = None
    """The measurements of tuning. `None` if the export applied the rewrites that are known to be faster, without measuring."""
    evidence: Evidence = Evidence()
    """The measurements of parity, quality and tiling."""
    use: ContentUse | None = None
    """The pictures for which the model may be chosen. `None` if it is used only if it is named."""
    provenance: Provenance
    """The source of the weights."""

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: object) -> Self:
        """Return the contract in a model's metadata. `path` is the file that the messages name.

        Raises `ContractError` if there is no contract, or if this version cannot read it.
        """
        text = metadata.get(KEY)
        if text is None:
            raise ContractError(f"{path} carries no contract; export the model again with: upconv export SOURCE -o {path}")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "its JSON"
            raise ContractError(
                f"the contract in {path} cannot be read by this version of upconv ({place}: {first['msg']}); "
                "export the model again"
            ) from error

    def to_json(self) -> str:
        """Return the contract as compact JSON. Equal contracts give equal bytes."""
        return self.model_dump_json()

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """Return the smallest height and width that the model accepts and that are at least these.

        Raises `ContractError` if the contract has no size law.
        """
        if self.height is None or self.width is None:
            raise ContractError(f"{self.name} has no size law, so it cannot upscale pictures")
        return self.height.fitted(height), self.width.fitted(width)

    @property
    def levels(self) -> int:
        """The number of passes over all tiles before the last one."""
        return max((statistic.level + 1 for statistic in self.statistics), default=0)

    @property
    def laws(self) -> tuple[SizeLaw, SizeLaw]:
        """The size laws along height and width; raises `ContractError` if the contract has none."""
        if self.height is None or self.width is None:
            raise ContractError(f"{self.name} has no size law, so it cannot upscale pictures")
        return self.height, self.width

    @property
    def scale(self) -> int:
        """The number of output pixels per input pixel, the same for both axes.

        Raises `ContractError` if the contract has no size law, or if the scale is not one integer.
        """
        height, width = self.laws
        if height.scale != width.scale or not height.scale.is_integer():
            raise ContractError(f"{self.name} scales by {height.scale} and {width.scale}; expected one integer")
        return int(height.scale)
