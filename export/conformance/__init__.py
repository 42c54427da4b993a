"""The conformance grid: every upsampling layer with every parameter, run in every backend."""

from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.grid import grid, sample
from upconv.export.conformance.grid_backends import GridBackend, present
from upconv.export.conformance.grid_run import run
from upconv.export.conformance.results import CaseResult, summarise

__all__ = ["CaseResult", "GridBackend", "GridCase", "grid", "present", "run", "sample", "summarise"]
