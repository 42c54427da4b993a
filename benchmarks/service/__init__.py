"""How the service behaves as a process: fuzzed, overloaded, compared, idle. From the root: `python -m benchmarks.service`."""
