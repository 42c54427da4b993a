"""The steps of an export, each `(draft) -> (draft, report)`."""

from upconv.export.steps.capture_step import capture_graph
from upconv.export.steps.contract_step import write_contract
from upconv.export.steps.deviation_step import measure_deviation
from upconv.export.steps.draft import ExportDraft, ExportOptions
from upconv.export.steps.halo_step import derive_halo
from upconv.export.steps.lint_step import inspect_graph
from upconv.export.steps.load_step import load_graph
from upconv.export.steps.opset_step import raise_opset
from upconv.export.steps.parity_step import prove_parity
from upconv.export.steps.precision_step import reduce_precision
from upconv.export.steps.rewrite_step import REWRITES
from upconv.export.steps.runner import Expansion, Step, run
from upconv.export.steps.session_step import choose_session
from upconv.export.steps.simplify_step import simplify_graph
from upconv.export.steps.sizes_step import find_sizes
from upconv.export.steps.statistics_step import find_statistics
from upconv.export.steps.task_step import recognise_task
from upconv.export.steps.tile_step import pick_tile
from upconv.export.steps.tiling_step import try_tiling
from upconv.export.steps.witness_step import ask_witness

__all__ = [
    "REWRITES",
    "Expansion",
    "ExportDraft",
    "ExportOptions",
    "Step",
    "ask_witness",
    "capture_graph",
    "choose_session",
    "derive_halo",
    "find_sizes",
    "find_statistics",
    "inspect_graph",
    "load_graph",
    "measure_deviation",
    "pick_tile",
    "prove_parity",
    "raise_opset",
    "recognise_task",
    "reduce_precision",
    "run",
    "simplify_graph",
    "try_tiling",
    "write_contract",
]
