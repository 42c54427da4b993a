"""Write the reference from the code: the command line and the settings from the tables that the program reads, HTTP from the OpenAPI
description, the public names of Python from their docstrings, and the errors. With --check, only compare the pages with the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from typer import Context
from typer.main import get_command

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # as a program, this file does not see its folder as a package

from scripts.reference_contract import contract, contract_schema
from scripts.reference_errors import errors
from scripts.reference_http import http
from scripts.reference_tables import documented_fields, plain, table

ROOT = Path(__file__).resolve().parent.parent
MADE = "<!-- made by scripts/reference -->"
PACKAGES = (
    "upconv",
    "upconv.runtime",
    "upconv.export",
    "upconv.models",
    "upconv.service",
    "upconv.service.client",
    "upconv.runtime.doctor",
)
"""The packages whose public names are for users."""
LONGEST_DEFAULT = 60
"""Letters of the longest default value that a signature shows."""


def main() -> None:
    """Write the pages, or exit with the names of those that are not current."""
    made = {f"docs/{name}": text for name, text in pages().items()}
    if "--check" not in sys.argv:
        for name, text in made.items():
            (ROOT / name).write_text(text)
        return
    old = [name for name, text in made.items() if not (ROOT / name).is_file() or (ROOT / name).read_text() != text]
    if old:
        sys.exit(f"{', '.join(old)} differ from the code; run scripts/reference")


def pages() -> dict[str, str]:
    """Return every page by its name."""
    return {name: write() for name, write in WRITERS.items()}


def _page(title: str, lines: Iterator[str]) -> str:
    text = "\n".join([f"# {title}", "", MADE, "", *lines])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def command_line() -> Iterator[str]:
    """Yield the lines of the page on the commands and their options."""
    from upconv.cli import app
    from upconv.service import Settings

    yield "`upconv COMMAND --help` prints the same. Every command has `--json`. A command that fails prints one sentence on standard error, and with `--json`"
    yield 'also an object with `error`, `kind` and `exit_code`, such as `{"error": "no such file: a.jpg", "kind": "ParameterError", "exit_code": 1}`.'
    yield "The exit code is 0 for success, 1 for an error that the sentence describes, and 2 for a wrong command line."
    group: Any = get_command(app)
    for words, command in commands(group):
        yield from ("", f"## upconv {' '.join(words)}", "", inspect.cleandoc(command.help or ""), "")
        if words == ("serve",):
            yield "Its options are the [settings](reference-settings.md), with `--print-config`, `--new-key NAME` and `--json`."
            continue
        options = command.get_params(Context(command))
        if words[0].startswith("cluster "):
            yield "Its options are the [settings](reference-settings.md) that are not about listeners or tiles over HTTP, and these:"
            yield ""
            options = [option for option in options if option.name not in Settings.model_fields]
        yield from table(("option", "", "default"), [_row(option) for option in options])


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its words, in the order of the help."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)


def _row(option: Any) -> tuple[str, str, str]:
    argument = option.param_type_name == "argument"
    names = [option.name.upper()] if argument else [*option.opts, *option.secondary_opts]
    default = option.default if not callable(option.default) else None
    given = (
        "required" if option.required else "" if default in (None, False, (), []) else f"`{getattr(default, 'value', default)}`"
    )
    return ", ".join(f"`{name}`" for name in names), plain(getattr(option, "help", "") or ""), given


def settings() -> Iterator[str]:
    """Yield the lines of the page on the settings of the service."""
    from upconv.cli.serve import _FLAGS, SECRET
    from upconv.service import Settings

    yield "Each setting is an option of `upconv serve` and a variable of the environment. The option has precedence. Secrets are read from the environment only."
    yield "`upconv serve --print-config` prints the values that are in effect."
    rows = []
    for name, field in Settings.model_fields.items():
        flag = "" if name in SECRET else f"`{_FLAGS.get(name, '--' + name.replace('_', '-'))}`"
        choices = [str(value) for value in get_args(field.annotation) if isinstance(value, str)]
        default = "" if field.is_required() or field.default in (None, (), "") else f"`{field.default}`"
        text = f"{field.description or ''}{f' One of {chr(44).join(choices)}.'.replace(',', ', ') if choices else ''}"
        rows.append((f"`UPCONV_{name.upper()}`", flag, plain(text), default))
    yield ""
    yield from table(("variable", "option", "", "default"), rows)


def python() -> Iterator[str]:
    """Yield the lines of the page on the public names of Python."""
    yield "These names are the interface. Names that are not listed here may change at any time."
    for package in PACKAGES:
        module = import_module(package)
        yield from ("", f"## {package}", "", inspect.cleandoc(module.__doc__ or ""), "")
        for name in module.__all__:
            yield from _name(package, name, getattr(module, name))


def _name(package: str, name: str, value: Any) -> Iterator[str]:
    yield from (f"### {package}.{name}", "")
    if not callable(value):
        kind = "Type" if hasattr(value, "__args__") else type(value).__name__
        yield f"{kind}{'' if kind == 'Type' else f': `{value!r}`' if len(repr(value)) < 100 else ''}."
        yield ""
        return
    yield from ("```python", *_signature(name, value), "```", "", inspect.getdoc(value) or "", "")
    if inspect.isclass(value):
        fields = list(documented_fields(value))
        yield from table(("field", "type", ""), fields) if fields else ()
        yield ""
        for method, function in _methods(value):
            yield from ("```python", *_signature(f"{name}.{method}", function), "```", "", inspect.getdoc(function) or "", "")


def _signature(name: str, value: Any) -> list[str]:
    if inspect.isclass(value) and (hasattr(value, "model_fields") or issubclass(value, BaseException)):
        return [f"class {name}"]
    target: Any = inspect.unwrap(value.fget if isinstance(value, property) and value.fget else value)
    parameters = list(_parameters(target))
    returned = inspect.signature(target).return_annotation
    suffix = f" -> {returned}" if isinstance(returned, str) and returned != "None" and not inspect.isclass(value) else ""
    if isinstance(value, property):
        return [f"{name}{suffix}"]
    flat = f"{name}({', '.join(parameters)}){suffix}"
    return [flat] if len(flat) < 110 else [f"{name}(", *(f"    {text}," for text in parameters), f"){suffix}"]


def _parameters(target: Any) -> Iterator[str]:
    starred = False
    for each in inspect.signature(target).parameters.values():
        if each.name == "self":
            continue
        starred = starred or each.kind is each.VAR_POSITIONAL
        if each.kind is each.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        long = each.default is not each.empty and len(repr(each.default)) > LONGEST_DEFAULT
        text = str(each.replace(default=...) if long else each).replace("Ellipsis", "...")
        yield re.sub(r": '([^']*)'", r": \1", text, count=1)


def _methods(kind: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(kind).items():
        inner = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if name.startswith("_") or not (inspect.isfunction(inner) or isinstance(inner, property)):
            continue
        if inspect.getdoc(inner):
            yield name, inner


WRITERS: dict[str, Callable[[], str]] = {
    "reference-command-line.md": lambda: _page("Command line", command_line()),
    "reference-settings.md": lambda: _page("Settings of the service", settings()),
    "reference-http.md": lambda: _page("HTTP", http()),
    "reference-python.md": lambda: _page("Python", python()),
    "reference-contract.md": lambda: _page("Fields of the contract", contract()),
    "contract.schema.json": contract_schema,
    "errors.md": lambda: _page("Errors", errors()),
}
"""The pages, and what writes each."""


if __name__ == "__main__":
    main()
