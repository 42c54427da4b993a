"""The commands `upconv cluster up` and `upconv cluster config`. Their options are the settings, and the shape on Ray."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from upconv.cli.serve import SECRET, command_of, parameters_of, read_settings, wrong_setting

Option = tuple[str, Any, str, tuple[str, ...]]
"""The name, the type, the help and the flags of an option."""
_ADDRESS: Option = (
    "address",
    str,
    "The cluster, as HOST:PORT, on a machine of it. Default: RAY_ADDRESS, or a Ray on this machine.",
    ("--address",),
)
_OUTPUT: Option = ("output", Path, "The file to write. Default: standard output.", ("-o", "--output"))
_URL_AS_JSON: Option = ("as_json", bool, "Print the URL as JSON when requests are accepted.", ("--json",))
_FILE_AS_JSON: Option = ("as_json", bool, "Write JSON, which is YAML, too.", ("--json",))


def up() -> None:
    """Serve models on Ray, and end at SIGTERM.

    Without an address, a Ray is started on this machine, and ends with the command. All machines need upconv, the extra `ray`
    and the model files at the same paths. The settings are those of `upconv serve`, apart from those of its listeners and of tiles over HTTP. For the name of a
    catalogue model, the float32 form is served.
    """


def config() -> None:
    """Write a serveConfigV2 file for `serve deploy` and KubeRay.

    It holds the settings that are given as options. The others, and the keys, are read from the environment of the cluster.
    """


class _ClusterCommand(TyperCommand):
    """A command whose options are the settings that have an effect on Ray, and the shape."""

    own: tuple[Option, ...]

    def get_params(self, ctx: Any) -> Any:
        """Return the options, which are imported only if the command runs or prints its help."""
        if not self.params:
            self.params = list(_command(self.own).params)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> None:
        """Run the command with the options that were given."""
        from pydantic import ValidationError

        from upconv.cluster.cluster_shape import ClusterShape
        from upconv.models.catalogue import DEFAULT

        options = {name: value for name, value in ctx.params.items() if value not in (None, (), [])}
        own = {name: options.pop(name, None) for name, *_ in self.own}
        given = {name: options.pop(name) for name in ClusterShape.model_fields if name in options}
        if "UPCONV_MODELS" not in os.environ:
            options.setdefault("models", [DEFAULT])
        try:
            shape = ClusterShape(**given)
        except ValidationError as error:
            raise wrong_setting(error) from error
        settings = read_settings(options, elsewhere=True)
        shape.check(settings)
        self.run(settings, shape, frozenset(options), **own)

    def run(self, settings: Any, shape: Any, given: frozenset[str], **own: Any) -> None:
        """Do the work of the command. `given` are the settings that are options, and `own` its other options."""
        raise NotImplementedError


class ClusterUpCommand(_ClusterCommand):
    """`upconv cluster up`."""

    own = (_ADDRESS, _URL_AS_JSON)

    def run(self, settings: Any, shape: Any, given: frozenset[str], **own: Any) -> None:
        """Serve until SIGTERM."""
        from upconv.cluster.serving import serve_on_ray

        if own["address"] is not None:
            os.environ["RAY_ADDRESS"] = own["address"]  # Ray's own processes read it, too
        serve_on_ray(settings, shape, _print_url if own["as_json"] else _print_ready)


class ClusterConfigCommand(_ClusterCommand):
    """`upconv cluster config`."""

    own = (_OUTPUT, _FILE_AS_JSON)

    def run(self, settings: Any, shape: Any, given: frozenset[str], **own: Any) -> None:
        """Write the file."""
        from upconv.cluster.serve_config import as_yaml, serve_config
        from upconv.runtime.errors import OutputError, machine_error

        document, path = serve_config(settings, shape, given), own["output"]
        text = json.dumps(document, indent=2) + "\n" if own["as_json"] else as_yaml(document)
        if path is None:
            print(text, end="")
            return
        try:
            path.write_text(text)
        except OSError as error:
            failure = f"{path} cannot be written"
            raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error


def _print_ready(url: str) -> None:
    print(f"upconv is ready on {url}", flush=True)


def _print_url(url: str) -> None:
    print(json.dumps({"url": url}), flush=True)


def _command(own: tuple[Option, ...]) -> Any:
    from upconv.cluster.cluster_shape import NOT_ON_RAY, ClusterShape
    from upconv.service.settings import Settings

    fields = {name: field for name, field in Settings.model_fields.items() if name not in (*SECRET, *NOT_ON_RAY)}
    return command_of([*parameters_of(fields), *parameters_of(dict(ClusterShape.model_fields)), *map(_parameter, own)])


def _parameter(option: Option) -> inspect.Parameter:
    name, kind, help, flags = option
    annotation = Annotated[kind | None, typer.Option(*flags, help=help, show_default=False)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
