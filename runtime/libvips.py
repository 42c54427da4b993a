"""libvips, whose warnings are left out.

pyvips hands each warning to Python's logging while GLib holds its log. If Python then collects an image whose end is a warning,
too, GLib takes that for a recursion and ends the process. So GLib calls nothing of Python here: libvips leaves its warnings out,
and pyvips' function for them is removed. Errors are raised as before.
"""

from __future__ import annotations

import os

os.environ.setdefault("VIPS_WARNING", "0")  # libvips reads it when it is loaded; any value leaves warnings out

import pyvips

pyvips._remove_log_handler()

__all__ = ["pyvips"]
