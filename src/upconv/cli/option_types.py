"""The options that several commands share, or that are many: each type holds its option's name, limits and help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime.options import Fitting

Weights = Annotated[Path | None, typer.Option(help="Weights for the module: .safetensors or .pth.")]
FactoryArguments = Annotated[str, typer.Option("--kwargs", help="Arguments of the factory, as a JSON object.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", help="Shape of an example input, such as 1x3x64x64 or 1:int64; once for each input."),
]
InputRange = Annotated[
    str | None, typer.Option("--range", help="Values of black and white in the model's input; 0,1 by default.")
]
OutputRange = Annotated[
    str | None, typer.Option("--output-range", help="Values of black and white in its output, if they differ.")
]
FillChoice = Annotated[
    Literal["reflect", "edge"] | None,
    typer.Option(
        "--fill",
        help="Pixels beyond the border of a picture, for models that consume a context: the picture mirrored, or its border "
        "pixel repeated (edge, the default).",
    ),
]
AxisLetters = Annotated[
    str | None,
    typer.Option(
        "--axes",
        help="A letter for each axis of inputs and outputs, such as 'image:NCHW output:NHW', if trials do not find them: N "
        "batch, C channels, D depth, H height, W width, L length of a line, T tokens, K any other of one length.",
    ),
]
OneSize = Annotated[
    str | None,
    typer.Option(
        "--fixed",
        metavar="HxW",
        help="The only height and width of the input, such as 64x48, in place of all that the model takes.",
    ),
]
Colors = Annotated[
    Literal["2", "4", "16", "256"] | None,
    typer.Option(help="Most colours of a PNG, which then has a palette, or levels of grey; by default no limit."),
]
Border = Annotated[
    Literal["mirror", "repeat", "wrap", "zero"] | None,
    typer.Option(
        help="Pixels that the model sees beyond the border: the picture mirrored, its border pixel repeated, the opposite border "
        "(wrap, for textures that repeat) or black (zero); by default none, as the model was trained."
    ),
]
Opset = Annotated[int, typer.Option("--opset", min=18, max=23, help="Version of the ONNX operator set.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print every measurement.")]
PrecisionChoice = Annotated[
    Literal["fp32", "fp16", "int8", "auto"],
    typer.Option("--precision", help="int8 for processors, fp16 for CUDA; auto tunes, and uses int8 if it is faster."),
]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        "--calibrate", help="Calibration data of int8: a folder of pictures, or of .npy and .npz; the project's own by default."
    ),
]
LimitDb = Annotated[float, typer.Option("--limit-db", min=0, help="Decibels of quality that reduced precision may lose.")]
TuneSeconds = Annotated[float, typer.Option("--tune-s", min=1, help="Seconds that tuning may take.")]
Unproved = Annotated[
    bool,
    typer.Option(
        "--unproved", help="Use a model even if its output on the provider differs from the processor's by more than allowed."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only a report, as JSON.")]
FramesChoice = Annotated[
    str | None,
    typer.Option(
        "--frames",
        metavar="[y4m|rgb24:WxH|rgb48le:WxH]",
        help="Upscale every frame: of GIF and WebP without a value, or of a stream of video in this format.",
    ),
]
MatrixChoice = Annotated[
    Literal["bt601", "bt709", "bt2020"] | None,
    typer.Option("--matrix", help="Matrix of the colours of y4m; by default bt601 below 720 lines, and bt709 from there on."),
]
StartFrame = Annotated[int, typer.Option("--start-frame", min=0, help="Frames of a video to leave out at its start.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a video that an earlier run has begun.")]
FitBox = Annotated[
    str | None, typer.Option("--fit", metavar="WxH", help="Largest size with the picture's aspect ratio that fits into WxH.")
]
FillBox = Annotated[
    str | None,
    typer.Option(
        "--fill", metavar="WxH", help="Smallest size with the picture's aspect ratio that covers WxH; nothing is cut off."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, with sizes, time and memory, and write nothing.")
]


def box(width: int | None, height: int | None, fit: str | None, fill: str | None) -> tuple[int | None, int | None, Fitting]:
    """Return the width, the height and the fitting that the options for the size of a result state.

    Raises `ParameterError` if more than one of them is given, or if a size is not WxH.
    """
    given = [(name, text) for name, text in (("fit", fit), ("fill", fill)) if text is not None]
    if not given:
        return width, height, "stretch"
    if len(given) > 1 or width is not None or height is not None:
        raise ParameterError("give only one of --fit, --fill, and --width with --height")
    name, text = given[0]
    found = re.fullmatch(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", text)
    if found is None:
        raise ParameterError(f"--{name} must be a width and a height in pixels, such as 1920x1080, not {text}")
    return int(found[1]), int(found[2]), "fit" if name == "fit" else "fill"
