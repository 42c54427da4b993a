"""`upconv serve`, whose options are the service's settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand

from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_FLAGS = {"models": "--model"}
_SECRET = ("api_keys", "admin_key")
"""Seen by everybody on a command line, so that they are read from the environment alone."""


def serve() -> None:
    """Serve models over HTTP.

    Every setting is also read from the environment, as UPCONV_PORT and so on; a flag wins. Keys are read from there
    alone: UPCONV_API_KEYS as NAME:KEY separated by commas, and UPCONV_ADMIN_KEY. Of a catalogue model the int8 form is
    served where it is faster on this machine; its file is served as it is.
    """


class ServeCommand(TyperCommand):
    """Takes its options from the settings, which are imported only when this command runs or tells its help."""

    def get_params(self, ctx: Any) -> Any:
        """The settings, the shortcuts, and --help."""
        if not self.params:
            self.params = list(_command().params)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> None:
        """Run with what was given."""
        given = {name: value for name, value in ctx.params.items() if value not in (None, (), [])}
        if name := given.pop("new_key", None):
            _print_key(name)
        elif given.pop("print_config", False):
            print(_settings(given).model_dump_json(indent=2))
        else:
            settings = _settings(given)
            from upconv.service import serve as run

            run(settings)


def _command() -> Any:
    """A command that nobody runs, of which typer makes the options."""
    from upconv.service.settings import Settings

    parameters = [_parameter(name, field) for name, field in Settings.model_fields.items() if name not in _SECRET]
    shortcuts: dict[str, tuple[Any, str]] = {
        "print_config": (bool, "Print the settings as JSON, and end."),
        "new_key": (str, "Print a new API key and its line for the file of keys, and end."),
    }
    for name, (kind, help) in shortcuts.items():
        option = typer.Option(f"--{name.replace('_', '-')}", help=help, show_default=False)
        annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    app = typer.Typer(add_completion=False)
    app.command()(_function(parameters))
    return typer.main.get_command(app)


def _function(parameters: list[inspect.Parameter]) -> Callable[..., None]:
    def made(**_: Any) -> None: ...

    made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return made


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    kind = _kind(field.annotation)
    flags = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    option = typer.Option(*flags, help=_help(name, field), show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _kind(annotation: Any) -> Any:
    """What typer understands of a setting's type; its bounds are the settings' own business."""
    if get_origin(annotation) is tuple:
        return list[str] if get_args(annotation)[0] is Path else str
    if get_origin(annotation) is Literal:
        return str
    return next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)


def _help(name: str, field: FieldInfo) -> str:
    text = "An .onnx file, a folder of them or a catalogue name; repeat for several." if name == "models" else field.description
    choices = f" One of {', '.join(get_args(field.annotation))}." if get_origin(field.annotation) is Literal else ""
    shown = field.default not in (None, ()) and not field.is_required() and not isinstance(field.default, bool)
    return f"{text}{choices}{f' Default: {field.default}.' if shown else ''}"


def _settings(given: dict[str, Any]) -> Any:
    import os
    from concurrent.futures import ThreadPoolExecutor
    from importlib import import_module

    from pydantic import ValidationError

    from upconv.models.catalogue import CATALOGUE, DEFAULT
    from upconv.runtime.cores import available_cores
    from upconv.service import Settings

    if "models" in given or "UPCONV_MODELS" not in os.environ:
        brought = [name for name, entry in CATALOGUE.items() if entry.artifact.exists()]
        names = given.get("models") or sorted(brought, key=lambda name: name != DEFAULT)  # the service's default comes first
        with ThreadPoolExecutor(available_cores()) as pool:
            chosen = pool.map(lambda name: _path(name, given.get("provider", "cpu")), names)
            import_module("upconv.service.server")  # takes as long as the choice does
            given["models"] = tuple(chosen)
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(f"setting {'.'.join(str(p) for p in first['loc']) or 'of the service'}: {first['msg']}") from error


def _path(name: str, provider: str) -> Path:
    """A file or folder as it is; of a catalogue model, the form that is fastest on this machine."""
    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import CATALOGUE
    from upconv.runtime.form_choice import fastest_form

    forms = CATALOGUE[name].forms if name in CATALOGUE else ()
    if forms:
        return fastest_form(forms, provider)
    return Path(name) if Path(name).is_dir() else model_path(name)


def _print_key(name: str) -> None:
    from upconv.service.keys import new_key

    secret, key = new_key(name)
    print(f"The key, which is shown once:      {secret}\nIts line for --api-keys-file:      {key.line()}")
