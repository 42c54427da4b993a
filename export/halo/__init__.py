"""The input pixels around a tile that its output depends on: derivation, trial and deviation."""
