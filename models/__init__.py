"""Decoders as torch modules, their weights, cards and exported files."""

from upconv.models.catalogue import CATALOGUE, DEFAULT, CatalogueEntry, bundled, model_set

__all__ = ["CATALOGUE", "DEFAULT", "CatalogueEntry", "bundled", "model_set"]
