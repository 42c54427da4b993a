"""Draws every model side by side on the same six crops."""
