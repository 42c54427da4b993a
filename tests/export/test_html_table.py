from __future__ import annotations

from xml.etree import ElementTree

from upconv.export.html_table import facts_table, rows_table


def test_facts_without_a_value_are_left_out() -> None:
    assert facts_table("a model", [("name", "x"), ("file", "")]) == (
        '<table><caption>a model</caption><tr><th scope="row">name</th><td>x</td></tr></table>'
    )


def test_rows_have_a_head_and_notes() -> None:
    assert rows_table("c", ["h"], [["1"], ["2"]], ["n"]) == (
        '<table><caption>c</caption><thead><tr><th scope="col">h</th></tr></thead>'
        "<tbody><tr><td>1</td></tr><tr><td>2</td></tr></tbody></table><p>n</p>"
    )


def test_all_text_is_escaped() -> None:
    bad = "<script>alert('&')</script>"
    for text in (facts_table(bad, [(bad, bad)]), rows_table(bad, [bad], [[bad]], [bad])):
        assert "<script" not in text
        assert "".join(ElementTree.fromstring(f"<div>{text}</div>").itertext()).count(bad) == text.count("&lt;script")
