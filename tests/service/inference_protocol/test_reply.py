from __future__ import annotations

import gzip
import json
import zlib

import numpy as np
import pytest

from upconv.service.errors import TensorError
from upconv.service.inference_protocol.reply import OutputTensor, write
from upconv.service.inference_protocol.request import ParsedRequest


def values(count: int) -> OutputTensor:
    return OutputTensor("y", "FP32", (count,), np.zeros(count, np.float32))


@pytest.mark.parametrize(("count", "allowed"), [(1_000_000, True), (1_000_001, False)])
def test_json_holds_a_million_values(count: int, allowed: bool) -> None:
    if allowed:
        assert len(values(count).json) == count
    else:
        with pytest.raises(TensorError, match="1000001 values, too many for JSON; ask for binary_data"):
            _ = values(count).json


def answered(count: int, accept: str) -> tuple[str | None, bytes]:
    reply = write("m", ParsedRequest(None, {}, {}, ()), [values(count)], {}, accept)
    return reply.headers.get("Content-Encoding"), reply.body


def test_answers_above_a_kilobyte_are_packed_where_that_is_asked_for() -> None:
    plain = next(count for count in range(1, 1000) if len(answered(count, "")[1]) > 1024)
    assert answered(plain - 1, "gzip, deflate")[0] is None
    for accept, encoding, unpacked in (("gzip, deflate", "gzip", gzip.decompress), ("deflate", "deflate", zlib.decompress)):
        said, body = answered(plain, accept)
        assert said == encoding
        assert len(json.loads(unpacked(body))["outputs"][0]["data"]) == plain
    assert answered(plain, "gzip;q=0")[0] is None
