"""Commands that run in the process of the tests, which is faster than a process for each."""

from __future__ import annotations

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from upconv.cli import main


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., CompletedProcess[str]]:
    """Return a function that runs `upconv` with these arguments in this process."""

    def run(*arguments: object) -> CompletedProcess[str]:
        words = ["upconv", *map(str, arguments)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # a message, which Python prints before it exits with 1
            return CompletedProcess(words, 1, out, f"{err}{code}\n")
        return CompletedProcess(words, code or 0, out, err)

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    return run
