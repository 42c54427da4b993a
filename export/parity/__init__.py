"""Parity: whether two backends compute the same function, judged by a noise floor."""
