"""Clients that take up connections: half-open ones, slow bodies and slow readers.

It runs in a process of its own, because the clients to be measured must not wait for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

BYTES_PER_S = 2048
"""The pace of slow bodies and slow readers, twice the lowest that the service allows."""

_ADDRESSES = 250
_TRICKLE_S = 5.0
_SMALL_BUFFER = 4096

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
    while not reader.at_eof():
        await asyncio.sleep(_TRICKLE_S)
        writer.write(b"a")
        await writer.drain()


async def _slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 10000000\r\n\r\n")
    while not reader.at_eof():
        await asyncio.sleep(1)
        writer.write(b"x" * BYTES_PER_S)
        await writer.drain()


def _slow_reader(path: str) -> Client:
    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while await reader.read(BYTES_PER_S):
            await asyncio.sleep(1)

    return read


async def _forever(port: int, client: Client, number: int, counts: dict[str, int]) -> None:
    """Be this client, and connect again whenever the service closes the connection."""
    source = f"127.0.{1 + number // _ADDRESSES % 200}.{1 + number % _ADDRESSES}"
    await asyncio.sleep(number % 1000 / 200)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=_SMALL_BUFFER)
            counts["connected"] += 1
            try:
                await client(reader, writer)
            finally:
                writer.close()
        except OSError:
            counts["errors"] += 1
        await asyncio.sleep(0.5)


async def _crowd(port: int, path: str, half_open: int, bodies: int, readers: int) -> None:
    clients = [_half_open] * half_open + [_slow_body] * bodies + [_slow_reader(path)] * readers
    counts = {"connected": 0, "errors": 0}
    tasks = [asyncio.create_task(_forever(port, client, number, counts)) for number, client in enumerate(clients)]
    while counts["connected"] < len(clients):
        await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(counts, flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_crowd(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])))
