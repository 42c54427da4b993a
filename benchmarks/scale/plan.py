"""Arithmetic from measured constants to fleets of 10, 100 and 1,000 replicas of one core each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

REPLICAS = (10, 100, 1000)
S3_REQUESTS_PER_S = 3500
"""Writes that S3 takes in a second under one prefix, as its documentation promises; it splits prefixes under load."""
LINK_BYTES_PER_S = 10e9 / 8
"""The network card of one load balancer or one front machine: 10 Gbit/s."""


@dataclass(frozen=True)
class Prices:
    """Prices in one currency."""

    cpu_hour: float
    """A core for an hour."""
    gpu_hour: float
    """A card for an hour."""


def plan(found: dict[str, Any], pictures: float, prices: Prices, gpu_per_core: float | None) -> None:
    """Print what fleets do, ask of shared parts and cost, as Markdown."""
    if "processes" not in found:
        raise SystemExit("measure the part processes first: python -m benchmarks.scale measure --parts processes")
    one = found["processes"]
    per_s, moved = one["per_s"]["1"], one["body_bytes"] + one["answer_bytes"]
    print(
        f"A replica has one core and makes {per_s:.2f} pictures a second ({one['side']}x{one['side']} JPEG, {one['model']}).\n"
    )
    header = ["replicas", "pictures/s", f"days for {pictures:.0e} pictures", "front network, Gbit/s"]
    job = found.get("jobs", {}).get("postgres and s3")
    header += ["database, cores", "S3 requests/s"] if job else []
    print("| " + " | ".join(header) + " |\n|" + " ---: |" * len(header))
    for count in REPLICAS:
        rate = count * per_s
        row = [f"{count:,}", f"{rate:,.0f}", f"{pictures / rate / 86400:,.1f}", f"{8 * rate * moved / 1e9:.2f}"]
        row += [f"{rate * job['postgres_cpu_ms'] / 1000:.2f}", f"{rate * job['s3_requests']:,.0f}"] if job else []
        print("| " + " | ".join(row) + " |")
    print("\nReplicas at which each shared part is full:\n")
    print(f"- a front network of 10 Gbit/s: {LINK_BYTES_PER_S / moved / per_s:,.0f}")
    if job:
        print(f"- one core of the database, if each picture is a job: {1000 / job['postgres_cpu_ms'] / per_s:,.0f}")
        print(
            f"- one prefix of S3 ({S3_REQUESTS_PER_S:,} requests a second): {S3_REQUESTS_PER_S / job['s3_requests'] / per_s:,.0f}"
        )
    if "tiles" in found:
        _tiles(found["tiles"])
    cores_s = one["cpu_s"]["1"] * 1e6
    print(
        f"\nA million pictures take {cores_s / 3600:,.0f} core hours: {cores_s / 3600 * prices.cpu_hour:,.2f} at {prices.cpu_hour} an hour."
    )
    ratio = prices.gpu_hour / prices.cpu_hour
    print(f"A card at {prices.gpu_hour} an hour is cheaper if it makes more than {ratio:.0f} times the pictures of a core.")
    if gpu_per_core is not None:
        print(f"With {gpu_per_core:g} times: {cores_s / 3600 / gpu_per_core * prices.gpu_hour:,.2f} for a million pictures.")


def _tiles(tiles: dict[str, Any]) -> None:
    for wire, client in tiles["client_cpu_ms"].items():
        busy = tiles["here_ms"] + tiles["endpoint_added_cpu_ms"][wire]
        print(
            f"- a core that sends tiles to endpoints as {wire}, without decoding and encoding: {busy / client:,.0f} cores of endpoints"
        )
