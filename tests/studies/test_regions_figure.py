"""What is drawn of linear regions, read back from matplotlib's objects."""

import numpy as np
import pytest
import reference
from matplotlib.collections import LineCollection, PolyCollection
from networks_of_regions import random_network

from fracsim.data.studies import write_study
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.fractals.fractal import load_fractal
from fracsim.studies import STUDIES, open_study
from fracsim.studies.regions import figure
from fracsim.studies.regions.measure import Place, attributes, measure
from fracsim.studies.regions.subjects import Subject


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


@pytest.fixture
def drawn(tmp_path):
    """A function that draws a place of one network, and that network."""
    shape, params = random_network(2, 3, 10, 0)
    subject = Subject(shape, params, "a test", fractal=load_fractal("cantor"), fractal_depth=2)

    def draw(place):
        measured = measure(shape, params, place)
        path = tmp_path / "regions.h5"
        facts = {**subject.attributes(), **attributes(shape, place, measured.facts)}
        write_study(path, STUDIES["regions"].format, measured.arrays, facts, place.kind)
        return figure.draw(open_study(path)), measured

    return draw, lambda x: reference.forward(shape, params.astype(float), np.asarray(x))


def test_the_partition_with_its_decision_boundary_and_cells(drawn):
    draw, f = drawn
    figure, measured = draw(Place((-1, 1, -1, 1)))
    axes = figure.axes[0]
    polygons, cells = axes.findobj(PolyCollection)
    (boundary,) = (artist for artist in axes.findobj(LineCollection))
    assert len(polygons.get_paths()) == measured.facts["activation_regions"]
    assert len(cells.get_paths()) == 16
    ends = np.concatenate([path.vertices for path in boundary.get_paths()])
    np.testing.assert_allclose(f(ends), 0, atol=1e-12)
    side = np.linspace(-0.999, 0.999, 60)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    near = np.abs(f(grid)) < 0.01  # wherever f is about 0, a line is not far
    assert near.any()
    along = np.concatenate(
        [a + np.linspace(0, 1, 30)[:, None] * (b - a) for a, b in ends.reshape(-1, 2, 2)]
    )
    assert max(np.linalg.norm(along - x, axis=1).min() for x in grid[near]) < 0.1


def test_f_along_a_segment(drawn):
    draw, f = drawn
    figure, measured = draw(Place((-1, 1, -1, 1), segment=(-1, -1, 1, 1)))
    curve = next(line for line in figure.axes[0].lines if line.get_label() == "$f(x)$")
    places, values = curve.get_data()
    assert len(places) == measured.facts["activation_regions"] + 1
    np.testing.assert_allclose(
        values, f(-1 + np.array(places)[:, None] / np.sqrt(8) * [2, 2]), atol=1e-12
    )


def test_random_segments(drawn):
    draw, _ = drawn
    figure, measured = draw(Place((-1, 1, -1, 1), lines=40))
    points, rate = figure.axes[0].lines
    assert points.get_ydata().sum() == measured.facts["activation_regions"] - 40
    assert points.get_xdata().sum() * np.diff(rate.get_ydata())[0] / np.diff(rate.get_xdata())[
        0
    ] == pytest.approx(measured.facts["activation_regions"] - 40)


def test_too_many_regions_to_draw(drawn, monkeypatch):
    monkeypatch.setattr(figure, "MOST_REGIONS", 5)
    with pytest.raises(UsageError, match=r"too many to draw.*smaller --window"):
        drawn[0](Place((-1, 1, -1, 1)))
