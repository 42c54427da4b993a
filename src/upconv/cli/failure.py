"""The end of a command that failed: one sentence on standard error, and JSON for a program that asked for JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, TextIO

from upconv.cli.console_text import printable

JSON, LINES = "--json", "--jsonl"


@dataclass(frozen=True)
class CommandFailure:
    """A failed command, for a person and for a program."""

    message: str
    """What went wrong, in one sentence."""
    kind: str
    """The name of the error's class, such as ImageError."""
    exit_code: int = 1
    advice: str = ""
    """What follows the sentence on standard error only."""

    def as_dict(self) -> dict[str, str | int]:
        """Return the object that `--json` prints."""
        return {"error": self.message, "kind": self.kind, "exit_code": self.exit_code}

    @classmethod
    def of(cls, error: Exception, exit_code: int = 1) -> CommandFailure:
        """Return the failure that an error of the project describes."""
        return cls(str(error), type(error).__name__, exit_code)


def end(failure: CommandFailure, words: Sequence[str] | None = None) -> NoReturn:
    """Print a failure and exit with its code. `words` is the command line; by default that of this process."""
    report(failure, words)
    print(f"error: {printable(failure.message, keep=chr(10))}{failure.advice}", file=sys.stderr)
    sys.exit(failure.exit_code)


def report(failure: CommandFailure, words: Sequence[str] | None = None) -> None:
    """Print a failure as JSON if the command line asks for JSON, where the result would have been printed."""
    given = _options(sys.argv[1:] if words is None else words)
    if JSON in given or LINES in given:
        indent = 2 if JSON in given else None
        print(json.dumps(failure.as_dict(), indent=indent), file=_stream(given), flush=True)


def _options(words: Sequence[str]) -> list[str]:
    """Return the words before `--`, after which there are no options."""
    return list(words[: words.index("--")] if "--" in words else words)


def _stream(words: list[str]) -> TextIO:
    """Return standard output, or standard error if the picture itself goes to standard output."""
    if words[:1] != ["upscale"]:
        return sys.stdout
    outputs = [_output(word, following) for word, following in zip(words, [*words[1:], ""], strict=True)]
    output = next((found for found in outputs if found is not None), None)
    return sys.stderr if output == "-" or (output is None and "-" in words) else sys.stdout


def _output(word: str, following: str) -> str | None:
    """Return the value of `--output` if `word` is this option."""
    if word in ("-o", "--output"):
        return following
    if word.startswith("--output="):
        return word.partition("=")[2]
    return word[2:] if word.startswith("-o") else None
