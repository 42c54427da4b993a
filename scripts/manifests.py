"""Render deploy/kubernetes and check each resource against its schema. `scripts/manifests` installs what this needs and runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KUBERNETES = Path(__file__).parents[1] / "deploy" / "kubernetes"
UNIT = Path(__file__).parents[1] / "deploy" / "systemd" / "upconv.service"
DIGEST = {
    "checkov.io/skip1": "CKV_K8S_43=The image is built and pushed by the operator, who pins its digest with kustomize edit set image."
}
RAY: dict[str, Any] = {
    "text": str,
    "number": int,
    "truth": bool,
    "texts": dict,
    "RayService": {"serveConfigV2": "text", "rayClusterConfig": "cluster"},
    "RayJob": {
        "entrypoint": "text",
        "suspend": "truth",
        "shutdownAfterJobFinishes": "truth",
        "ttlSecondsAfterFinished": "number",
        "submissionMode": "text",
        "backoffLimit": "number",
        "activeDeadlineSeconds": "number",
        "rayClusterSpec": "cluster",
    },
    "cluster": {
        "rayVersion": "text",
        "enableInTreeAutoscaling": "truth",
        "headGroupSpec!": "head",
        "workerGroupSpecs": "list of workers",
    },
    "head": {"rayStartParams!": "texts", "template!": "pod"},
    "workers": {
        "groupName!": "text",
        "replicas": "number",
        "minReplicas!": "number",
        "maxReplicas!": "number",
        "rayStartParams!": "texts",
        "template!": "pod",
    },
}
"""The fields of KubeRay 1.4 that are used here, with `!` if they are required. No package holds its schemas."""
KSERVE = {"ServingRuntime": "V1alpha1ServingRuntime", "InferenceService": "V1beta1InferenceService"}


def overlays() -> list[Path]:
    """Return the folders that an operator applies."""
    return [KUBERNETES / "base", *sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))]


def render(folder: Path, output: Path) -> Path:
    """Write the resources of a folder into one file."""
    rendered = output / f"{folder.name}.yaml"
    command = [str(Path(sys.executable).parent / "kubectl"), "kustomize", str(folder)]
    rendered.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return rendered


def problems(resource: Mapping[str, Any]) -> Iterator[str]:
    """Return what the schema of a resource forbids."""
    group, kind = resource["apiVersion"].partition("/")[0], resource["kind"]
    if group == "keda.sh":
        yield from keda_problems(resource)
    elif group == "ray.io":
        yield from ray_problems(resource["spec"], resource["kind"], resource["kind"])
    elif group == "serving.kserve.io":
        yield from kserve_problems(resource, KSERVE[kind], kind)
    else:
        yield from kubernetes_problems(resource)


def kubernetes_problems(resource: Mapping[str, Any]) -> Iterator[str]:
    """Return what the schema of a resource of Kubernetes forbids."""
    validate = import_module("kubernetes_validate")
    try:
        validate.validate(resource, validate.latest_version(), strict=True)
    except Exception as error:  # ValidationError, or an unknown kind
        yield str(error).splitlines()[0]


def ray_problems(value: Any, kind: str, place: str) -> Iterator[str]:
    """Return the fields of a part of a resource of KubeRay that are unknown, missing or of another type."""
    described = RAY.get(kind)
    if kind == "pod":
        yield from (f"{place}: {problem}" for problem in kubernetes_problems(pod_of(value, place)))
    elif kind.startswith("list of "):
        for number, part in enumerate(value if isinstance(value, list) else [None]):
            yield from ray_problems(part, kind.removeprefix("list of "), f"{place}[{number}]")
    elif isinstance(described, type):
        values = value.values() if described is dict and isinstance(value, dict) else ()
        if type(value) is not described or not all(isinstance(each, str) for each in values):
            yield f"{place} is {value!r}; expected {kind}"
    elif not isinstance(value, Mapping):
        yield f"{place} is {value!r}; expected fields"
    else:
        assert described is not None, kind
        yield from (f"{place} has no field {name}" for name in value if name not in described and f"{name}!" not in described)
        yield from (f"{place} lacks {name[:-1]}" for name in described if name.endswith("!") and name[:-1] not in value)
        for name, part in value.items():
            if inner := described.get(name) or described.get(f"{name}!"):
                yield from ray_problems(part, inner, f"{place}.{name}")


def pod_of(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the pod of a template."""
    metadata = {"name": re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-"), **template.get("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec", {})}


def ray_pods(resource: Mapping[str, Any], namespace: str = "upconv") -> Iterator[dict[str, Any]]:
    """Return the pods of a resource of KubeRay, which checkov does not know."""
    spec = resource["spec"]
    cluster = spec.get("rayClusterConfig") or spec.get("rayClusterSpec") or {}
    for group in (cluster["headGroupSpec"], *cluster.get("workerGroupSpecs", ())):
        pod = pod_of(group["template"], f"{resource['metadata']['name']}-{group.get('groupName', 'head')}")
        yield pod | {"metadata": pod["metadata"] | {"namespace": namespace, "annotations": DIGEST}}


def keda_problems(resource: Mapping[str, Any]) -> Iterator[str]:
    """Return the fields of a resource of KEDA that it does not know, or that have another type."""
    model = getattr(import_module("cloudcoil.models.keda.v1alpha1"), resource["kind"])
    try:
        known = model.model_validate(resource).model_dump(by_alias=True, exclude_unset=True, mode="json")
    except ValueError as error:
        yield str(error)
        return
    yield from unknown(resource, known, resource["kind"])


def unknown(given: Any, known: Any, place: str) -> Iterator[str]:
    """Return the fields that a model has dropped."""
    if isinstance(given, Mapping):
        for name, value in given.items():
            if name not in known:
                yield f"{place} has no field {name}"
            else:
                yield from unknown(value, known[name], f"{place}.{name}")
    elif isinstance(given, list):
        for value, kept in zip(given, known, strict=True):
            yield from unknown(value, kept, place)


def kserve_problems(value: Any, kind: str, place: str) -> Iterator[str]:
    """Return the fields of a resource of KServe that its SDK does not know, or that have another type."""
    if several := re.fullmatch(r"list\[(.+)\]", kind):
        for part in value if isinstance(value, list) else [None]:
            yield from kserve_problems(part, several[1], place)
    elif described := _described(kind):
        names = {name: attribute for attribute, name in described.attribute_map.items()}
        for name, part in value.items() if isinstance(value, Mapping) else [("", None)]:
            if name not in names:
                yield f"{place} has no field {name}"
            else:
                yield from kserve_problems(part, described.openapi_types[names[name]], f"{place}.{name}")
    else:
        expected = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}.get(kind)
        if expected and not isinstance(value, expected):
            yield f"{place} is {value!r}; expected {kind}"


def _described(kind: str) -> Any:
    """Return the class that describes a resource or a part of one, or `None`."""
    if "kserve" not in sys.modules:  # the package itself imports its server
        package = types.ModuleType("kserve")
        spec = find_spec("kserve")
        package.__path__ = list(spec.submodule_search_locations or ()) if spec else []
        sys.modules["kserve"] = package
    own = re.sub(r"^K8sIoApi(Core|AppsV1)V?1?", "V1", kind)
    places = (import_module("kserve.models"), import_module("kubernetes.client"))
    return next((getattr(place, name) for name in (kind, own) for place in places if hasattr(place, name)), None)


def check_unit() -> list[str]:
    """Return what systemd says against the unit, apart from the path of a program that is not installed here."""
    if shutil.which("systemd-analyze") is None:
        return []
    done = subprocess.run(["systemd-analyze", "verify", UNIT], check=False, capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if "/opt/upconv/bin/upconv is not executable" not in line]


def main(output: Path) -> None:
    """Check everything; exit with 1 if something is wrong."""
    yaml = import_module("yaml")
    output.mkdir(parents=True, exist_ok=True)
    found = check_unit()
    for folder in overlays():
        resources = list(yaml.safe_load_all(render(folder, output).read_text()))
        for resource in resources:
            found += [f"{folder.name}: {resource['kind']}: {problem}" for problem in problems(resource)]
        if pods := [pod for each in resources if each["apiVersion"].startswith("ray.io/") for pod in ray_pods(each)]:
            (output / f"{folder.name}-pods.yaml").write_text(yaml.safe_dump_all(pods))
        print(f"{folder.name}: {len(resources)} resources")
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
