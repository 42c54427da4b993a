"""The halo: the input pixels around a tile that its output depends on. Derivation, trial and deviation."""
