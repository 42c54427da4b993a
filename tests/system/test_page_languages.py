"""The texts of the page in all its languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.system.page_modules import Evaluate

from upconv.runtime.conversions import PHRASES
from upconv.service.errors import KINDS, UNEXPECTED
from upconv.service.web_page import FOLDER

LANGUAGES = sorted(path.stem for path in (FOLDER / "strings").iterdir())
TEXTS = "return module.default;"
NUMBER = "one"
"""A form that not every language has."""


def forms(text: str | dict[str, str]) -> dict[str, str]:
    return {"other": text} if isinstance(text, str) else text


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


class Said(HTMLParser):
    """The texts of elements and attributes that name theirs, by their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._key: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._key = given.get("data-say")
        for name, attribute in (("label", "aria-label"), ("title", "title"), ("alt", "alt")):
            if (key := given.get(f"data-say-{name}")) is not None:
                self.found[key] = given[attribute]

    def handle_data(self, data: str) -> None:
        if self._key is not None:
            self.found[self._key] = data
            self._key = None


def test_the_languages() -> None:
    assert LANGUAGES == ["de", "en", "es", "zh"]


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_has_the_texts_of_english_with_their_placeholders(evaluate: Evaluate, language: str) -> None:
    english: dict[str, Any] = evaluate("strings/en.js", TEXTS, None)
    texts: dict[str, Any] = evaluate(f"strings/{language}.js", TEXTS, None)
    assert list(texts) == list(english), "the same texts in the same order"
    for key, text in texts.items():
        assert isinstance(text, str) == isinstance(english[key], str), key
        for form, said in forms(text).items():
            assert said or key.startswith("between"), key
            assert placeholders(said) == placeholders(forms(english[key])["other"]), (key, form)


def test_the_page_is_written_in_the_english_texts(evaluate: Evaluate) -> None:
    english: dict[str, Any] = evaluate("strings/en.js", TEXTS, None)
    said = Said()
    said.feed((FOLDER / "index.html").read_text())
    assert len(said.found) > 30
    assert said.found == {key: english.get(key) for key in said.found}


def test_every_problem_of_the_service_has_a_text(evaluate: Evaluate) -> None:
    problems = evaluate("problems.js", "return module.PROBLEMS;", None)
    assert set(problems) == {kind.slug for kind in (*KINDS.values(), UNEXPECTED)}
    assert set(problems.values()) <= set(evaluate("strings/en.js", TEXTS, None))


def test_every_conversion_has_a_text(evaluate: Evaluate) -> None:
    """With the placeholders that the other test compares; in English, it is the phrase of the header."""
    english: dict[str, str] = evaluate("strings/en.js", TEXTS, None)
    said = {key.removeprefix("conversion."): text for key, text in english.items() if key.startswith("conversion.")}
    assert said == PHRASES


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (
            '[{"key":"cmyk"},{"key":"first frame","values":{"count":3}}]',
            "CMYK in sRGB umgewandelt; nur das erste von 3 Einzelbildern",
        ),
        ('[{"key":"cmyk"},{"key":"of a newer service"}]', "in English"),
        (None, "in English"),
    ],
)
def test_conversions_are_said_in_the_language_of_the_page(evaluate: Evaluate, keys: str | None, shown: str) -> None:
    changes = "return module.changes(given[0], given[1]);"
    script = "const { speak, paragraph } = module; await speak('de'); return paragraph(given);"
    phrases = evaluate("job.js", changes, ["in English", keys])
    said = evaluate("languages.js", f"return (async () => {{ {script} }})();", phrases)
    assert said == f"Im Ergebnis geändert: {shown}."
    assert evaluate("job.js", changes, ["", None]) == []


def test_forms_of_numbers_and_sentences_in_sentences(evaluate: Evaluate) -> None:
    script = """
    const { say, phrase, speak } = module;
    const said = [say("step.ahead", { count: 1 }), say("step.ahead", { count: 5 })];
    said.push(say("note.not compared", { reason: phrase("problem.unreachable") }));
    await speak("de");
    said.push(say("why.precision", { precision: "a.b." }), say("drop.limits", { bytes: "", pixels: 2.5, result: 1000 }));
    return said;
    """
    assert evaluate("languages.js", f"return (async () => {{ {script} }})();", None) == [
        "Waiting for 1 other",
        "Waiting for 5 others",
        "It was not compared with the server: The server could not be reached, or closed the connection. Try again in a moment.",
        "es rechnet in a.b., und das Gerät rechnet nur in float32",
        "Je Bild bis zu  und 2,5 Megapixel; das Ergebnis hat bis zu 1000 Megapixel.",
    ]


def test_every_text_is_used(evaluate: Evaluate) -> None:
    sources = "".join(path.read_text() for path in FOLDER.iterdir() if path.suffix in (".js", ".html"))
    families = ("content.", "conversion.", "row.", "use.")
    unused = [
        key for key in evaluate("strings/en.js", TEXTS, None) if f'"{key}"' not in sources and not key.startswith(families)
    ]
    assert unused == []
