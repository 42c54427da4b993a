from __future__ import annotations

from upconv.export.repositories.message_text import EnumName, message_text, table


def test_a_message_has_a_field_on_each_line() -> None:
    text = message_text({"name": 'a"\\', "kind": EnumName("KIND_CPU"), "dims": [3, -1], "on": True, "part": {"inner": {}}})
    assert text == 'name: "a\\"\\\\"\nkind: KIND_CPU\ndims: 3\ndims: -1\non: true\npart {\n  inner {\n  }\n}\n'


def test_a_map_is_its_entries() -> None:
    assert message_text({"m": table({"a": 1})}) == 'm {\n  key: "a"\n  value: 1\n}\n'
