from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from upconv.runtime.folders.owner import Owner, machine_label, this_process

PRINT_OWNER = "from upconv.runtime.folders.owner import this_process; print(this_process(), flush=True)"


def test_a_process_that_runs_is_not_gone_and_one_that_ended_is() -> None:
    assert not this_process().is_gone()
    ended = subprocess.run([sys.executable, "-c", PRINT_OWNER], capture_output=True, text=True, check=True).stdout
    owner: Owner = eval(ended, {"Owner": Owner})  # the repr of a dataclass
    assert owner.machine == this_process().machine
    assert owner.is_gone()


def test_a_child_that_was_killed_and_not_yet_awaited_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", f"{PRINT_OWNER}; input()"], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        owner: Owner = eval(child.stdout.readline() or child.stdout.read(), {"Owner": Owner})
        assert not owner.is_gone()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert owner.is_gone()


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"started": "1"}, True),  # the number was used again
        ({"started": ""}, False),
        ({"machine": "another", "started": "1"}, False),
    ],
)
def test_only_a_process_of_this_machine_can_be_gone(changes: dict[str, str], gone: bool) -> None:
    assert replace(this_process(), **changes).is_gone() is gone  # type: ignore[arg-type]  # a table's changes


def test_no_two_owners_are_equal_and_the_label_lasts() -> None:
    assert this_process() != this_process()
    assert machine_label() == machine_label()
    assert "/" not in machine_label()
