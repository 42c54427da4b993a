from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from upconv.service import Settings
from upconv.service.settings import unknown_variables


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCONV_MODELS", "a.onnx:b/c.onnx")
    monkeypatch.setenv("UPCONV_PORT", "0")
    monkeypatch.setenv("UPCONV_MAX_BYTES", "1000")
    settings = Settings()
    assert (settings.models, settings.port, settings.max_bytes) == ((Path("a.onnx"), Path("b/c.onnx")), 0, 1000)


@pytest.mark.parametrize(
    "values",
    [
        {"models": ()},
        {"web_runtime": "runtime", "model_files": False},
        {"port": 65536},
        {"port": -1},
        {"workers": 0},
        {"tile_px": 1},
        {"max_bytes": 0},
        {"max_bytes": 2, "max_waiting_bytes": 1},
        {"max_pixels": 0},
        {"max_waiting": 0},
        {"drain_s": -1},
        {"tls_key": Path("key.pem")},
        {"root_path": "upscaler"},
        {"fetch_hosts": ("a.example",)},
        {"fetch_hosts": ("a.example",), "url_key": "00"},
        {"fetch_hosts": ("a.example",), "url_key": "00", "url_salt": "0"},
        {"fetch_hosts": ("a.example",), "url_key": "", "url_salt": "00"},
        {"url_key": "00", "url_salt": "00"},
        {"trusted_proxies": ("10.0.0.0/33",)},
        {"trusted_proxies": ("proxy.example.org",)},
        {"provider": "tpu"},
        {"jobs_store": "postgresql://host/jobs"},
        {"jobs_spool": "s3://bucket"},
        {"unknown": 1},
    ],
)
def test_bounds(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**{"models": (Path("a.onnx"),), **values})


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings(models=(Path("a.onnx"),)).port = 1  # type: ignore[misc]


DEFAULTS = {
    "watch_interval_s": 1.0,
    "host": "127.0.0.1",
    "port": 8000,
    "max_bytes": 32 * 2**20,
    "max_json_bytes": 8 * 2**20,
    "max_pixels": 25_000_000,
    "max_output_pixels": 100_000_000,
    "max_in_work": 4,
    "max_memory_bytes": 4 * 2**30,
    "max_waiting": 32,
    "max_waiting_bytes": 256 * 2**20,
    "max_wait_s": 10.0,
    "deadline_s": 120.0,
    "body_timeout_s": 120.0,
    "stall_s": 20.0,
    "max_connections": None,
    "max_connections_per_client": 256,
    "admin_port": None,
    "uds": None,
    "tls_cert": None,
    "tls_key": None,
    "root_path": "",
    "trusted_proxies": (),
    "drain_s": 20,
    "job_workers": 1,
    "job_claim_s": 30.0,
    "job_ttl_s": 86_400.0,
    "max_jobs": 1000,
    "max_job_bytes": 8 * 2**30,
    "cache_dir": None,
    "cache_bytes": 2**30,
    "rate_per_s": None,
    "rate_burst": 20,
    "cors_origins": (),
    "workers": None,
    "tile_px": None,
    "watch": False,
    "tracing": False,
    "provider": "cpu",
    "log_level": "info",
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_defaults_that_help_shows(name: str) -> None:
    assert getattr(Settings(models=(Path("a.onnx"),)), name) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("watch_interval_s", (1e-9,), (0, -1)),
        ("port", (0, 65535), (-1, 65536)),
        ("workers", (1, 256), (0, 257)),
        ("tile_px", (16, 4096), (15, 4097)),
        ("max_bytes", (1, 2**28), (0, 2**28 + 1)),  # the bodies that wait must hold one
        ("max_waiting_bytes", (2**25,), (2**25 - 1,)),
        ("max_json_bytes", (1,), (0,)),
        ("max_pixels", (1,), (0,)),
        ("max_output_pixels", (1,), (0,)),
        ("max_in_work", (1, 256), (0, 257)),
        ("max_memory_bytes", (2**20,), (2**20 - 1,)),
        ("max_waiting", (1,), (0,)),
        ("max_wait_s", (1e-9,), (0,)),
        ("deadline_s", (1e-9,), (0,)),
        ("body_timeout_s", (1e-9,), (0,)),
        ("stall_s", (1e-9,), (0,)),
        ("max_connections", (16,), (15,)),
        ("max_connections_per_client", (1,), (0,)),
        ("admin_port", (0, 65535), (-1, 65536)),
        ("drain_s", (0,), (-1,)),
        ("job_workers", (1, 64), (0, 65)),
        ("job_claim_s", (1, 3600), (0.9, 3601)),
        ("job_ttl_s", (1e-9,), (0,)),
        ("max_jobs", (1,), (0,)),
        ("max_job_bytes", (1,), (0,)),
        ("cache_bytes", (1,), (0,)),
        ("rate_per_s", (1e-9,), (0,)),
        ("rate_burst", (1,), (0,)),
    ],
)
def test_a_setting_is_allowed_up_to_its_bounds(name: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    given: dict[str, Any] = {"models": (Path("a.onnx"),)}
    for value in allowed:
        assert getattr(Settings(**given | {name: value}), name) == value
    for value in refused:
        with pytest.raises(ValidationError):
            Settings(**given | {name: value})


def test_proxies_and_root_path() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPCONV_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32,192.0.2.1,unix")
        patch.setenv("UPCONV_ROOT_PATH", "/upscaler/")
        settings = Settings(models=(Path("a.onnx"),))
    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "unix")
    assert settings.root_path == "/upscaler"
    assert Settings(models=(Path("a.onnx"),), root_path="/").root_path == ""


def test_a_variable_that_is_no_setting_is_found_with_the_nearest_one() -> None:
    given = ["PATH", "UPCONV_PORT", "upconv_host", "UPCONV_PROT", "UPCONV_API_KEY", "UPCONV_XYZZY"]
    assert unknown_variables(given) == {"UPCONV_API_KEY": "UPCONV_API_KEYS", "UPCONV_PROT": "UPCONV_PORT", "UPCONV_XYZZY": ""}
