"""Draw the floors of each package, computed from its imports, between two markers in docs/design.md."""

from __future__ import annotations

import sys
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[1] / "docs" / "design.md"
BEGIN, END = "<!-- floors: made by scripts/floors -->", "<!-- end of floors -->"
PACKAGES = ("cli", "cluster", "models", "export", "service", "runtime")
Arrows = dict[str, set[str]]


def main(arguments: list[str]) -> None:
    page = PAGE.read_text()
    if BEGIN not in page or END not in page:
        sys.exit(f"error: docs/{PAGE.name} lacks the markers {BEGIN} and {END}")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    current = f"{before}{BEGIN}\n\n{drawing()}\n\n{END}{after}"
    if arguments == ["--check"]:
        sys.exit(None if current == page else f"error: the floors in docs/{PAGE.name} are out of date; run scripts/floors")
    PAGE.write_text(current)


def drawing() -> str:
    """Return the drawing of all packages as Markdown."""
    graph = grimp.build_graph("upconv", exclude_type_checking_imports=True, cache_dir=None)
    return "\n\n".join(
        f"`{name}`, its rooms from the top floor down:\n\n{table(rooms(graph, f'upconv.{name}'))}" for name in PACKAGES
    )


def rooms(graph: grimp.ImportGraph, package: str) -> Arrows:
    """Return the rooms of a package (its files and folders), each with the rooms that it imports."""
    names = graph.find_children(package)
    inside = {name: {name} | graph.find_descendants(name) for name in names}
    imported = {
        name: {target for module in modules for target in graph.find_modules_directly_imported_by(module)}
        for name, modules in inside.items()
    }
    short = {name: name.removeprefix(f"{package}.") for name in names}
    return {short[a]: {short[b] for b in names if b != a and imported[a] & inside[b]} for a in names}


def table(arrows: Arrows) -> str:
    """Return a Markdown table of the floors, with the highest first."""
    rows = [
        f"| {number} | {' · '.join(' ⇄ '.join(f'`{room}`' for room in sorted(knot)) for knot in sorted(floor, key=sorted))} |"
        for number, floor in reversed(list(enumerate(floors(arrows), 1)))
    ]
    return "\n".join(["| floor | rooms |", "| --- | --- |", *rows])


def floors(arrows: Arrows) -> list[list[frozenset[str]]]:
    """Return the floors, lowest first, each a list of rooms. Rooms that import each other in a circle are one room."""
    below = {room: reachable(room, arrows) for room in arrows}
    knots = {frozenset({room} | {other for other in below[room] if room in below[other]}) for room in arrows}
    heights: dict[frozenset[str], int] = {}

    def height(knot: frozenset[str]) -> int:
        if knot not in heights:
            under = [other for other in knots if other != knot and other & set().union(*(arrows[room] for room in knot))]
            heights[knot] = 1 + max(map(height, under), default=0)
        return heights[knot]

    return [[knot for knot in knots if height(knot) == level] for level in range(1, max(map(height, knots)) + 1)]


def reachable(room: str, arrows: Arrows) -> set[str]:
    """Return the rooms that a room imports, directly or not."""
    visited: set[str] = set()
    waiting = set(arrows[room])
    while waiting:
        visited |= waiting
        waiting = set().union(*(arrows[other] for other in waiting)) - visited
    return visited


if __name__ == "__main__":
    main(sys.argv[1:])
