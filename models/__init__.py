"""Decoders as torch modules, their weights, cards and exported files."""

from upconv.models.catalogue import CATALOGUE, DEFAULT, Entry, bundled

__all__ = ["CATALOGUE", "DEFAULT", "Entry", "bundled"]
