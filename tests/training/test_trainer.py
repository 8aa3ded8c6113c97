"""What the trainer measures of itself."""

from fracsim.kernels.cpu import CpuBackend
from fracsim.training import trainer
from fracsim.training.points import make_data
from fracsim.training.run import Run

RUN = Run(
    network_depth=1, width=4, steps=6, record_every=3, train_points=8, test_points=8, batch_size=4
)


class Clocked(CpuBackend):
    """A backend whose first call takes 100 seconds of a clock of its own, every later one 1."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.calls = 0.0, 0

    def train(self, *arguments) -> None:
        super().train(*arguments)
        self.now += 1.0 if self.calls else 100.0
        self.calls += 1


def test_compilation_is_not_counted(monkeypatch):
    backend = Clocked()
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: backend.now)
    group = trainer.Trainer([RUN], backend, make_data(RUN, backend))
    assert (group.step, group.seconds, group.save()[0].wall_time) == (0, 0.0, 0.0)
    group.advance(3)
    group.advance(6)
    saved = group.save()[0]
    assert (group.seconds, saved.seconds, saved.wall_time) == (2.0, 2.0, 2.0)
