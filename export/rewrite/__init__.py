"""Exact rewrites of a graph: the same function, computed faster."""

from upconv.export.rewrite.rule import ExactRule, Rewrite

__all__ = ["ExactRule", "Rewrite"]
