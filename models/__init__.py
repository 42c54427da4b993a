"""Decoders as torch modules, their weights, cards and exported files."""
