from __future__ import annotations

from upconv.service.inference_protocol.statistics import Statistics


def test_an_unknown_model_has_counts_of_zero() -> None:
    counts = Statistics().of("a")
    assert (counts["name"], counts["version"], counts["inference_count"], counts["execution_count"]) == ("a", "1", 0, 0)
    assert {entry["count"] for entry in counts["inference_stats"].values()} == {0}


def test_inferences_and_their_stages_are_added_up() -> None:
    statistics = Statistics()
    statistics.succeeded("a", 3, {"queue": 0.5, "infer": 0.25})
    statistics.succeeded("a", 1, {"infer": 0.25})
    counts = statistics.of("a")
    assert (counts["inference_count"], counts["execution_count"]) == (4, 2)
    assert counts["inference_stats"]["success"] == {"count": 2, "ns": 1_000_000_000}
    assert counts["inference_stats"]["queue"] == {"count": 2, "ns": 500_000_000}
    assert counts["inference_stats"]["compute_infer"] == {"count": 2, "ns": 500_000_000}
    assert counts["last_inference"] > 0
    assert statistics.of("b")["execution_count"] == 0


def test_a_failure_counts_apart_and_no_duration_is_negative() -> None:
    statistics = Statistics()
    statistics.failed("a", -1.0)
    stats = statistics.of("a")["inference_stats"]
    assert stats["fail"] == {"count": 1, "ns": 0}
    assert stats["success"]["count"] == 0
