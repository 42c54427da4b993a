from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from upconv.cluster.cluster_shape import ClusterShape
from upconv.cluster.serve_config import as_yaml, serve_config
from upconv.service import Settings

FILE = """proxy_location: EveryNode
http_options:
  host: 0.0.0.0
  port: 8000
logging_config:
  log_level: WARNING
  enable_access_log: false
applications:
- name: upconv
  route_prefix: /
  import_path: upconv.cluster.application:application
  args:
    settings:
      models:
      - /models/a.onnx
      watch: true
      trusted_proxies:
      - 10.0.0.0/8
    shape:
      tile_replicas: 3
      num_gpus: 0.5
"""
SETTINGS = Settings(models=(Path("/models/a.onnx"),), watch=True, trusted_proxies="10.0.0.0/8", api_keys="ann:secret-of-ann")
GIVEN = ("models", "watch", "trusted_proxies")


@pytest.mark.skipif(find_spec("yaml") is None, reason="PyYAML is not installed; the extra ray brings it")
def test_the_file_holds_what_was_given_and_no_key() -> None:
    assert as_yaml(serve_config(SETTINGS, ClusterShape(tile_replicas=3, num_gpus=0.5), GIVEN)) == FILE


def test_the_address_is_that_of_the_proxies() -> None:
    settings = Settings(models=(Path("a.onnx"),), host="127.0.0.1", port=9)
    document = serve_config(settings, ClusterShape(), ("models", "host", "port"))
    assert document["http_options"] == {"host": "127.0.0.1", "port": 9}
    assert document["applications"][0]["args"] == {"settings": {"models": ["a.onnx"]}}


@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")  # Ray's own
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed; scripts/ray_tests installs it")
def test_ray_accepts_the_file() -> None:
    from ray.serve.schema import ServeDeploySchema

    (application,) = ServeDeploySchema.model_validate(import_module("yaml").safe_load(FILE)).applications
    args = application.args
    assert isinstance(args, dict)
    assert Settings(**args["settings"]).models == (Path("/models/a.onnx"),)
    assert Settings(**args["settings"]).trusted_proxies == ("10.0.0.0/8",)
    assert ClusterShape(**args["shape"]).tile_replicas == 3
