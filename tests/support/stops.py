"""Sweeps that are stopped anywhere, for the tests of going on."""

import signal
from collections.abc import Callable

from small_experiments import small

from fracsim.experiments.experiment import Experiment


def varied(weights="none", **fixed) -> Experiment:
    """Optimisers, data modes and a schedule together; a stop can fall between two records."""
    crossed = {"optimizer": ("sgd", "momentum", "adam"), "data": ("dataset", "stream")}
    return small(
        weights, crossed, **{"steps": 60, "record_every": 12, "schedule": "cosine", **fixed}
    )


class Once:
    """A progress callback that does something once a share of the work is done."""

    def __init__(self, share: float, act: Callable[[], object]) -> None:
        self.share, self.act, self.done = share, act, False

    def __call__(self, progress) -> None:
        if progress.share >= self.share and not self.done:
            self.done = True
            self.act()


class StopAt(Once):
    """A progress callback that sends this process a signal once a share of the work is done."""

    def __init__(self, share: float, number: signal.Signals = signal.SIGTERM) -> None:
        super().__init__(share, lambda: signal.raise_signal(number))
