"""The comparison of two backends with the noise floor as tolerance."""
