"""Gather the pages of the documentation in build/pages, and check every link between files of the repository.

The pages keep their places, so that their links are those that one follows in the repository. A link to a file that is no page, such as
code, becomes plain text. A link to a file or a heading that does not exist ends the build.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "pages"
PAGES = ("docs/*.md", "models/cards/*.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
FILES = ("docs/*.png", "docs/*.jpg", "docs/*.webp", "docs/*.svg", "docs/*.json")
"""Files that pages show or link to."""
HOME = "docs/start.md"
"""The page that is the home of the site."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\)|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def main() -> None:
    """Write the pages, or exit with the links that lead nowhere."""
    broken = [line for name in [*names(PAGES), "README.md"] for line in broken_links(name)]
    if broken:
        sys.exit("\n".join(broken))
    shutil.rmtree(OUT, ignore_errors=True)
    pages = set(names(PAGES)) - {"LICENSE"}
    files = set(names(FILES))
    for name in (*pages, *files):
        target = OUT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in pages:
            target.write_text(without_links_to_code(name, (ROOT / name).read_text(), pages | files))
        else:
            shutil.copy(ROOT / name, target)
    home = (OUT / HOME).read_text()
    (OUT / "index.md").write_text(_LINK.sub(lambda link: f"{link[1]}[{link[2]}](docs/{link[3]})", home))
    (OUT / HOME).unlink()
    print(f"{len(pages)} pages in {OUT.relative_to(ROOT)}")


def names(patterns: tuple[str, ...]) -> list[str]:
    """Return the files of the repository that match, relative to its root."""
    return sorted(path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern))


def links(text: str) -> list[str]:
    """Return the targets of the links in a text, also of pictures in links, without those in code."""
    found = list(_LINK.finditer(_CODE.sub("", text)))
    return [target for link in found for target in (link[3], *links(link[2]))]


def broken_links(name: str) -> list[str]:
    """Return a line for each link of a page that leads to no file or no heading of the repository."""
    text, lines = (ROOT / name).read_text(), []
    for target in links(text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        place, _, anchor = target.partition("#")
        path = _resolved(name, place)
        if not (ROOT / path).exists():
            lines.append(f"{name}: there is no file {path}, to which it links")
        elif anchor and anchor not in anchors((ROOT / path).read_text()):
            lines.append(f"{name}: {path} has no heading #{anchor}, to which it links")
    return lines


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    titles = _HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


def without_links_to_code(name: str, text: str, pages: set[str]) -> str:
    """Return a page in which links to files that are no pages of the site are plain text."""

    def kept(link: re.Match[str]) -> str:
        place = link[3].partition("#")[0]
        outside = link[3].startswith(("http://", "https://", "mailto:")) or not place or link[1] == "!"
        return link[0] if outside or _resolved(name, place) in pages or link[2].startswith("!") else link[2]

    parts = re.split(rf"({_CODE.pattern})", text, flags=_CODE.flags)
    return "".join(part if number % 2 else _LINK.sub(kept, part) for number, part in enumerate(parts))


def _resolved(name: str, place: str) -> str:
    """Return the file that a link of a page leads to, relative to the root."""
    if not place:
        return name
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / place).parts:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return "/".join(parts) or "."


if __name__ == "__main__":
    main()
