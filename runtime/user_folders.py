"""The folders of upconv for one user, as the XDG base directory specification places them."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what can be made again: `$XDG_CACHE_HOME/upconv`. It need not exist."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def state_folder() -> Path:
    """Return the folder of what outlives a process: `$XDG_STATE_HOME/upconv`. It need not exist."""
    return _folder("XDG_STATE_HOME", "~/.local/state")


def _folder(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or os.path.expanduser(usual), "upconv")
