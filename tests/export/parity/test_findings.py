from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import ParitySubject, from_file

Changed = Callable[[str], Path]


def test_the_report_is_json_with_the_same_fields_for_every_row(a: ParitySubject, changed: Changed) -> None:
    report = json.loads(json.dumps(compare(a, from_file(changed("other_weight"))).as_dict(), allow_nan=False))
    assert set(report) == {
        *("version", "a", "b", "equal", "factor", "min_psnr_db", "inputs", "backends", "first_difference", "notes", "run")
    }
    fields = {
        *("name", "status", "said", "backend", "version", "level", "precision", "noise_floor", "worst"),
        *("max_abs", "max_relative", "max_ulp", "psnr_db", "max_8bit"),
    }
    assert all(set(row) == fields for row in report["backends"])
    assert report["first_difference"]["attributes"]["pads"] == [1, 1, 1, 1]
    assert report["run"]["a_sha256"] == a.sha256
    assert report["first_difference"]["known_cause"] is None
    assert (report["equal"], report["version"]) == (False, 1)
