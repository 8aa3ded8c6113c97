"""Odd figures: of letters that no font has, of deep networks and deep fractals, whose layers and
levels are many."""

import warnings

import numpy as np
import pytest
from made_up_runs import made_up_trajectory

from fracsim.figures import style, training
from fracsim.products.entries import entries_of
from fracsim.products.runs import Runs


@pytest.mark.parametrize("size", [None, (3.4, None)])
@pytest.mark.parametrize("count", [6, 41])
def test_layers_and_levels_fit(count, size):
    rising = np.geomspace(1e-3, 1.0, 3 * count).reshape(1, 3, count)
    variables = {
        "test_accuracy": [[0.5, 0.6, 0.7]],
        "train_accuracy": [[0.5, 0.6, 0.7]],
        "test_loss": [[0.9, 0.8, 0.7]],
        "train_loss": [[0.9, 0.8, 0.7]],
        "gradient_norm": rising,
        "test_accuracy_by_level": rising,
    }
    depths = {"network_depth": [count - 1], "fractal_depth": [count - 1], "width": [3]}
    runs = Runs(entries_of(made_up_trajectory(variables, fractal=["cantor1d"], **depths)))
    with warnings.catch_warnings(), style.styled():
        warnings.simplefilter("error")  # "axes sizes collapsed to zero"
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own, of pyparsing
        figure = training.draw(runs, size=size)
        figure.draw_without_rendering()
    for axes, word in ((figure.axes[2], "level"), (figure.axes[3], "layer")):
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        first, last = (0, count - 1) if word == "level" else (1, count)
        assert names[0].split()[:2] == [word, str(first)]
        assert names[-1].split()[:2] == [word, str(last)]
        assert len(names) == min(count, training.MOST_NAMES)


def test_the_dead_are_told_once(monkeypatch):
    for room in ("figures.collect", "products.runs"):
        monkeypatch.setattr(f"fracsim.{room}.dead_words", lambda entries: "1 of 1 run is dead")
    from fracsim.figures.collect import caveats_of

    assert caveats_of(Runs([], ["1 of 1 run is dead", "more"])) == ["more", "1 of 1 run is dead."]


ODD = ["\udcff", "\ud800", "\x1b[31m", "a\0b", "\t", "\x7f", "\u202e", "a\nb", "$\udcff$", "\xa0"]


@pytest.mark.parametrize("text", ODD)
def test_letters_that_are_none_are_drawn(tmp_path, text):
    """Of titles, and of names of files and fractals, which need not be text."""
    with style.styled():
        figure, body = style.page((3.4, 2.0), None, [f"note of {text}"])
        style.head(body, f"title {text} of {style.plain(text)}", "")
        style.panel_head(body.subplots(), text)
        figure.savefig(tmp_path / "a.png")
        figure.savefig(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").isascii()
