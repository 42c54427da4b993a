"""Whether two runtimes compute the same function, judged by a noise floor."""

from upconv.export.parity.backends import Backend, OnnxruntimeBackend, TorchBackend
from upconv.export.parity.verdict import FACTOR, Verdict, judge

__all__ = ["FACTOR", "Backend", "OnnxruntimeBackend", "TorchBackend", "Verdict", "judge"]
