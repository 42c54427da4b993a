"""How fast a decoder is here, beside its peers."""

from upconv.export.benchmark.peers import PEERS, Peer, Subject
from upconv.export.benchmark.run import Row, bench

__all__ = ["PEERS", "Peer", "Row", "Subject", "bench"]
