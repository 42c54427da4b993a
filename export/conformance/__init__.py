"""The conformance grid: every layer that upsamples, with every parameter, through every runtime."""

from upconv.export.conformance.cases import Case
from upconv.export.conformance.grid import grid, sample
from upconv.export.conformance.grid_backends import Runtime, present
from upconv.export.conformance.grid_run import run
from upconv.export.conformance.results import Result, summarise

__all__ = ["Case", "Result", "Runtime", "grid", "present", "run", "sample", "summarise"]
