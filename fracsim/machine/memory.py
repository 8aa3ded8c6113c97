"""How much memory this process may still take: the least of the system's and its cgroup's."""

from pathlib import Path

from fracsim.errors import RunError
from fracsim.text import size

_SMALL = 1e8
"""Bytes that are not worth a look at how much is free."""


def check_fits(needed: float, what: str) -> None:
    """Raise RunError, which begins with ``what``, where so many bytes are not free. (The system may
    grant them all the same, and kill the process when they are used.)"""
    if needed <= _SMALL:
        return
    free = free_memory()
    if free is not None and needed > free:
        raise RunError(f"{what} {size(needed)} of memory are needed and {size(free)} are free")


def free_memory() -> float | None:
    """Bytes this process may still take, the least of the system's and its cgroup's; None where
    that is not known."""
    found = []
    lines = _read_text("/proc/meminfo").splitlines()
    found += [1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        limit, usage = _read_text(most).strip(), _read_text(used).strip()
        if (
            limit.isdigit() and usage.isdigit()
        ):  # "max" is no limit; page cache counts as used but can be given back
            found.append(
                max(
                    0.0,
                    float(limit) - float(usage) + _page_cache(Path(most).with_name("memory.stat")),
                )
            )
    return min(found) if found else None


def _page_cache(stat: Path) -> float:
    fields = dict(
        line.split()[:2] for line in _read_text(str(stat)).splitlines() if len(line.split()) >= 2
    )
    return float(fields.get("inactive_file", 0)) + float(fields.get("active_file", 0))


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
