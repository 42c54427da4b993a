"""A comparison as JUnit XML, which CI systems show as tests: one test per backend."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from upconv.export.parity.findings import BackendResult, Comparison

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 cannot hold."""


def junit(comparison: Comparison) -> str:
    """Return the report as XML: a failure for each backend that differs, a skipped test for each that is missing."""
    rows = comparison.rows
    suite = Element(
        "testsuite",
        name=_text(f"parity of {comparison.title}"),
        tests=str(len(rows)),
        failures=str(sum(row.status == "different" for row in rows)),
        skipped=str(sum(row.status == "missing" for row in rows)),
        errors="0",
    )
    if comparison.run is not None:
        suite.set("timestamp", comparison.run.date)
        _properties(suite, comparison)
    for row in rows:
        _test(suite, row, comparison)
    suites = Element("testsuites")
    suites.append(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _properties(suite: Element, comparison: Comparison) -> None:
    assert comparison.run is not None
    properties = SubElement(suite, "properties")
    for name, value in comparison.run.as_dict().items():
        if isinstance(value, dict):
            pairs = [(f"{name}.{key}", str(part)) for key, part in value.items()]
        else:
            pairs = [] if value is None else [(name, str(value))]
        for key, text in pairs:
            SubElement(properties, "property", name=key, value=_text(text))


def _test(suite: Element, row: BackendResult, comparison: Comparison) -> None:
    test = SubElement(suite, "testcase", classname=_text(comparison.title), name=row.name)
    if row.status == "missing":
        SubElement(test, "skipped", message=_text(row.said))
    if row.status == "different":
        failure = SubElement(test, "failure", message=_text(row.said), type="different")
        failure.text = _text("\n".join([row.said, *comparison.explained]))


def _text(text: str) -> str:
    return NOT_XML.sub("?", text)
