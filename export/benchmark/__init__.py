"""The speed of a decoder on this machine, in several runtimes."""

from upconv.export.benchmark.peers import PEERS, BenchmarkSubject, Peer
from upconv.export.benchmark.run import PeerTiming, bench

__all__ = ["PEERS", "BenchmarkSubject", "Peer", "PeerTiming", "bench"]
