from __future__ import annotations

import copy
import json
import pickle

import pytest

from upconv.runtime.conversions import PHRASES, Conversion


def test_a_conversion_is_its_phrase() -> None:
    found = Conversion("bits not held", bits=16, fewer=8, format="jpeg")
    assert found == "16 bits reduced to 8, the most that jpeg can hold"
    assert json.dumps([found]) == '["16 bits reduced to 8, the most that jpeg can hold"]'
    assert (found.key, found.values) == ("bits not held", {"bits": 16, "fewer": 8, "format": "jpeg"})


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_a_copy_in_another_process_states_its_key(copied: object) -> None:
    assert callable(copied)
    found = copied(Conversion("first frame", count=3))
    assert (found, found.key, found.values) == ("the first of 3 frames taken", "first frame", {"count": 3})


def test_an_unknown_key_or_a_missing_value() -> None:
    with pytest.raises(KeyError, match="no such key"):
        Conversion("no such key")
    with pytest.raises(KeyError, match="count"):
        Conversion("first frame")


def test_the_phrases_fit_into_a_sentence() -> None:
    assert len(set(PHRASES.values())) == len(PHRASES)
    for key, phrase in PHRASES.items():
        assert key == key.lower().strip(), key
        assert not phrase.endswith((".", ";")), key
