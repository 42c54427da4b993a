from __future__ import annotations

import math

from upconv.service.metrics import Metrics


def lines(metrics: Metrics, prefix: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(prefix)]


def test_a_gauge_is_read_when_the_metrics_are() -> None:
    metrics, values = Metrics(), [1, 2, 3]
    metrics.show("upconv_test", "A gauge", lambda: values.pop())
    assert lines(metrics, "upconv_test") == ["upconv_test 3.0"]
    assert lines(metrics, "upconv_test") == ["upconv_test 2.0"]
    assert "# HELP upconv_test A gauge" in metrics.text().decode()


def test_only_the_loaded_models_are_shown() -> None:
    metrics = Metrics()
    metrics.loaded([("a", "1", "1", "cpu"), ("b", "1", "2", "cpu")])
    metrics.loaded([("b", "7", "3", "cuda")])
    assert lines(metrics, "upconv_model_info") == ['upconv_model_info{model="b",provider="cuda",sha256="3",version="7"} 1.0']


def test_a_proof_that_cannot_be_measured_is_beyond_every_limit() -> None:
    metrics = Metrics()
    metrics.loaded([], {("a", "1", "cuda"): 0.25})
    metrics.loaded([], {("b", "1", "cuda"): math.inf})
    assert lines(metrics, "upconv_model_proof_ratio") == [
        'upconv_model_proof_ratio{model="b",provider="cuda",version="1"} +Inf'
    ]


def test_unknown_methods_count_as_one() -> None:
    metrics = Metrics()
    for method in ("GET", "BREW", "STEEP"):
        metrics.answered("/healthz", method, 200, "", 0.1)
    assert lines(metrics, "upconv_requests_total") == [
        'upconv_requests_total{method="GET",route="/healthz",status="200"} 1.0',
        'upconv_requests_total{method="other",route="/healthz",status="200"} 2.0',
    ]


def test_outcomes_of_deliveries_are_shown_from_0_on() -> None:
    metrics = Metrics()
    metrics.told("given-up")
    metrics.sent("delivered")
    for name, counts in {"webhooks": (0.0, 0.0, 1.0), "uploads": (1.0, 0.0, 0.0)}.items():
        expected = zip(("delivered", "failed", "given-up"), counts, strict=True)
        assert lines(metrics, f"upconv_{name}_total") == [
            f'upconv_{name}_total{{outcome="{outcome}"}} {count}' for outcome, count in expected
        ]


def test_reloads_and_wrong_keys_are_counted() -> None:
    metrics = Metrics()
    metrics.reloaded(refused=True)
    metrics.reloaded(refused=False)
    metrics.wrong_key()
    assert lines(metrics, "upconv_reloads_total") == [
        'upconv_reloads_total{result="refused"} 1.0',
        'upconv_reloads_total{result="loaded"} 1.0',
    ]
    assert lines(metrics, "upconv_wrong_keys_total") == ["upconv_wrong_keys_total 1.0"]
