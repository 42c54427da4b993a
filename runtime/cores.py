"""The processor: its name, and the number of cores that this process may use."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""The folder in which Linux states the limits of a container."""

CPUINFO = Path("/proc/cpuinfo")
"""The file in which Linux describes the processors."""

VECTORS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Linux's names of the vector instructions that the runtimes choose their kernels by."""


def available_cores(cgroup: Path = CGROUP) -> int:
    """Return the number of cores that affinity and the container's quota allow, rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, -int(-quota // 1)))


def processor() -> str:
    """Return the processor's name as the system reports it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instruction_sets() -> tuple[str, ...]:
    """Return the vector instructions that decide which precision is fast. Virtual machines often hide the model's name."""
    flags = _cpuinfo("flags").split()
    return tuple(name for name in VECTORS if name in flags)


def int8_saturates() -> bool:
    """Return whether the processor adds pairs of int8 products in 16 bits, which overflow: an x86 one without VNNI."""
    names = instruction_sets()
    return "avx2" in names and not any("vnni" in name for name in names)


def _cpuinfo(key: str) -> str:
    """Return the first value of a key in Linux's description of the processors; empty if there is none."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def _quota(cgroup: Path) -> float | None:
    """Return the cores that the container may use on average, by cgroup v2 or v1; `None` if there is no limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        quota, period = _read(cgroup / "cpu/cpu.cfs_quota_us"), _read(cgroup / "cpu/cpu.cfs_period_us")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
