"""The code that the documentation shows: its blocks, and the commands in blocks, in sentences and in comments of examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "docs/reference-python.md"
"""Its blocks are signatures, not code to run. tests/system/test_documentation.py compares it with the code."""
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "examples/*.md", "models/cards/*.md")
    for path in ROOT.glob(pattern)
)
SCRIPTS = ("examples/ci/verify.sh",)
COMMENTED = (
    "examples/page/index.html",
    "examples/nginx/nginx.conf",
    "deploy/nginx.conf",
    "deploy/kubernetes/overlays/ray/ray-job.yaml",
    "deploy/systemd/upconv.service",
    ".github/workflows/ci.yml",
)
"""Files that show a command in a comment or start one."""
SHELL = ("", "sh", "console", "bash")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:\$ )?(?:upconv |curl |make |python |pip |ffmpeg |export |docker |kubectl |scripts/|benchmarks/)"
)
_SEPARATORS = {"|", "||", "&&", ";", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    """The line of its first line of code, from 1."""
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """The words of one program that the documentation starts."""

    page: str
    line: int
    words: tuple[str, ...]
    text: str
    """The whole line of the shell."""
    mention: bool = False
    """It stands in a sentence, so arguments may be missing."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {' '.join(self.words)}"


def blocks(page: str, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = (ROOT / page).read_text() if text is None else text
    return [Block(page, text[: found.start(3)].count("\n") + 1, found[2], found[3]) for found in _FENCE.finditer(text)]


def shell_lines(page: str, text: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of shell in the fenced and in the indented blocks, continued lines joined."""
    text = (ROOT / page).read_text() if text is None else text
    for block in blocks(page, text):
        if block.language in SHELL:
            yield from _joined(block.line, block.text.splitlines())
        if block.language == "yaml":
            for offset, line in enumerate(block.text.splitlines()):
                if found := re.search(r"\brun: (.+)", line):
                    yield block.line + offset, found[1]
    indented = [line[4:] if re.match(r" {4}\S|      ", line) else "" for line in _without_fences(text).splitlines()]
    yield from ((number, line.removeprefix("$ ")) for number, line in _joined(1, indented) if _PROGRAM.match(line))


def _without_fences(text: str) -> str:
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)


def _joined(number: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    start, pending = number, ""
    for line in lines:
        start = start if pending else number
        number += 1
        if line.endswith("\\"):
            pending += line[:-1] + " "
        elif re.search(r"\|\s*$", line):
            pending += line + " "
        else:
            if (pending + line).strip():
                yield start, (pending + line).strip()
            pending = ""


def commands(page: str, text: str | None = None) -> Iterator[Command]:
    """Yield every command of a page: those of its blocks, and those that stand in a sentence as code."""
    text = (ROOT / page).read_text() if text is None else text
    for number, line in shell_lines(page, text):
        yield from (Command(page, number, words, line) for words in simple_commands(line))
    for number, line in enumerate(_without_fences(text).splitlines(), 1):
        for code in re.findall(r"(?<!`)`([^`\n]+)`", line) if not line.startswith("    ") else ():
            if _PROGRAM.match(code):
                shown = re.sub(r"[][]", "", code.replace("\\|", "|"))
                yield from (Command(page, number, words, shown, mention=True) for words in simple_commands(shown))


def commands_of_file(name: str) -> Iterator[Command]:
    """Yield the commands of a script, or those that a comment or a setting of a file shows."""
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        found = (
            re.search(r"(?:^|[\s/:=])(upconv [a-z-]+(?: -.*| \S*[./].*|$))", line)
            if name not in SCRIPTS
            else re.match(r"(\w.*)", line)
        )
        if found and "`" not in line:
            shown = re.split(r" {2,}", found[1])[0]
            yield from (Command(name, number, words, shown) for words in simple_commands(shown))


def simple_commands(line: str) -> list[tuple[str, ...]]:
    """Return the programs that a line of shell starts, without variables, redirections and comments."""
    lexer = shlex.shlex(re.sub(r"(\s)[12]>", r"\1>", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if skip:
            skip = False
        elif word in _SEPARATORS:
            found.append([])
        elif word and set(word) <= set("<>&"):
            skip = True
        elif found[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            found[-1].append(word)
    return [tuple(words) for words in found if words]
