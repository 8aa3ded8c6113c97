"""Runs with given accuracies, without a file: for tests of what tables and figures choose."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fracsim.data.reader import Trajectory
from fracsim.products.entries import entries_of
from fracsim.products.runs import Runs

Values = Sequence[float | None]


def made_up_trajectory(
    variables: dict[str, Any], steps: Sequence[int] | None = None, path: str = "made-up.h5", **runs
) -> Trajectory:
    """A file of R runs: variables (R, S, …), a run's records end before its first row of NaN."""
    arrays = {name: np.asarray(values, float) for name, values in variables.items()}
    first = next(iter(arrays.values()))
    done = np.isfinite(first.reshape(*first.shape[:2], -1)).any(axis=2).sum(axis=1)
    count, records = first.shape[:2]
    return Trajectory(
        path=path,
        attributes={},
        experiment={},
        status="complete",
        numbers=np.arange(count),
        runs={key: np.array(values) for key, values in runs.items()},
        steps=np.array(steps if steps is not None else range(100, 100 * records + 1, 100)),
        records_done=done,
        run_status=("complete",) * count,
        stored_weights=(),
        _variables=arrays,
    )


def made_up_runs(accuracy: Sequence[float | Values | None], **settings) -> Runs:
    """One run for each accuracy, or for each list of accuracies by record; None: no record."""
    rows = [one if isinstance(one, Sequence) else [one] for one in accuracy]
    return Runs(entries_of(made_up_trajectory({"test_accuracy": rows}, **settings)))
