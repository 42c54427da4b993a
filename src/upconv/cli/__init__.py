"""The command line. Each command imports its modules when it runs, so that `upconv --help` is fast."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from upconv.cli import bench, compare, export, frames_option, inspect, models, operators, parity, serve, tune, upscale


class _Commands(TyperGroup):
    """A group with commands of one word and of two words, such as `parity A B` and `parity operators`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two in self.commands else args)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"upconv {version('upconv')}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    name="upconv",
    help="Export decoders that upsample to ONNX, check them, and serve them as an image upscaler.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Export decoders that upsample to ONNX, check them, and serve them as an image upscaler."""


COMMANDS: dict[str, Callable[..., None]] = {
    "export": export.export,
    "tune": tune.tune,
    "inspect": inspect.inspect,
    "parity": parity.parity,
    "parity operators": operators.operators,
    "bench": bench.bench,
    "compare": compare.compare,
    "upscale": upscale.upscale,
}
_CLASSES: dict[str, type[TyperCommand]] = {"upscale": frames_option.UpscaleCommand}
for name, command in COMMANDS.items():
    app.command(name, cls=_CLASSES.get(name))(command)
app.command("serve", cls=serve.ServeCommand)(serve.serve)
app.add_typer(models.app, name="models")


def main() -> None:
    """Run a command. Print an error that a user can correct as one sentence, and exit with code 1."""
    from typer.exceptions import Abort, TyperException

    from upconv.cli.console_text import accept_all_names, printable
    from upconv.runtime.errors import UpconvError

    accept_all_names()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UpconvError as error:
        sys.exit(f"error: {printable(str(error), keep=chr(10))}")
    except TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; see --help", file=sys.stderr)
        sys.exit(error.exit_code)
    except Abort:
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        sys.exit(f"error: this command needs {error.name}, which is not installed; pip install 'upconv[{extra}]'")


_EXTRAS = {
    "onnxruntime": "cpu",
    "torch": "export",
    "onnx": "export",
    "safetensors": "export",
    "keras": "keras",
    "skimage": "train",
    "jinja2": "train",
    "fastapi": "serve",
    "uvicorn": "serve",
    "pydantic_settings": "serve",
}
