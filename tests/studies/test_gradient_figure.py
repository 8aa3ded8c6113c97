"""What is on the axes of ``fracsim-plot gradient``, read back from matplotlib's objects."""

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import made_up_study

from fracsim.cli.plot import command
from fracsim.data.studies import write_study
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.networks.file import NETWORK
from fracsim.studies import open_study
from fracsim.studies.gradient import figure as gradient


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


def figure_of(*paths):
    return gradient.draw([open_study(path, "gradient") for path in paths])


def all_text(figure):
    return "\n".join(
        text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    )


def test_the_median_of_each_level_is_drawn(tmp_path):
    study = open_study(made_up_study(tmp_path / "g.h5"))
    levels, shares = gradient.draw([study]).axes
    correlation, hinge = levels.lines
    for line, name in ((correlation, "correlation_by_level"), (hinge, "max_abs_gradient_by_level")):
        np.testing.assert_allclose(line.get_ydata(), np.median(study.arrays[name], axis=1))
        np.testing.assert_array_equal(line.get_xdata(), np.arange(6))
    assert levels.get_yscale() == shares.get_xscale() == "log"
    band = levels.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(
        np.quantile(study.arrays["correlation_by_level"][0], 0.95)
    )


def test_shares_count_the_networks_and_the_bound_is_a_line(tmp_path):
    figure = figure_of(made_up_study(tmp_path / "g.h5"))
    coarse, bound, fine = figure.axes[1].lines
    left, right = figure.axes[1].get_xlim()
    assert np.interp(0.1, coarse.get_xdata(), coarse.get_ydata()) == pytest.approx(1 / 3, abs=0.05)
    assert (
        fine.get_ydata()[np.searchsorted(fine.get_xdata(), left) - 1] == 0.5
    )  # those without a gradient
    assert bound.get_xdata()[0] == 1.5
    assert left < 0.005 < 1.5 < right
    text = all_text(figure)
    assert "Dotted on the right: Theorem 5's bound." in text
    assert "bound is 0 on curves that are flat" in text
    assert "#6" in text
    assert "$b = 0.1$" in text


def test_gradients_that_are_all_zero_are_said(tmp_path):
    figure = figure_of(made_up_study(tmp_path / "g.h5", zero=True))
    assert all_text(figure).count("every entry is 0, to rounding") == 2


def test_files_are_told_apart_by_what_differs(tmp_path):
    one = made_up_study(tmp_path / "a.h5", curves=("1",))
    two = made_up_study(tmp_path / "b.h5", curves=("1",), width=50, samples=1000)
    figure = figure_of(one, two)
    text = all_text(figure)
    assert "$k = 20$, exact" in text
    assert "$k = 50$, 1,000 points" in text
    assert "standard error" in text
    assert len(figure.axes[0].lines) == 5
    with pytest.raises(UsageError, match="at most 6 files"):
        figure_of(*[one] * 7)


def test_the_command_draws_and_refuses_what_is_no_study(tmp_path):
    path = made_up_study(tmp_path / "g.h5", note="Theorem 5 says nothing")
    runner = CliRunner()
    done = runner.invoke(command, ["gradient", str(path), "-o", str(tmp_path / "g.pdf")])
    assert done.exit_code == 0
    assert "note: Theorem 5 says nothing" in done.stderr
    write_study(tmp_path / "net.h5", NETWORK, {"params": np.zeros(3)}, {})
    refused = runner.invoke(
        command, ["gradient", str(tmp_path / "net.h5"), "-o", str(tmp_path / "g.pdf")]
    )
    assert refused.exit_code == 1
    assert "holds a study of kind 'network', not 'gradient'" in refused.stderr
