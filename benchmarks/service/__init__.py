"""Benchmarks of the running service: `python -m benchmarks.service fuzz|overload|compare|idle`, from the repository's root."""
