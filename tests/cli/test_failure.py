from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upconv.cli.failure import CommandFailure, end, report
from upconv.runtime.errors import ImageError, UpconvError

Command = Callable[..., CompletedProcess[str]]
PARSED = {
    "a missing picture": ("upscale", "none.png", "--json"),
    "a missing picture among lines": ("upscale", "none.png", "--jsonl"),
    "a wrong option": ("upscale", "a.png", "--json", "--no-such-option"),
    "an unknown command": ("paint", "--json"),
    "no model": ("inspect", "none.onnx", "--json"),
    "no source": ("export", "no-such-model", "-o", "x.onnx", "--json"),
    "no tuning": ("tune", "none.onnx", "--json"),
    "no comparison": ("parity", "none.onnx", "--json"),
    "no sample": ("parity", "operators", "--sample", "0", "--json"),
    "no peers": ("bench", "nearest-x2", "--peer", "abacus", "--json"),
    "no page": ("compare", "-o", "page.txt", "--json"),
    "no such device model": ("devices", "--model", "none.onnx", "--json"),
    "no runtime": ("site", "-o", "s", "--web-runtime", "none", "--json"),
    "no package": ("web-runtime", "none", "-o", "s", "--json"),
    "no key": ("serve", "--new-key", "a b", "--json"),
    "no picture to choose for": ("models", "choose", "none.png", "--json"),
    "no photographs": ("models", "evaluate", "nearest-x2", "--data", "none", "--json"),
}


@pytest.mark.parametrize("case", PARSED)
def test_every_command_fails_in_json(case: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(*PARSED[case])
    failure = json.loads(done.stdout)
    assert set(failure) == {"error", "kind", "exit_code"}
    assert failure["exit_code"] == done.returncode > 0
    assert failure["error"] in done.stderr
    assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "to_stdout"),
    [
        ("upscale a.png --json", True),
        ("upscale a.png -o b.png --json", True),
        ("upscale - -o b.png --json", True),
        ("upscale a.png -o - --json", False),
        ("upscale a.png -o- --json", False),
        ("upscale a.png --output=- --json", False),
        ("upscale - --json", False),
        ("inspect - --json", True),
    ],
)
def test_a_picture_on_standard_output_is_not_mixed_with_json(
    words: str, to_stdout: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    report(CommandFailure.of(ImageError("it is empty")), words.split())
    written = capsys.readouterr()
    there, elsewhere = (written.out, written.err) if to_stdout else (written.err, written.out)
    assert json.loads(there) == {"error": "it is empty", "kind": "ImageError", "exit_code": 1}
    assert elsewhere == ""


@pytest.mark.parametrize("words", [["upscale", "a.png"], ["upscale", "--", "--json"]])
def test_without_the_option_there_is_no_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        end(CommandFailure.of(UpconvError("no"), 2), words)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "error: no\n")


def test_lines_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(CommandFailure("a", "b"), ["upscale", "--jsonl"])
    assert capsys.readouterr().out.count("\n") == 1


def test_control_characters_of_a_name_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        end(CommandFailure("no such file: \x1b[2J", "ParameterError"), [])
    assert capsys.readouterr().err == "error: no such file: \\x1b[2J\n"


def test_a_fault_of_the_program_is_json_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("upconv.models.catalogue.model_set", broken)
    with pytest.raises(ZeroDivisionError):
        command("site", "-o", "s", "--web-runtime", "none", "--json")
