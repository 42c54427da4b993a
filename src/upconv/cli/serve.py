"""The command `upconv serve`. Its options are the settings of the service."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand

from upconv.runtime.errors import ParameterError, UpconvError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

_FLAGS = {"models": "--model"}
SECRET = ("api_keys", "admin_key", "webhook_secret", "url_key", "url_salt", "tiles_key")
"""Settings that are read from the environment only, because other users can see a command line."""


def serve() -> None:
    """Serve models over HTTP.

    Every setting is also read from the environment, for example UPCONV_PORT; a flag has precedence. Keys are read from
    the environment only: UPCONV_API_KEYS as NAME:KEY separated by commas, UPCONV_ADMIN_KEY, UPCONV_WEBHOOK_SECRET,
    UPCONV_URL_KEY, UPCONV_URL_SALT and UPCONV_TILES_KEY. For the name of a catalogue model, the service uses the int8 form if it is faster on this machine. A file is served as it is.
    """


class ServeCommand(TyperCommand):
    """A command whose options are the settings, which are imported only if it runs or prints its help."""

    def get_params(self, ctx: Any) -> Any:
        """Return the settings, `--print-config`, `--new-key` and `--help`."""
        if not self.params:
            self.params = list(_command().params)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> None:
        """Serve with the options that were given, or print the settings or a new key."""
        options = {name: value for name, value in ctx.params.items() if value not in (None, (), [])}
        if name := options.pop("new_key", None):
            _print_key(name, as_json=bool(options.get("as_json")))
        elif options.pop("as_json", False) and not options.get("print_config"):
            raise ParameterError("--json is for --new-key and --print-config; --log-format json makes the log JSON")
        elif options.pop("print_config", False):
            print(read_settings(options).model_dump_json(indent=2))
        else:
            _serve(read_settings(options))


def _serve(settings: Any) -> None:
    """Serve until the end. An error goes to the log like everything else, so that its reader sees it."""
    from upconv.service import serve as run
    from upconv.service.log import new_log

    try:
        run(settings)
    except UpconvError as error:
        new_log(format=settings.log_format).critical(str(error))
        sys.exit(1)
    except Exception:
        new_log(format=settings.log_format).critical("the service failed", exc_info=True)
        sys.exit(1)


def _command() -> Any:
    """Return a command that is never run: typer makes the options from its signature."""
    from upconv.service.settings import Settings

    parameters = parameters_of({name: field for name, field in Settings.model_fields.items() if name not in SECRET})
    shortcuts: dict[str, tuple[Any, str]] = {
        "print_config": (bool, "Print the settings as JSON, and exit."),
        "new_key": (str, "Print a new API key with this name and its line for --api-keys-file, and exit."),
        "as_json": (bool, "With --new-key, print JSON."),
    }
    for name, (kind, help) in shortcuts.items():
        option = typer.Option("--json" if name == "as_json" else f"--{name.replace('_', '-')}", help=help, show_default=False)
        annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return command_of(parameters)


def parameters_of(fields: dict[str, FieldInfo]) -> list[inspect.Parameter]:
    """Return an option for each field of a pydantic model."""
    return [_parameter(name, field) for name, field in fields.items()]


def command_of(parameters: list[inspect.Parameter]) -> Any:
    """Return a command with these options, which does nothing."""
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
    """Return the type of a setting for typer. The settings check the bounds themselves."""
    if get_origin(annotation) is tuple:
        return list[str] if get_args(annotation)[0] is Path else str
    if get_origin(annotation) is Literal:
        return str
    if any(get_origin(kind) is Literal for kind in get_args(annotation)):
        return str  # a number or a word
    kind = next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)
    return str if getattr(kind, "__name__", "") == "SecretStr" else kind


def _help(name: str, field: FieldInfo) -> str:
    from rich.markup import escape  # the descriptions name extras such as upconv[tracing], which rich takes for a style

    text = "An .onnx file, a folder of them or a catalogue name; can be repeated." if name == "models" else field.description
    choices = f" One of {', '.join(get_args(field.annotation))}." if get_origin(field.annotation) is Literal else ""
    shown = field.default not in (None, (), "") and not field.is_required() and not isinstance(field.default, bool)
    return escape(f"{text}{choices}{f' Default: {field.default}.' if shown else ''}")


def read_settings(options: dict[str, Any], *, elsewhere: bool = False) -> Any:
    """Return the settings of these options and of the environment. The names of catalogue models become paths.

    `elsewhere` states that other machines compute the tiles. Raises `ParameterError` for a setting that cannot be used.
    """
    import os
    from concurrent.futures import ThreadPoolExecutor
    from importlib import import_module

    from pydantic import ValidationError

    from upconv.models.catalogue import CATALOGUE, DEFAULT
    from upconv.runtime.cores import available_cores
    from upconv.service import Settings

    if "models" in options or "UPCONV_MODELS" not in os.environ:
        exported = [name for name, entry in CATALOGUE.items() if entry.artifact.exists()]
        if "models" not in options and "UPCONV_BY_CONTENT" not in os.environ:
            options.setdefault("by_content", True)
        names = options.get("models") or sorted(exported, key=lambda name: name != DEFAULT)  # the default is the first
        with ThreadPoolExecutor(available_cores()) as pool:
            places = ("web_runtime", "tiles_from")
            elsewhere = elsewhere or any(name in options or f"UPCONV_{name.upper()}" in os.environ for name in places)
            paths = pool.map(lambda name: _path(name, options.get("provider", "cpu"), elsewhere=elsewhere), names)
            import_module("upconv.service.server")  # at the same time, because it takes as long as the choice
            options["models"] = tuple(paths)
    try:
        return Settings(**options)
    except ValidationError as error:
        raise wrong_setting(error) from error


def wrong_setting(error: ValidationError) -> ParameterError:
    """Return the error that names the first setting that is wrong."""
    first = error.errors()[0]
    return ParameterError(f"setting {'.'.join(str(part) for part in first['loc']) or 'of the service'}: {first['msg']}")


def _path(name: str, provider: str, *, elsewhere: bool) -> Path:
    """Return a file or folder as it is, and for a catalogue model the form that is fastest on this machine.

    `elsewhere` takes float32, which the page can compute, and which other servers are likely to have.
    """
    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import CATALOGUE
    from upconv.runtime.form_choice import fastest_form

    forms = CATALOGUE[name].forms if name in CATALOGUE else ()
    if forms:
        return forms[0] if elsewhere else fastest_form(forms, provider)
    return Path(name) if Path(name).is_dir() else model_path(name)


def _print_key(name: str, *, as_json: bool) -> None:
    from upconv.service.keys import new_key

    secret, key = new_key(name)
    if as_json:
        print(json.dumps({"name": name, "key": secret, "line": key.line()}, indent=2))
        return
    print(f"The key, which is shown only once: {secret}\nIts line for --api-keys-file:      {key.line()}")
