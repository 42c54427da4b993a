from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from upconv.export.benchmark import BenchmarkSubject, Peer, bench
from upconv.runtime.errors import ExportError

INPUT = np.random.default_rng(0).random((1, 3, 9, 12), np.float32)


def test_a_peer_that_cannot_is_a_row_with_a_reason() -> None:
    def refuses(_: BenchmarkSubject) -> Any:
        raise ExportError("no such processor")

    def breaks(_: BenchmarkSubject) -> Any:
        def run() -> Sequence[Any]:
            raise RuntimeError("first line\nsecond")

        return run

    peers = [Peer("works", lambda _: lambda: [INPUT]), Peer("refuses", refuses), Peer("breaks", breaks)]
    rows = bench(BenchmarkSubject("m", onnx.ModelProto(), []), peers, rounds=5)
    assert [row.missing for row in rows] == [None, "no such processor", "first line"]
    assert rows[0].speed == 1
    assert bench(BenchmarkSubject("m", onnx.ModelProto(), []), peers[1:], rounds=5)[0].speed is None
