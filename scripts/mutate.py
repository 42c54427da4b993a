"""Mutate modules with mutmut and run the tests that concern them: `scripts/mutate [--minutes 15] [NAME ...]`.

mutmut needs real folders below src/ and writes next to them, so each module is tested in a copy in build/mutate/NAME/. It
mutates the bodies of functions, not the constants of modules. build/mutate/results.json contains the results by NAME. The
exit code is 1 if a mutant survives without a reason in scripts/mutate.toml, or if the time was too short.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "scripts" / "mutate.toml"
WORK = ROOT / "build" / "mutate"
FOLDERS = ("cluster", "export", "models", "runtime", "service")
CONFIG = """\
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov"]
markers = ["gpu: needs a GPU"]
filterwarnings = ["error"]
timeout = 120

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/upconv/{file}"]
pytest_add_cli_args_test_selection = {tests}
also_copy = ["tests"]
"""


@dataclass
class Result:
    """The numbers of killed and surviving mutants of one module."""

    mutants: int = 0
    killed: int = 0
    unreached: int = 0
    """Mutants in functions that no test calls."""
    unchecked: int = 0
    """Mutants for which there was no time."""
    survivors: list[str] = field(default_factory=list)
    explained: dict[str, str] = field(default_factory=dict)
    """Survivors with a reason in the table."""

    @property
    def score(self) -> float:
        """Return the share of killed mutants among those that were tested and are not explained."""
        tested = self.mutants - self.unchecked - len(self.explained)
        return self.killed / tested if tested else 1.0

    @property
    def clean(self) -> bool:
        """Return true if no mutant survived without a reason, and if all were tested."""
        return not (self.survivors or self.unreached or self.unchecked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=15, help="time limit for each module; mutants after it are not tested")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    table = tomllib.loads(TABLE.read_text())
    results = earlier()
    for name in options.names or table["modules"]:
        if name not in table["modules"]:
            sys.exit(f"error: {name} is not in {TABLE.name}; expected one of {', '.join(table['modules'])}")
        module = table["modules"][name]
        missing = [path for path in (module["file"], *module["tests"]) if not (ROOT / path).exists()]
        if missing:
            sys.exit(f"error: {TABLE.name} names {', '.join(missing)} for {name}, which does not exist")
        results[name] = tested(name, module["file"], module["tests"], table["reasons"], options)
        (WORK / "results.json").write_text(json.dumps({key: asdict(value) for key, value in results.items()}, indent=2))
        report(name, results[name])
    sys.exit(0 if all(results[name].clean for name in options.names or table["modules"]) else 1)


def earlier() -> dict[str, Result]:
    """Return the results of former runs."""
    file = WORK / "results.json"
    return {name: Result(**values) for name, values in json.loads(file.read_text()).items()} if file.is_file() else {}


def tested(name: str, file: str, tests: list[str], reasons: dict[str, str], options: argparse.Namespace) -> Result:
    """Return the result of all mutants of one module."""
    folder = prepared(name, file, tests)
    try:
        done = mutmut(folder, "run", "--max-children", str(options.processes), timeout_s=options.minutes * 60)
    except subprocess.TimeoutExpired:
        print(f"{name}: the time limit is reached; the remaining mutants are not tested")
    else:
        if not (folder / "mutants").is_dir() or any(status == "not checked" for _, status in statuses(folder)):
            sys.exit(f"error: mutmut failed for {name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    result = Result()
    for mutant, status in statuses(folder):
        result.mutants += 1
        if status in ("killed", "timeout", "caught by type check", "segfault"):
            result.killed += 1
        elif status == "no tests":
            result.unreached += 1
        elif status == "survived":
            change = difference(folder, mutant)
            reason = reasons.get(change) or usual_reason(change)
            if reason:
                result.explained[change] = reason
            else:
                result.survivors.append(change)
        else:
            result.unchecked += 1
    return result


def usual_reason(change: str) -> str | None:
    """Return the reason why a change of one of two kinds may survive; `None` for other changes."""
    if ": raise " in change:
        return "words of a message"
    before, _, after = change.partition(": ")[2].partition(" => ")
    bare = [re.sub(r"strict=(True|False|None)", "", part) for part in (before, after)]
    return "the lengths agree" if "strict=True" in before and bare[0] == bare[1] else None


def prepared(name: str, file: str, tests: list[str]) -> Path:
    """Return a folder with a copy of the product and its tests, in the layout that mutmut needs."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "weights", *FOLDERS)
    package = folder / "src" / "upconv"
    shutil.copytree(ROOT / "src" / "upconv", package, ignore=ignored)
    for inner in FOLDERS:
        shutil.copytree(ROOT / inner, package / inner, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    place = file.removeprefix("src/upconv/")
    place = f"{place}/*" if (ROOT / file).is_dir() else place
    (folder / "pyproject.toml").write_text(CONFIG.format(file=place, tests=json.dumps(tests)))
    return folder


def mutmut(folder: Path, *arguments: str, timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["OMP_NUM_THREADS"] = "1"  # mutmut forks, and the threads of torch would not exist in the children
    command = [sys.executable, "-m", "mutmut", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 15)  # the group, because mutmut starts workers
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def statuses(folder: Path) -> list[tuple[str, str]]:
    lines = mutmut(folder, "results", "--all", "true").stdout.splitlines()
    pairs = (line.strip().rsplit(": ", 1) for line in lines if "__mutmut_" in line)
    return [(mutant, status) for mutant, status in pairs]


def difference(folder: Path, mutant: str) -> str:
    """Return a change as `function: before => after`, which does not depend on line numbers."""
    lines = mutmut(folder, "show", mutant).stdout.splitlines()
    parts = {
        sign: " ".join(line[1:].strip() for line in lines if line.startswith(sign) and not line.startswith(sign * 3))
        for sign in "-+"
    }
    function = mutant.rpartition("__mutmut_")[0].rpartition(".")[2].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{function}: {parts['-']} => {parts['+']}"


def report(name: str, result: Result) -> None:
    print(
        f"{name}: {result.score:.1%} of {result.mutants} mutants killed, {len(result.survivors)} survived, "
        f"{len(result.explained)} explained, {result.unreached} in functions without a test, {result.unchecked} not tested",
        flush=True,
    )
    for change in result.survivors:
        print(f"  {change}", flush=True)


if __name__ == "__main__":
    main()
