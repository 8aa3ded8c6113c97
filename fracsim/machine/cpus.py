"""How many threads a job may use: the least of what the kernel, the container and the batch system
allow."""

import math
import os
from pathlib import Path

MOST_THREADS = 4096
"""More than any machine has; a larger request is taken for a mistake."""


def cgroup_quota() -> float | None:
    """CPUs of the cgroup's quota (version 2, then 1), or None where there is no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        return (
            quota_us / int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
            if quota_us > 0
            else None
        )
    except (OSError, ValueError):
        return None


def available_threads() -> tuple[int, str]:
    """(threads, why): the least of CPU affinity, cgroup quota and SLURM_CPUS_PER_TASK."""
    limits = {}
    if hasattr(os, "sched_getaffinity"):
        limits["CPU affinity"] = len(os.sched_getaffinity(0))
    else:
        limits["CPU count"] = os.cpu_count() or 1
    quota = cgroup_quota()
    if quota is not None:
        limits["cgroup quota"] = max(1, math.floor(quota))
    if os.environ.get("SLURM_CPUS_PER_TASK", "").isdigit():
        limits["SLURM_CPUS_PER_TASK"] = max(1, int(os.environ["SLURM_CPUS_PER_TASK"]))
    reason = min(limits, key=lambda name: limits[name])
    return limits[reason], reason
