"""Build a release twice, compare the bytes, check the files, and try them in a clean environment.

dist/ then holds the wheel, the source distribution, sbom.cdx.json, licences.md, audit.json if a list of faults could be had,
report.json and SHA256SUMS. Only what git holds is built.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DIST, TOOLS, CLEAN = ROOT / "dist", ROOT / ".venv-release", ROOT / ".venv-clean"
SERVED, DEMO = "cpu,heic,serve,grpc", "cpu,serve,client,train"
"""The extras of the container, whose packages SBOM, licences and audit list, and those of the demonstration."""
EPOCH = "SOURCE_DATE_EPOCH"
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""The argument that unpacks an archive into its folder only, from Python 3.11.4 on."""


@dataclass
class ReleaseReport:
    """What each step found."""

    steps: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, found: str) -> None:
        """Keep and print what a step found."""
        self.steps[name] = found
        print(f"{name:<14}{found}", flush=True)


def main() -> None:
    """Make a release, or prepare one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tag", help="The tag, such as v0.2.0, which must name the version, with a dated section in CHANGELOG.md."
    )
    parser.add_argument("--prepare", metavar="VERSION", help="Only write this version and today's date into the files.")
    parser.add_argument("--without", action="append", default=[], choices=["demo", "audit"], help="A step to leave out.")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, datetime.datetime.now(datetime.UTC).date())
        return
    report = ReleaseReport()
    report.add("version", checked_version(options.tag))
    wheel, sdist = built_twice(report)
    check_files(report, wheel, sdist)
    try_wheel(report, wheel, options.without)
    (DIST / "report.json").write_text(json.dumps(report.steps, indent=2) + "\n")
    files = sorted(path for path in DIST.iterdir() if path.name != "SHA256SUMS")
    (DIST / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in files))
    report.add("done", f"{len(files)} files in dist/")


def checked_version(tag: str | None) -> str:
    """Return the version and the state of the changelog. Exits if the files disagree, or a tag has no dated section."""
    version = stated_version(ROOT)
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    if cited is None or cited[1] != version:
        sys.exit(
            f"error: CITATION.cff names {cited and cited[1]}, and the package {version}; run scripts/release --prepare VERSION"
        )
    dated = re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if tag is None:
        return f"{version}; {'dated' if dated else 'a rehearsal, because CHANGELOG.md has no dated section for it'}"
    if tag != f"v{version}" or dated is None:
        sys.exit(
            f"error: the tag {tag} must be v{version}, and CHANGELOG.md must have a line such as '## {version} - 2026-01-31'"
        )
    return f"{version}; tagged and dated"


def stated_version(root: Path) -> str:
    """Return the version in the only place that states it, `__version__`."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "src/upconv/__init__.py").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def prepare(version: str, today: datetime.date, root: Path = ROOT) -> None:
    """Write a version and a date into `__version__`, CITATION.cff and CHANGELOG.md, whose open section gets both."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        sys.exit(f"error: the version must be three numbers such as 0.2.0, or 0.2.0rc1, not {version}")
    changelog = (root / "CHANGELOG.md").read_text()
    if f"## {version} " in changelog or "## Unreleased\n" not in changelog:
        sys.exit(f"error: CHANGELOG.md has a section for {version} already, or none called Unreleased")
    edits: dict[str, Callable[[str], str]] = {
        "src/upconv/__init__.py": lambda text: re.sub(r'^__version__ = ".*"$', f'__version__ = "{version}"', text, flags=re.M),
        "CITATION.cff": lambda text: cited(text, version, today),
        "CHANGELOG.md": lambda text: text.replace("## Unreleased\n", f"## Unreleased\n\n## {version} - {today}\n", 1),
    }
    for name, edit in edits.items():
        path = root / name
        path.write_text(edit(path.read_text()))
    print(f"{', '.join(edits)} name {version}; commit them, then tag the commit v{version}")


def cited(text: str, version: str, today: datetime.date) -> str:
    """Return the text of CITATION.cff with this version and this day of the release."""
    lines = [line for line in text.splitlines() if not line.startswith("date-released:")]
    place = next(number for number, line in enumerate(lines) if line.startswith("version:"))
    lines[place : place + 1] = [f"version: {version}", f"date-released: {today}"]
    return "\n".join(lines) + "\n"


def built_twice(report: ReleaseReport) -> tuple[Path, Path]:
    """Return the wheel and the source distribution in dist/. Exits if two builds in two folders differ."""
    tools()
    commit, epoch = output("git", "log", "-1", "--format=%H %ct").split()
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        builds = [build(Path(folder), commit, epoch) for folder in (first, second)]
        digests = [[sha256(path) for path in files] for files in builds]
        if digests[0] != digests[1]:
            names = [a.name for a, one, other in zip(builds[0], *digests, strict=True) if one != other]
            sys.exit(f"error: two builds of {' and '.join(names)} differ")
        DIST.mkdir()
        wheel, sdist = (Path(shutil.copy(path, DIST)) for path in builds[0])
    for name, path in (("equal wheels", wheel), ("equal sdists", sdist)):
        report.add(name, f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, sha256 {sha256(path)}")
    return wheel, sdist


def build(folder: Path, commit: str, epoch: str) -> tuple[Path, Path]:
    """Return the wheel and the source distribution of a commit, built in `folder`."""
    checkout, out = folder / "checkout", folder / "out"
    checkout.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(checkout, **SAFELY)
    command: list[str | Path] = [TOOLS / "bin/python", "-m", "build", "--no-isolation", "--outdir", out, checkout]
    run(*command, env={EPOCH: epoch}, quiet=True)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    settle(sdist, int(epoch))
    return wheel, sdist


def settle(sdist: Path, epoch: int) -> None:
    """Give every file in a source distribution one time and no owner: setuptools takes those of the machine."""
    packed = io.BytesIO()
    with tarfile.open(sdist) as source, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target:
        for member in sorted(source.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname, member.pax_headers = epoch, 0, 0, "", "", {}
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    sdist.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=epoch))


def check_files(report: ReleaseReport, wheel: Path, sdist: Path) -> None:
    """Check the content of the wheel, and the metadata of both files."""
    run(TOOLS / "bin/check-wheel-contents", wheel, quiet=True)
    report.add("content", "check-wheel-contents found nothing")
    run(TOOLS / "bin/twine", "check", "--strict", wheel, sdist, quiet=True)
    report.add("metadata", "twine check --strict passed")


def try_wheel(report: ReleaseReport, wheel: Path, without: list[str]) -> None:
    """Install the wheel into a clean environment, list its packages, and run the demonstration from it."""
    python = environment(CLEAN)
    install(python, f"{wheel}[{SERVED}]")
    run(CLEAN / "bin/upconv", "doctor", cwd=Path(tempfile.gettempdir()), quiet=True)
    report.add("doctor", f"everything that is required is here with [{SERVED}]")
    bill = DIST / "sbom.cdx.json"
    run(TOOLS / "bin/cyclonedx-py", "environment", "--output-reproducible", "--output-file", bill, python, quiet=True)
    report.add("SBOM", f"{len(json.loads(bill.read_text())['components'])} components in {bill.name}, CycloneDX")
    listing = output(TOOLS / "bin/pip-licenses", "--python", python, "--format", "markdown", "--order", "license")
    (DIST / "licences.md").write_text(listing)
    report.add("licences", f"{len(listing.splitlines()) - 2} packages in licences.md")
    report.add("audit", "left out" if "audit" in without else audit(python))
    if "demo" in without:
        report.add("demo", "left out")
        return
    install(python, f"{wheel}[{DEMO}]")
    with away_from_sources() as folder:
        lines = output(python, "scripts/demo.py", cwd=folder).splitlines()
    report.add("demo", next(line.strip() for line in reversed(lines) if " dB PSNR-Y, +" in line))


@contextmanager
def away_from_sources() -> Iterator[Path]:
    """Yield a folder with what the demonstration needs beside the wheel, so that no package of the checkout is imported."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("scripts/demo.py", "tests/data/flower.jpg", "models/weights/upsample-s-x2.safetensors"):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, folder / part)
        yield folder


def audit(python: Path) -> str:
    """Return what pip-audit found, or that it could get no list of faults. Exits if a package has a known one."""
    packages = output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    command = [
        str(TOOLS / "bin/pip-audit"),
        "--path",
        packages,
        "--format",
        "json",
        "--timeout",
        "15",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"NOT DONE: pip-audit could get no list of faults ({last[:160]})"
    return judged(found)


def judged(found: list[dict[str, Any]]) -> str:
    """Return the result of an audit. Exits if a package has a known fault. A package that was left out is not said to be without one."""
    others = [each for each in found if each["name"] != "upconv"]
    left_out = [each["name"] for each in others if "skip_reason" in each]
    if left_out == [each["name"] for each in others]:
        return f"NOT DONE: pip-audit found none of the {len(others)} packages in the list of faults"
    (DIST / "audit.json").write_text(json.dumps(found, indent=2) + "\n")
    faults = [f"{each['name']} {each['version']}: {fault['id']}" for each in found for fault in each.get("vulns", ())]
    if faults:
        sys.exit(f"error: known faults in {'; '.join(faults)}")
    unknown = f"; not judged: {', '.join(left_out)}" if left_out else ""
    return f"no known fault in {len(others) - len(left_out)} packages{unknown}"


def tools() -> None:
    """Make the environment of the tools, which are the extra `release`, if it is missing."""
    marker = TOOLS / "installed"
    if not marker.exists() or marker.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        python = environment(TOOLS)
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())
        run(
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            *extras["build-system"]["requires"],
            *extras["project"]["optional-dependencies"]["release"],
        )
        marker.touch()


def environment(folder: Path) -> Path:
    """Return the interpreter of a new, empty environment."""
    run(sys.executable, "-m", "venv", "--clear", folder)
    return folder / "bin/python"


def install(python: Path, requirement: str) -> None:
    """Install a package in the versions that the project is tested with."""
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", requirement)


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None, quiet: bool = False) -> None:
    """Run a program. Exits with its output if it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean(env), capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout or ''}{done.stderr or ''}error: {Path(command[0]).name} ended with status {done.returncode}")


def output(*command: str | Path, cwd: Path = ROOT) -> str:
    """Return what a program prints. Exits with it if the program fails."""
    done = subprocess.run(command, cwd=cwd, env=clean(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}error: {Path(command[0]).name} ended with status {done.returncode}")
    return done.stdout


def clean(more: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment without what leads Python to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | (more or {})


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
