"""The conformance grid: every layer that upsamples, with every parameter, through every runtime."""

from upconv.export.parity.operators.cases import Case
from upconv.export.parity.operators.grid import grid, sample
from upconv.export.parity.operators.results import Result, summarise
from upconv.export.parity.operators.run import run
from upconv.export.parity.operators.runtimes import Runtime, present

__all__ = ["Case", "Result", "Runtime", "grid", "present", "run", "sample", "summarise"]
