from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import onnx

from upconv.export.parity.run_record import THREADS, RunRecord


def test_a_record_states_what_an_auditor_asks_for() -> None:
    record = RunRecord.now("aa", None, ["upconv", "parity", "a b.onnx"])
    assert record.command == "upconv parity 'a b.onnx'"
    assert abs(datetime.fromisoformat(record.date) - datetime.now(UTC)) < timedelta(minutes=1)
    assert record.versions["numpy"] == np.__version__
    assert record.versions["onnx"] == onnx.__version__
    assert record.processor
    assert (record.cores >= 1, record.threads) == (True, THREADS)
    assert json.loads(json.dumps(record.as_dict()))["a_sha256"] == "aa"
