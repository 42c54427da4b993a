"""The table of all results in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "diffusers": "diffusers",
    "monai": "MONAI",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "spandrel": "spandrel",
    "transformers": "transformers",
}


def table(results: Mapping[str, Mapping[str, Any]], versions: Sequence[str]) -> str:
    """Return the page, with a summary above one table per package."""
    rows = {name: result for name, result in results.items() if "plain" in result}
    parts = [_HEAD.format(versions=", ".join(versions)), _summary(rows)]
    for package, title in TITLES.items():
        own = {name: row for name, row in rows.items() if name.startswith(f"{package}/")}
        lines = [f"\n## {title}\n", "| architecture | plain torch | upconv | seconds |", "| --- | --- | --- | --- |"]
        lines += [f"| {name.partition('/')[2]} | {plain(row)} | {ours(row)} | {seconds(row)} |" for name, row in own.items()]
        if own:
            parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


_HEAD = """# Architectures of other packages

Written by `python -m benchmarks.architectures`; {versions}.

Small configurations with random weights. Each one is written by `torch.onnx.export(dynamo=True)`, with free sizes if that works, and by
`upconv.to_onnx`. Each graph is compared in onnxruntime with torch, at the size of the example, at two other sizes and far from it, as far as
the graph accepts them. "Right" means that the error is at most 30 times torch's own rounding error. Both exports of one architecture may take 240 processor
seconds together. The seconds in the tables are wall time on a machine that does other work, too.
"""


def right(result: Mapping[str, Any]) -> bool:
    """Return whether a graph was written, and was equal to torch at each size that it accepted."""
    return result.get("outcome") in ("right", "some sizes")


def _summary(rows: Mapping[str, Mapping[str, Any]]) -> str:
    plain_right = [row for row in rows.values() if right(row["plain"])]
    both = [row for row in plain_right if right(row.get("upconv", {}))]
    totals = [Counter(row.get(side, {}).get("outcome", "stopped") for row in rows.values()) for side in ("plain", "upconv")]
    texts = [", ".join(f"{count} {outcome}" for outcome, count in sorted(total.items())) for total in totals]
    share = 100 * len(both) / max(1, len(plain_right))
    return (
        f'{len(rows)} architectures. A result of "stopped" has no figure within the limits of processor time and memory. Plain torch: {texts[0]}. upconv: {texts[1]}. Of the {len(plain_right)} that plain torch writes '
        f"correctly, upconv exports {len(both)} correctly ({share:.0f} %)."
    )


def plain(row: Mapping[str, Any]) -> str:
    """Return the result of plain torch in words."""
    result = row["plain"]
    if right(result):
        what = "right" if result["outcome"] == "right" else "right where onnxruntime runs it"
        return what + ("" if result["free"] else "; one size")
    return "wrong" if result["outcome"] == "wrong" else "refuses"


def ours(row: Mapping[str, Any]) -> str:
    """Return the task and the size law, or the reason why nothing is written."""
    result = row.get("upconv")
    if result is None:
        return "stopped at the limit of processor time or memory"
    if right(result):
        rest = "" if result["outcome"] == "right" else "; onnxruntime refuses some sizes"
        return f"{result['task']}: {result['sizes']}{rest}"
    if result["outcome"] == "wrong":
        return "wrong"
    return str(result["reason"]).partition(": ")[2].replace("|", "\\|")[:300]


def seconds(row: Mapping[str, Any]) -> str:
    """Return the time of the export."""
    taken = row.get("upconv", {}).get("seconds")
    return "" if taken is None else f"{taken:.0f}"
