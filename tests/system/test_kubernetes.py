"""The files of deploy/kubernetes and deploy/systemd agree with the service, and their command line runs as they say.

`scripts/manifests` checks them against the schemas of Kubernetes, KEDA and KServe, and with checkov.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from upconv.cluster import ClusterShape
from upconv.cluster.serve_config import IMPORT_PATH, serve_config
from upconv.cluster.serving import NAME, VARIABLES
from upconv.service import Settings
from upconv.service.keys import new_key
from upconv.service.network.gate import OPERATION

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT = ROOT / "deploy" / "systemd" / "upconv.service"
FOLDERS = sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml"))
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the containers that run upconv, with the name of their file."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        document = read(path)
        spec = document.get("spec", {}) if isinstance(document, dict) else {}
        pod = spec.get("template", {}).get("spec", spec)
        yield from ((path.relative_to(KUBERNETES).as_posix(), each) for each in pod.get("containers", ()))


CONTAINERS = dict(containers())
BASE = CONTAINERS["base/deployment.yaml"]
POD = read(KUBERNETES / "base" / "deployment.yaml")["spec"]["template"]["spec"]


SECRETS = {"upconv-jobs": {"UPCONV_JOBS_STORE": "postgresql://upconv:password@10.0.0.10/upconv"}}
"""What the secrets hold that an overlay asks for."""


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", ())}


def in_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_each_folder_names_files_that_exist(folder: Path) -> None:
    stated = read(folder / "kustomization.yaml")
    named = [*stated["resources"], *(patch["path"] for patch in stated.get("patches", ()) if "path" in patch)]
    assert all((folder / name).exists() for name in named)
    here = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert here <= set(named), "a file that no one applies"


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_service_accepts_the_command_line_and_the_environment(name: str, tmp_path: Path) -> None:
    container, folder = CONTAINERS[name], tmp_path / "models"
    folder.mkdir()
    shutil.copy(ROOT / "models" / "artifacts" / "bicubic-x2.onnx", folder)
    words = [str(folder) if word == "/mnt/models" else word for word in container.get("args", ["serve"])]
    secrets = [source["secretRef"]["name"] for source in container.get("envFrom", ())]
    values = {
        **environment(container),
        **{k: v for name in secrets for k, v in SECRETS[name].items()},
        "UPCONV_MODELS": str(folder),
    }
    command = [sys.executable, "-m", "upconv", *words, "--print-config"]
    done = subprocess.run(command, env={**os.environ, **values}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    own = {variable: value for variable, value in environment(container).items() if variable.startswith("UPCONV_")}
    for variable, value in own.items():
        setting = config[variable.removeprefix("UPCONV_").lower()]
        assert str(setting).lower() == value


@pytest.mark.parametrize("name", [name for name in CONTAINERS if "ports" in CONTAINERS[name]])
def test_probes_ask_routes_on_ports_that_are_open(name: str) -> None:
    container = CONTAINERS[name]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    values = environment(container)
    assert set(ports.values()) == {int(value) for variable, value in values.items() if variable.endswith("PORT")}
    probes = [probe["httpGet"] for field, probe in container.items() if field.endswith("Probe")]
    assert len(probes) >= 2
    for probe in probes:
        assert probe["path"] in OPERATION
        assert ports.get(probe["port"], probe["port"]) in ports.values()


def test_services_policies_and_annotations_name_these_ports() -> None:
    ports = {port["name"]: port["containerPort"] for port in BASE["ports"]}
    assert [port["targetPort"] for port in read(KUBERNETES / "base" / "service.yaml")["spec"]["ports"]] == ["http"]
    policy = read(KUBERNETES / "base" / "network-policy.yaml")["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == set(ports)
    annotations = read(KUBERNETES / "base" / "deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert int(annotations["prometheus.io/port"]) == ports["admin"]


@pytest.mark.parametrize("name", [name for name in CONTAINERS if "resources" in CONTAINERS[name]])
def test_the_limits_hold_what_the_settings_allow(name: str) -> None:
    container = CONTAINERS[name]
    values, limits = environment(container), container["resources"]["limits"]
    assert container["resources"]["requests"]["memory"] == limits["memory"], (
        "a pod must not be killed for memory that it was promised"
    )
    assert 2 * int(values["UPCONV_MAX_MEMORY_BYTES"]) <= in_bytes(limits["memory"])


def test_volumes_hold_what_the_settings_allow() -> None:
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert {mount["name"] for mount in BASE["volumeMounts"]} == set(volumes)
    assert int(environment(BASE)["UPCONV_MAX_JOB_BYTES"]) < in_bytes(volumes["state"]["emptyDir"]["sizeLimit"])
    places = {mount["mountPath"] for mount in BASE["volumeMounts"]}
    image = dict(re.findall(r"(\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    for path in (image["UPCONV_JOBS_DIR"], image["XDG_CACHE_HOME"], environment(BASE)["UPCONV_API_KEYS_FILE"]):
        assert any(path.startswith(f"{place}/") for place in places)


def test_a_pod_may_drain_before_it_is_killed() -> None:
    pause_s = BASE["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause_s + int(environment(BASE)["UPCONV_DRAIN_S"]) + 1 < POD["terminationGracePeriodSeconds"]


def test_the_user_is_that_of_the_image() -> None:
    user = re.search(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    assert POD["securityContext"]["runAsUser"] == int(user[1])
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["enableServiceLinks"] is False, "UPCONV_PORT of a Service named upconv is no port"


def test_autoscalers_ask_for_a_metric_that_exists(service: Any) -> None:
    told = service.get("/metrics").text
    scaler = read(KUBERNETES / "base" / "horizontal-pod-autoscaler.yaml")["spec"]["metrics"][0]["pods"]["metric"]["name"]
    query = read(KUBERNETES / "overlays" / "keda" / "scaled-object.yaml")["spec"]["triggers"][0]["metadata"]["query"]
    assert f"# TYPE {scaler} gauge" in told
    assert scaler in query
    assert scaler in (ROOT / "docs" / "kubernetes.md").read_text()


def test_the_unit_of_systemd_starts_the_service_with_known_settings(tmp_path: Path) -> None:
    text = UNIT.read_text()
    values = dict(
        word.split("=", 1) for line in re.findall(r"^Environment=(.+)$", text, re.MULTILINE) for word in shlex.split(line)
    )
    known = {f"UPCONV_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in values if name.startswith("UPCONV_")} <= known
    command = re.search(r"^ExecStart=/opt/upconv/bin/(.+)$", text, re.MULTILINE)
    assert command is not None
    assert shlex.split(command[1]) == ["upconv", *BASE["args"]]
    assert 2 * int(values["UPCONV_MAX_MEMORY_BYTES"]) <= 4 * 2**30
    assert "MemoryMax=4G" in text
    stop_s = re.search(r"^TimeoutStopSec=(\d+)", text, re.MULTILINE)
    assert stop_s is not None
    assert int(stop_s[1]) > Settings.model_fields["drain_s"].default


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the volumes, which any user may reach."""
    for path in (tmp_path, *tmp_path.parents[: len(tmp_path.parts) - 2]):
        if path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | 0o055)
    for name in ("tmp", "state", "keys"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.slow  # all bundled models are opened
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None, reason="needs root, to become another user")
def test_the_command_line_of_the_pod_serves(folder: Path, encoded: Callable[..., bytes]) -> None:
    """As in the pod: its user, its environment, no capabilities, and a root that is read-only but for the volumes."""
    secret, key = new_key("picture")
    projected(folder / "keys", key.line())
    user = str(POD["securityContext"]["runAsUser"])
    for name in ("tmp", "state"):
        os.chown(folder / name, int(user), int(user))
    ports = {"UPCONV_PORT": free_port(), "UPCONV_ADMIN_PORT": free_port()}
    values = {
        **environment(BASE),
        **{name: str(port) for name, port in ports.items()},
        "UPCONV_HOST": "127.0.0.1",
        "UPCONV_API_KEYS_FILE": str(folder / "keys" / "keys"),
        "UPCONV_JOBS_DIR": str(folder / "state" / "jobs"),
        "XDG_CACHE_HOME": str(folder / "state" / "cache"),
        "TMPDIR": str(folder / "tmp"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    writable = " && ".join(f"mount --bind {folder / name} {folder / name}" for name in ("tmp", "state"))
    start = f'{reachable_python()} {writable} && mount --bind / / && cd / && mount -o remount,ro,bind / && exec "$@"'
    drop = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    command = ["unshare", "--mount", "sh", "-c", start, "sh", *drop, sys.executable, "-m", "upconv", *BASE["args"]]
    with subprocess.Popen(command, env=values, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/") as running:
        try:
            admin = f"http://127.0.0.1:{ports['UPCONV_ADMIN_PORT']}"
            wait_until_ready(running, f"{admin}{BASE['startupProbe']['httpGet']['path']}")
            status = Path(f"/proc/{running.pid}/status").read_text()
            assert re.search(rf"^Uid:\s+{user}\s+{user}", status, re.MULTILINE)
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
            assert httpx.get(f"{admin}{BASE['livenessProbe']['httpGet']['path']}").status_code == 200
            assert "upconv_predicted_wait_seconds 0" in httpx.get(f"{admin}/metrics").text
            service = f"http://127.0.0.1:{ports['UPCONV_PORT']}"
            picture = encoded("png", 90, 60)
            assert httpx.post(f"{service}/v1/upscale", content=picture).status_code == 401
            header = {"Authorization": f"Bearer {secret}"}
            assert httpx.post(f"{service}/v1/upscale", content=picture, headers=header, timeout=60).status_code == 200
            assert httpx.post(f"{service}/v1/jobs", content=picture, headers=header).status_code == 202
            projected(folder / "keys", new_key("picture")[1].line())  # the kubelet replaces the files of a changed Secret
            wait_for(lambda: httpx.post(f"{service}/v1/upscale", content=picture, headers=header).status_code == 401)
        finally:
            running.terminate()
            said, _ = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert '"level": "warning"' not in said, said


def reachable_python() -> str:
    """Return the commands that show Python to other users if it is installed in the home of root."""
    prefix = Path(sys.base_prefix)
    if Path("/root") not in prefix.parents:
        return ""
    return f"mount --bind {prefix} /mnt && mount -t tmpfs -o mode=755 none /root && mkdir -p {prefix} && mount --bind /mnt {prefix} && "


def projected(folder: Path, line: str) -> None:
    """Write the file `keys` as the kubelet does: a link to a link to a folder, which is replaced as a whole."""
    data = folder / f"..{time.monotonic_ns()}"
    data.mkdir()
    (data / "keys").write_text(f"{line}\n")
    (folder / "..new").symlink_to(data.name)
    (folder / "..new").replace(folder / "..data")
    if not (folder / "keys").is_symlink():
        (folder / "keys").symlink_to("..data/keys")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until_ready(running: subprocess.Popen[str], url: str) -> None:
    def ready() -> bool:
        assert running.poll() is None, running.stdout and running.stdout.read()
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(ready)


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


RAY = KUBERNETES / "overlays" / "ray"


def ray_groups(name: str, cluster: str) -> list[dict[str, Any]]:
    """Return the groups of pods of a resource of KubeRay, that of the head first."""
    spec = read(RAY / name)["spec"][cluster]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_ray_serves_the_settings_of_its_file() -> None:
    config = yaml.safe_load(read(RAY / "ray-service.yaml")["spec"]["serveConfigV2"])
    (application,) = config["applications"]
    assert (application["name"], application["import_path"]) == (NAME, IMPORT_PATH)
    settings, shape = Settings(**application["args"]["settings"]), ClusterShape(**application["args"]["shape"])
    shape.check(settings)
    models = ROOT / "models" / "artifacts"
    assert all((models / path.name).exists() for path in settings.models)
    assert config == serve_config(settings, shape, ("models",))


def test_the_pods_of_ray_have_the_environment_and_the_room_of_the_shape() -> None:
    config = yaml.safe_load(read(RAY / "ray-service.yaml")["spec"]["serveConfigV2"])
    args = config["applications"][0]["args"]
    settings, shape = Settings(**args["settings"]), ClusterShape(**args["shape"])
    head, workers = ray_groups("ray-service.yaml", "rayClusterConfig")
    for group in (head, workers):
        (container,) = group["template"]["spec"]["containers"]
        values = environment(container)
        assert values.items() >= VARIABLES.items()
        assert {"serve": config["http_options"]["port"]}.items() <= {
            port["name"]: port["containerPort"] for port in container["ports"]
        }.items()
        own = {name for name in values if name.startswith("UPCONV_")}
        assert own <= {f"UPCONV_{name.upper()}" for name in Settings.model_fields}
        assert int(values["UPCONV_MAX_WAITING_BYTES"]) == settings.max_waiting_bytes
        assert group["template"]["spec"]["terminationGracePeriodSeconds"] > settings.drain_s
    assert int(head["rayStartParams"]["num-cpus"]) == shape.ingress_replicas * shape.num_cpus
    places = workers["maxReplicas"] * int(workers["rayStartParams"]["num-cpus"])
    assert places >= shape.most_tile_replicas * len(settings.models) * shape.num_cpus


def test_the_job_of_a_folder_is_a_command_line(tmp_path: Path) -> None:
    spec = read(RAY / "ray-job.yaml")["spec"]
    words = shlex.split(spec["entrypoint"])
    places = {mount["mountPath"] for group in ray_groups("ray-job.yaml", "rayClusterSpec") for mount in mounts_of(group)}
    assert "/pictures" in places
    folder = tmp_path / "album"
    folder.mkdir()
    here = [word.replace("/pictures", str(tmp_path)) for word in words[1:] if word not in ("--on", "ray")]
    done = subprocess.run([sys.executable, "-m", "upconv", *here, "--json"], check=False, capture_output=True, text=True)
    assert "no picture" in done.stdout + done.stderr or done.returncode == 0
    assert (spec["suspend"], words[-4:-2]) == (True, ["--on", "ray"])


def mounts_of(group: Mapping[str, Any]) -> list[dict[str, str]]:
    return [mount for container in group["template"]["spec"]["containers"] for mount in container["volumeMounts"]]
