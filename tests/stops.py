"""Sweeps that are stopped anywhere, for the tests of going on."""

import signal

from small_experiments import small

from fracsim.experiments import Experiment


def varied(weights="none", **fixed) -> Experiment:
    """Optimisers, data modes and a schedule together; a stop can fall between two records."""
    crossed = {"optimizer": ("sgd", "momentum", "adam"), "data": ("dataset", "stream")}
    return small(weights, crossed, **{"steps": 60, "record_every": 12, "schedule": "cosine", **fixed})


class StopAt:
    """A progress callback that sends this process a signal once a share of the work is done."""

    def __init__(self, share: float, number: signal.Signals = signal.SIGTERM) -> None:
        self.share, self.number, self.sent = share, number, False

    def __call__(self, progress) -> None:
        if progress.share >= self.share and not self.sent:
            self.sent = True
            signal.raise_signal(self.number)
