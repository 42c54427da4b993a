"""The comparison of upsampling layers, by training decoders that differ only in that layer."""

from upconv.models.training.comparison.candidates import CANDIDATES, Candidate, named
from upconv.models.training.comparison.matched import budget
from upconv.models.training.comparison.page import page
from upconv.models.training.comparison.pictures import Pictures, pictures
from upconv.models.training.comparison.results import DecoderComparison
from upconv.models.training.comparison.run import ComparisonPlan, compare
from upconv.models.training.comparison.table import text

__all__ = [
    "CANDIDATES",
    "Candidate",
    "ComparisonPlan",
    "DecoderComparison",
    "Pictures",
    "budget",
    "compare",
    "named",
    "page",
    "pictures",
    "text",
]
