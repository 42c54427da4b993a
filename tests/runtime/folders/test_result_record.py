from __future__ import annotations

import json

from upconv.runtime.folders.result_record import LONGEST, complete, parsed
from upconv.runtime.model_choice import ModelChoice

ORIGIN = {"of": [10, '"tag"', "abc"]}


def test_a_record_comes_back_as_it_was() -> None:
    text = complete(ORIGIN, (3, 2), (6, 4), ("gif became png, ü",), ModelChoice("photo", "it is a photograph"))
    assert text is not None
    assert text.isascii() and "\n" not in text
    assert parsed(text) == {
        "of": [10, '"tag"', "abc"],
        "from": [3, 2],
        "to": [6, 4],
        "conversions": ["gif became png, ü"],
        "chosen": ["photo", "it is a photograph"],
    }


def test_without_an_origin_there_is_no_record() -> None:
    assert complete(None, (3, 2), (6, 4), (), None) is None


def test_a_record_fits_into_the_metadata_of_s3() -> None:
    fixed = len(json.dumps({**ORIGIN, "from": [3, 2], "to": [6, 4], "conversions": [""]}, separators=(",", ":")))
    for longer, kept in ((0, True), (1, False)):
        text = complete(ORIGIN, (3, 2), (6, 4), ("x" * (LONGEST - fixed + longer),), None)
        assert text is not None
        assert len(text) <= LONGEST
        assert bool(parsed(text)["conversions"]) is kept


def test_what_is_no_record_states_nothing() -> None:
    for text in (None, "", "{", "[1]", "3"):
        assert parsed(text) == {}
