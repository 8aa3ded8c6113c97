"""Timing side by side on a machine that others use, too."""

import time


def least_by_turns(works, turns):
    """Name -> least CPU seconds of a call, all taking turns."""
    seconds = dict.fromkeys(works, float("inf"))
    for _ in range(turns):
        for name, work in works.items():
            started = time.process_time()
            work()
            seconds[name] = min(seconds[name], time.process_time() - started)
    return seconds
