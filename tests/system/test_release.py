"""The parts of `scripts/release` that need no network."""

from __future__ import annotations

import datetime
import gzip
import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from scripts import release

import upconv

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 1, 31)


def test_the_version_is_stated_once() -> None:
    assert release.stated_version(ROOT) == upconv.__version__
    assert not re.search(r"^version = \"", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert release.checked_version(None).startswith(upconv.__version__)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "src/upconv").mkdir(parents=True)
    (tmp_path / "src/upconv/__init__.py").write_text('"""A."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CITATION.cff").write_text("title: upconv\nversion: 0.1.0\nlicense: MIT\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- A.\n\n## 0.1.0\n\n- B.\n")
    return tmp_path


def test_a_release_is_prepared(files: Path) -> None:
    release.prepare("0.2.0", TODAY, files)
    assert release.stated_version(files) == "0.2.0"
    assert (files / "CITATION.cff").read_text() == "title: upconv\nversion: 0.2.0\ndate-released: 2026-01-31\nlicense: MIT\n"
    assert "## Unreleased\n\n## 0.2.0 - 2026-01-31\n\n- A.\n\n## 0.1.0\n" in (files / "CHANGELOG.md").read_text()
    release.prepare("0.3.0", TODAY, files)
    assert (files / "CITATION.cff").read_text().count("date-released") == 1
    with pytest.raises(SystemExit, match=r"has a section for 0\.2\.0 already"):
        release.prepare("0.2.0", TODAY, files)


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3.4", "next", ""])
def test_other_versions_are_refused(version: str, files: Path) -> None:
    with pytest.raises(SystemExit, match="must be three numbers"):
        release.prepare(version, TODAY, files)
    assert release.stated_version(files) == "0.1.0"


def test_a_tag_needs_its_version_and_a_dated_section(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ROOT", files)
    assert "a rehearsal" in release.checked_version(None)
    with pytest.raises(SystemExit, match=r"the tag v0\.1\.0 must be v0\.1\.0, and CHANGELOG"):
        release.checked_version("v0.1.0")
    release.prepare("0.2.0", TODAY, files)
    assert release.checked_version("v0.2.0") == "0.2.0; tagged and dated"
    with pytest.raises(SystemExit, match=r"the tag v0\.3\.0 must be v0\.2\.0"):
        release.checked_version("v0.3.0")
    (files / "CITATION.cff").write_text("version: 9\n")
    with pytest.raises(SystemExit, match=r"CITATION\.cff names 9, and the package 0\.2\.0"):
        release.checked_version(None)


def packed(path: Path, names: list[str], time: int, owner: str) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname, member.mode = 1, time, owner, 0o664 if time else 0o644
            archive.addfile(member, io.BytesIO(b"a"))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=time))
    return path


def test_a_source_distribution_has_no_traces_of_the_machine(tmp_path: Path) -> None:
    one = packed(tmp_path / "a.tar.gz", ["u/b", "u/a"], 5, "ann")
    two = packed(tmp_path / "b.tar.gz", ["u/a", "u/b"], 0, "bob")
    for path in (one, two):
        release.settle(path, 1_700_000_000)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        assert [(member.name, member.mtime, member.uname) for member in archive] == [
            ("u/a", 1_700_000_000, ""),
            ("u/b", 1_700_000_000, ""),
        ]


SKIPPED = {"skip_reason": "not found"}
FAULTY = {"version": "2.10", "vulns": [{"id": "PYSEC-1"}]}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([{"name": "a"} | SKIPPED, {"name": "upconv"} | SKIPPED], "NOT DONE: pip-audit found none of the 1 packages"),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "upconv"} | SKIPPED], "no known fault in 1 packages"),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b"} | SKIPPED], "no known fault in 1 packages; not judged: b"),
    ],
)
def test_a_package_that_was_not_judged_is_not_called_sound(
    found: list[dict[str, Any]], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "DIST", tmp_path)
    assert release.judged(found).startswith(said)
    with pytest.raises(SystemExit, match=r"known faults in jinja2 2\.10: PYSEC-1"):
        release.judged([{"name": "jinja2"} | FAULTY])


def test_no_workflow_uses_an_action_by_a_tag() -> None:
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    uses = [line for file in workflows for line in file.read_text().splitlines() if "uses:" in line]
    assert len(uses) > 15
    assert [line for line in uses if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
