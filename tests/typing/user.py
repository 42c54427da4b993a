"""A program as a user of the installed package writes it; `tests/test_wheel.py` checks its types."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import upconv
from upconv import Upscaler, bundled
from upconv.export import Artifact, to_onnx
from upconv.models import CATALOGUE, CatalogueEntry
from upconv.runtime import Contract, UpconvError, open_model
from upconv.runtime.contract import Halo, NoHalo, Quality
from upconv.service.client import AsyncClient, Client, ServiceError, Upscaled

MODEL = bundled("upsample-s-x2")
assert_type(MODEL, Path)
assert_type(CATALOGUE["upsample-s-x2"], CatalogueEntry)


def enlarge(picture: Path) -> bytes:
    with Upscaler(MODEL) as upscaler:
        assert_type(upscaler.upscale(np.zeros((8, 8, 3), np.uint8), width=24), NDArray[np.uint8])
        return upscaler.upscale(picture.read_bytes(), scale=3)


async def enlarge_several(pictures: list[bytes]) -> list[bytes]:
    with Upscaler(MODEL) as upscaler:
        return await asyncio.gather(*(upscaler.upscale_async(picture) for picture in pictures))


def export(module: torch.nn.Module) -> Contract:
    artifact = upconv.to_onnx(module, torch.zeros(1, 3, 16, 16), out="x.onnx")
    assert_type(artifact, Artifact)
    assert_type(to_onnx(module), Artifact)
    return artifact.contract


def describe(path: Path) -> str:
    contract = open_model(path).contract
    assert_type(contract, Contract)
    assert_type(contract.evidence.quality, Quality | None)
    match contract.halo:
        case Halo() as halo:
            assert_type(halo.top, int)
        case NoHalo() as cause:
            assert_type(cause.reason, str)
        case _:
            pass
    return contract.name


def report(error: UpconvError) -> None:
    print(error)


def ask(url: str, picture: bytes) -> Upscaled | None:
    try:
        with Client(url) as client:
            return client.upscale(picture)
    except ServiceError as error:
        assert_type(error.status, int)
        report(error)
        return None


async def ask_later(url: str, picture: bytes) -> str:
    async with AsyncClient(url) as client:
        return (await client.submit(picture)).id
