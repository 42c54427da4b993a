"""The documentation: its generated pages are current, and every link leads to a file and a heading."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripts import docs_pages, reference

ROOT = Path(__file__).parents[2]
GENERATED = sorted(reference.WRITERS)


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == reference.WRITERS[name](), "run scripts/reference"


@pytest.mark.parametrize("package", reference.PACKAGES)
def test_every_public_name_is_in_the_reference(package: str) -> None:
    text = (ROOT / "docs/reference-python.md").read_text()
    for name in import_module(package).__all__:
        assert f"\n### {package}.{name}\n" in text


def test_the_reference_has_no_trace_of_the_machine() -> None:
    for name in GENERATED:
        text = (ROOT / "docs" / name).read_text()
        assert not re.search(r"0x[0-9a-f]{6,}", text)
        assert str(ROOT) not in text


def test_a_page_that_is_not_current_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "pages", lambda: {"glossary.md": "other"})
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match=r"docs/glossary\.md differ from the code; run scripts/reference"):
        reference.main()


@pytest.mark.parametrize("name", [*docs_pages.names(docs_pages.PAGES), "README.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    assert docs_pages.broken_links(name) == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("[a](none.md)", "there is no file docs/none.md"),
        ("[a](../none/)", "there is no file none"),
        ("[a](b.md#none)", "docs/b.md has no heading #none"),
        ("[![a](none.png)](b.md)", "there is no file docs/none.png"),
        ("[a](#none)", "docs/a.md has no heading #none"),
        ("[a](b.md#a-heading-with-code)", ""),
        ("`[a](none.md)`", ""),
        ("```\n[a](none.md)\n```", ""),
        ("[a](https://example.org/none.md)", ""),
    ],
)
def test_broken_links_are_found(link: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_pages, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text(f"# A\n\n{link}\n")
    (tmp_path / "docs/b.md").write_text("# B\n\n## A heading, with `code`\n")
    broken = docs_pages.broken_links("docs/a.md")
    assert broken == [] if not reason else reason in broken[0]


def test_links_to_code_become_text() -> None:
    text = "[code](../runtime/tiling.py), [page](b.md#x), `[kept](../runtime/x.py)`, [web](https://example.org)"
    kept = docs_pages.without_links_to_code("docs/a.md", text, {"docs/a.md", "docs/b.md"})
    assert kept == "code, [page](b.md#x), `[kept](../runtime/x.py)`, [web](https://example.org)"


def listed(entries: list[Any]) -> set[str]:
    """The pages in a part of the navigation."""
    values = [value for entry in entries for value in entry.values()]
    inner = [page for value in values if isinstance(value, list) for page in listed(value)]
    return {value for value in values if isinstance(value, str)} | set(inner)


def test_the_navigation_lists_every_page() -> None:
    found = listed(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    pages = set(docs_pages.names(("docs/*.md",))) - {docs_pages.HOME}
    assert pages <= found
    assert found - pages <= {"index.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}


def test_the_pages_are_gathered() -> None:
    done = subprocess.run([sys.executable, "scripts/docs_pages.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(docs/install.md)" in (ROOT / "build/pages/index.md").read_text()
    assert (ROOT / "build/pages/docs/comparison.png").is_file()
