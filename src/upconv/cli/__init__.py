"""The command line. Each command imports its modules when it runs, so that `upconv --help` is fast."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from upconv.cli import (
    bench,
    cluster,
    compare,
    devices,
    doctor,
    export,
    frames_option,
    inspect,
    models,
    operators,
    parity,
    serve,
    site,
    train,
    tune,
    upscale,
    web_runtime,
)


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
    "devices": devices.devices,
    "doctor": doctor.doctor,
    "site": site.site,
    "train": train.train,
    "upscale": upscale.upscale,
    "web-runtime": web_runtime.web_runtime,
}
_CLASSES: dict[str, type[TyperCommand]] = {"upscale": frames_option.UpscaleCommand}
for name, command in COMMANDS.items():
    app.command(name, cls=_CLASSES.get(name))(command)
app.command("serve", cls=serve.ServeCommand)(serve.serve)
app.command("cluster up", cls=cluster.ClusterUpCommand)(cluster.up)
app.command("cluster config", cls=cluster.ClusterConfigCommand)(cluster.config)
app.add_typer(models.app, name="models")


def main() -> None:
    """Run a command. Print an error that a user can correct as one sentence, and exit with code 1."""
    from typer.exceptions import Abort, TyperException

    from upconv.cli.console_text import accept_all_names
    from upconv.cli.failure import CommandFailure, end, report
    from upconv.runtime.errors import UpconvError
    from upconv.runtime.install_hints import extra_of, install_command

    accept_all_names()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UpconvError as error:
        end(CommandFailure.of(error))
    except TyperException as error:
        end(CommandFailure(error.format_message().rstrip("."), "UsageError", error.exit_code, "; see --help"))
    except Abort:
        report(CommandFailure("interrupted", "Interrupted", 130))
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        if extra is None:
            raise
        message = f"this command needs {error.name}, which is not installed; {install_command(extra)}"
        end(CommandFailure(message, "MissingPackage"))
    except Exception as error:  # a fault of the program, whose traceback Python prints
        report(CommandFailure(f"{type(error).__name__}: {error}", "InternalError"))
        raise
