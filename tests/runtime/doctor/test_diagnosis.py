from __future__ import annotations

import pytest

from upconv.runtime.doctor import Check, Diagnosis, diagnose
from upconv.runtime.doctor import diagnosis as module


def test_this_installation_is_healthy() -> None:
    found = diagnose()
    assert found.healthy
    assert found.origin.startswith("checkout ")
    report = found.as_dict()
    assert (report["healthy"], len(report["checks"])) == (True, len(found.checks))
    assert set(report["checks"][0]) == {"topic", "name", "state", "found", "advice", "required"}


@pytest.mark.parametrize(("required", "healthy"), [(True, False), (False, True)])
def test_what_is_missing_matters_only_if_it_is_required(required: bool, healthy: bool) -> None:
    checks = (Check("required", "a", "missing", "not installed", required=required),)
    assert Diagnosis("1", "index", checks).healthy is healthy


@pytest.mark.parametrize(
    ("origin", "said"), [(None, "index"), ("git+https://example.org/u.git", "git+https://example.org/u.git")]
)
def test_where_it_comes_from(origin: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "origin", lambda: origin)
    assert diagnose().origin == said
