"""What docs/results.py keeps of trajectory files, and how its pages read it again."""

import sys

import numpy as np
import pytest
from places import TOP
from scripts_of_docs import script_of_docs

import fracsim

MOST_BYTES = 200_000


@pytest.mark.compiled
def test_what_is_kept_is_what_the_file_says(tmp_path, monkeypatch):
    """Levels in per cents, rounded down: of a run of many records, and of one stopped after few."""
    monkeypatch.syspath_prepend(TOP / "docs")
    results, rows = script_of_docs("results.py"), script_of_docs("paper_rows.py")
    fracsim.train(
        tmp_path / "x.h5",
        width=8,
        steps=3000,
        record_every=100,
        test_points=400,
        learning_rate=0.02,
    )
    monkeypatch.setattr(sys, "argv", ["results.py", f"{tmp_path}/x.h5", "-o", f"{tmp_path}/x.csv"])
    results.main()
    trajectory = fracsim.open_trajectory(tmp_path / "x.h5")
    shares = trajectory.variable("test_accuracy_by_level")[0]
    place = {int(step): record for record, step in enumerate(trajectory.steps)}
    (row,) = results.read_results(tmp_path / "x.csv")[1]
    idle = trajectory.variable("inactive_units")[0][-1]
    assert idle[:-1].max() > 0, "no unit is without work"
    assert row["inactive"] == "/".join(f"{int(100 * share + 1e-9)}" for share in idle[:-1])
    few = {**row, "records": "3", "levels": results.levels_text(trajectory, 0, 3)}
    for one, steps in ((row, results.STEPS), (few, 3)):
        found = rows.levels_at(one)
        assert len(found) == steps
        for step, values in found:
            wanted = shares[place[step]]
            values = [np.nan if value is None else value for value in values]
            np.testing.assert_allclose(values, np.floor(100 * wanted + 1e-9) / 100, rtol=1e-12)
            for share in (0.29, 0.5, 0.8):  # what reaches a share does so as it is kept, too
                np.testing.assert_array_equal(np.array(values) >= share, wanted >= share)


def test_kept_results_are_small():
    assert sum(path.stat().st_size for path in (TOP / "docs" / "results").iterdir()) < MOST_BYTES
