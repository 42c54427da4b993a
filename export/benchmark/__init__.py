"""How fast a decoder is here, beside its peers."""

from upconv.export.benchmark.peers import PEERS, Peer, BenchmarkSubject
from upconv.export.benchmark.run import PeerTiming, bench

__all__ = ["PEERS", "Peer", "PeerTiming", "BenchmarkSubject", "bench"]
