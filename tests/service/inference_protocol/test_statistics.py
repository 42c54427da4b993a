from __future__ import annotations

from upconv.service.inference_protocol.statistics import Statistics


def test_stages_and_failures_are_counted_per_model() -> None:
    statistics = Statistics()
    statistics.succeeded("a", "1", 3, {"queue": 0.5, "infer": 1.0})
    statistics.failed("a", "1", 0.25)
    counts = statistics.of("a", "1")
    assert (counts["inference_count"], counts["execution_count"]) == (3, 1)
    assert counts["inference_stats"]["success"] == {"count": 1, "ns": 1_500_000_000}
    assert counts["inference_stats"]["compute_infer"] == {"count": 1, "ns": 1_000_000_000}
    assert counts["inference_stats"]["compute_output"] == {"count": 1, "ns": 0}
    assert counts["inference_stats"]["fail"] == {"count": 1, "ns": 250_000_000}


def test_a_model_without_requests_has_zeros() -> None:
    assert Statistics().of("b", "1")["last_inference"] == 0
