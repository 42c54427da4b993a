"""Training and evaluation of the upscalers in the catalogue."""
