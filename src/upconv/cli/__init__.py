"""The command line. Each command imports what it needs when it runs, so that `upconv --help` is quick."""

from __future__ import annotations

import sys

import typer

from upconv.cli import compare, export, inspect, models, operators, parity, serve, upscale

app = typer.Typer(
    name="upconv",
    help="Export decoders that upsample to ONNX, check them, and serve them as an image upscaler.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(export.export, inspect.inspect, parity.parity, operators.operators),
    *(compare.compare, upscale.upscale, serve.serve),
):
    app.command()(command)
app.add_typer(models.app, name="models")


def main() -> None:
    """Run a command; what a user can do something about ends in one sentence and exit code 1."""
    from typer.exceptions import Abort, TyperException

    from upconv.runtime.errors import UpconvError

    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UpconvError as error:
        sys.exit(f"error: {error}")
    except TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; --help says what is expected", file=sys.stderr)
        sys.exit(error.exit_code)
    except Abort:
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        sys.exit(f"error: this needs {error.name}, which is not installed; pip install 'upconv[{extra}]'")


_EXTRAS = {
    "onnxruntime": "cpu",
    "torch": "export",
    "onnx": "export",
    "safetensors": "export",
    "keras": "keras",
    "PIL": "train",
    "skimage": "train",
    "jinja2": "train",
    "fastapi": "serve",
    "uvicorn": "serve",
    "pydantic_settings": "serve",
}
