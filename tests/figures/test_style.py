"""Saving, styles and the paper's tables."""

import errno

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from fracsim.data.errors import FileError
from fracsim.errors import UsageError
from fracsim.figures import paper, style


def test_palette_is_told_apart_without_colour():
    # Series that share a marker and dashes would be the same line in grey print.
    looks = [(marker, dashes) for marker, dashes in zip(style.MARKERS, style.DASHES, strict=True)]
    assert len({marker for marker, _ in looks}) == len(style.PALETTE) == len(looks)


def deuteranope(colour: str) -> np.ndarray:
    """What a person without green receptors sees (Viénot, Brettel & Mollon 1999, linear RGB)."""
    linear = np.array(to_rgb(colour)) ** 2.2
    matrix = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    return np.clip(matrix @ linear, 0, 1) ** (1 / 2.2)


def test_palette_is_told_apart_without_green():
    seen = [deuteranope(colour) for colour in style.PALETTE]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.1


def test_positive_and_negative_differ_in_every_vision():
    assert np.linalg.norm(deuteranope(style.POSITIVE) - deuteranope(style.NEGATIVE)) > 0.5


def test_user_matplotlibrc_does_not_leak_in():
    with matplotlib.rc_context({"lines.linewidth": 17.0, "font.size": 40.0}):
        with style.styled():
            assert matplotlib.rcParams["lines.linewidth"] == style.BASE["lines.linewidth"]
            assert matplotlib.rcParams["font.size"] == style.BASE["font.size"]
        assert matplotlib.rcParams["lines.linewidth"] == 17.0


def test_style_by_name_and_by_file(tmp_path):
    with style.styled("grayscale"):
        assert style.colour(0) != style.PALETTE[0]
        assert style.look(0)["marker"] == style.MARKERS[0]
    mine = tmp_path / "mine.mplstyle"
    mine.write_text("lines.linewidth: 3\nsvg.hashsalt: other\n")
    with style.styled(str(mine)):
        assert matplotlib.rcParams["lines.linewidth"] == 3
        assert matplotlib.rcParams["svg.hashsalt"] == "fracsim"


def test_every_style_of_matplotlib_works(tmp_path):
    for name in ["default", *matplotlib.style.available]:
        with style.styled(name):
            style.look(7)


def test_unknown_style_names_the_nearest():
    with (
        pytest.raises(UsageError, match=r"--style.*'grayscal'; did you mean 'grayscale'"),
        style.styled("grayscal"),
    ):
        pass


@pytest.mark.parametrize("text", ["lines.linewidth: fat\n", "\x00\x01"])
def test_bad_style_file(tmp_path, text):
    path = tmp_path / "bad.mplstyle"
    path.write_text(text)
    with (
        pytest.raises(UsageError, match=r"bad\.mplstyle is not a matplotlib style file"),
        style.styled(str(path)),
    ):
        pass


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.h5"])
def test_unknown_suffix(name):
    with pytest.raises(UsageError, match=r"accepted: \.png, \.pdf, \.svg"):
        style.check_suffix(name)


def test_a_failing_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    with style.styled():
        figure = style.new_figure((2, 2))
        figure.text(0.5, 0.5, "$x^$")  # no valid mathematics
        with pytest.raises(ValueError):
            style.save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_figure(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with style.styled():
        figure = style.new_figure((2, 2))
        monkeypatch.setattr(figure, "savefig", full)
        with pytest.raises(FileError, match=r"cannot write '.*new.png': the disk is full"):
            style.save(figure, tmp_path / "new.png")
    assert list(tmp_path.iterdir()) == []


def test_papers_tables():
    table = paper.depth_width_table()
    assert sorted(table) == [1, 2, 3, 4, 5]
    assert list(table[1]) == [10, 20, 50, 100, 200, 400]
    assert table[5][200] == 0.9924
    assert table[1][10] == 0.6126
    assert all(len(row) == 6 for row in table.values())
    curves = paper.curve_table()
    assert curves == {"1": 0.9924, "2": 0.9654, "3": 0.9096, "4": 0.9322, "5": 0.7566, "6": 0.7764}
    assert table[5][200] == curves["1"]


def luminance(colour) -> float:
    """Relative luminance (ITU-R BT.709), as grey print shows a colour."""
    return float(np.array([0.2126, 0.7152, 0.0722]) @ np.array(to_rgb(colour[:3])) ** 2.2)


def test_all_looks_differ_in_grey():
    looks = [style.look(place) for place in range(style.MOST_LOOKS)]
    forms = [(look["marker"], look["linestyle"]) for look in looks]
    for i, one in enumerate(forms):
        for j, other in enumerate(forms[:i]):
            grey = abs(luminance(to_rgb(looks[i]["color"])) - luminance(to_rgb(looks[j]["color"])))
            assert one != other or grey > 0.15, (i, j)


def test_shades_rise_in_luminance():
    for count in (2, 4, 6, 8):
        greys = [luminance(to_rgb(style.shade(place, count)[:3])) for place in range(count)]
        assert greys == sorted(greys)
        assert min(np.diff(greys) / np.array(greys[1:])) > 0.2  # as the eye compares


def test_places_belong_to_values():
    assert style.places([1, 2, 3, 4, 5]) == {1: 0, 2: 1, 3: 2, 4: 3, 5: 4}
    assert style.places([4, 5]) == {4: 3, 5: 4}
    assert style.places(["4"]) == {"4": 3}
    widths = style.places([10, 20, 50, 100, 200, 400])
    assert len(set(widths.values())) == 6
    assert style.places([50, 100]) == {50: widths[50], 100: widths[100]}
    words = style.places(["paper", "he", "glorot"])
    assert style.places(["he"])["he"] == words["he"] or len(set(words.values())) == 3
    with pytest.raises(UsageError, match="more than 16 lines"):
        style.places(range(500))


@pytest.mark.parametrize(
    "values", [(0.81, 0.99), (1.01, 1.9), (2.1, 4.9), (0.6, 1.08), (3e-5, 4e-5)]
)
def test_a_logarithmic_axis_of_less_than_a_decade_has_numbers(values):
    with style.styled():
        figure = Figure(figsize=(3.4, 2.5))
        axes = figure.add_subplot()
        axes.plot([0, 1], values)
        style.log_axis(axes, values)
        figure.draw_without_rendering()
        low, high = axes.get_ylim()
        shown = [tick.get_text() for tick in axes.get_yticklabels() if tick.get_text()]
    assert len(shown) >= 2
    assert all(low <= float(text.replace("−", "-")) <= high for text in shown)
