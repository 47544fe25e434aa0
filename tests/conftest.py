"""Fixtures and the rule that asked-for material must really be used.

`shared` tests need FIDGET_SHARED, `weights` tests the BlazePose weights. With FIDGET_REQUIRE naming a
marker (comma-separated), a session in which a test of that marker was skipped, or none ran, fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_BLAZEPOSE = ("pose_detection", "pose_landmark_full")


def _shared() -> Path | None:
    named = os.environ.get("FIDGET_SHARED")
    return Path(named).resolve() if named and Path(named).is_dir() else None


def _weights_present() -> bool:
    from weights.fetch import is_present

    return all(is_present(name) for name in _BLAZEPOSE)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    shared = _shared()
    if shared is None:
        pytest.skip("FIDGET_SHARED names no directory")
    return shared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = {}
    if _shared() is None:
        reasons["shared"] = "FIDGET_SHARED names no directory"
    if any(item.get_closest_marker("weights") for item in items) and not _weights_present():
        reasons["weights"] = "BlazePose weights are absent: fidget weights fetch blazepose"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


_passed: dict[str, int] = {}
_skipped: dict[str, int] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for marker in ("shared", "weights"):
        if marker in report.keywords:
            if report.skipped:
                _skipped[marker] = _skipped.get(marker, 0) + 1
            elif report.when == "call" and report.passed:
                _passed[marker] = _passed.get(marker, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):  # an xdist worker: only the controller judges
        return
    for marker in filter(None, os.environ.get("FIDGET_REQUIRE", "").split(",")):
        if _skipped.get(marker) or not _passed.get(marker):
            print(
                f"\nFIDGET_REQUIRE={marker}: expected every test marked {marker} to run, "
                f"got {_passed.get(marker, 0)} passed and {_skipped.get(marker, 0)} skipped"
            )
            session.exitstatus = 1
