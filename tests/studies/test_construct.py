"""The constructed networks: right wherever their margins are kept, of the theorems' sizes, else
refused."""

import numpy as np
import pytest
from ifs import twisted, zoo

from fracsim.errors import RunError, UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal, fractal_names, load_fractal
from fracsim.fractals.overlap import penetrations, separation
from fracsim.studies.construct.construct import construct
from fracsim.studies.construct.verify import verify

FRACTALS = zoo()
TRIED = [name for name in FRACTALS if name not in ("cantor:4", "many")]
EVERYWHERE = [(name, n) for name in TRIED for n in (1, 2, 3, 4, 5)]
DEEP = [(name, 8) for name in TRIED if not FRACTALS[name].touching]


def tried(built, count=20_000, gap="complement", curve="1", **margins):
    """The verification of a construction on points that keep its margins, or others."""
    kept = {
        "positive_margin": built.positive_margin,
        "negative_margin": built.negative_margin,
        **margins,
    }
    distribution = Distribution(built.fractal, built.fractal_depth, parse_curve(curve), gap, **kept)
    return verify(built, distribution, count, seed=3)


def check_theorem_1(name, n, count):
    fractal = FRACTALS[name]
    built = construct(fractal, n)
    assert built.shape.depth == 2 * n + 1
    assert built.shape.width <= 5 * fractal.dimension * fractal.maps
    assert built.layer_sizes == [
        5 * built.shape.inputs * fractal.maps,
        built.shape.inputs * fractal.maps,
    ] * n + [4 * built.shape.inputs]
    result = tried(built, count)
    assert result.samples.sum() == count
    assert result.samples.min() > 0
    assert not result.errors.any()
    assert result.hinge_loss == 0
    if fractal.gap == "centre":
        assert not tried(built, count, "centre").errors.any()


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "n"), EVERYWHERE + DEEP)
def test_theorem_1_has_no_errors_and_its_sizes(name, n):
    check_theorem_1(name, n, 20_000)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), EVERYWHERE + DEEP)
def test_theorem_1_on_a_million_points(name, n):
    check_theorem_1(name, n, 1_000_000)


def test_all_shipped_fractals_are_tried():
    assert set(fractal_names()) <= set(TRIED)


@pytest.mark.compiled
@pytest.mark.parametrize(
    "name", ["cantor1d", "cantor", "sierpinski", "twisted", "twisted01", "dead end"]
)
@pytest.mark.parametrize("s", [1, 2, 3])
def test_theorem_3_loses_exactly_the_finer_negatives(name, s):
    fractal, n, count = FRACTALS[name], 4, 10_000
    curve = parse_curve("1").values(n)
    for j in range(n + 1):
        built = construct(fractal, n, levels=j, merge=s)
        assert built.shape.depth == 2 * (j // s) + (1 if j % s == 0 else 2)
        assert built.shape.width <= 5 * fractal.dimension * fractal.maps**s
        result = tried(built, count)
        assert not result.errors[:j].any()
        assert result.errors[n] == 0
        assert (result.errors[j:n] == result.samples[j:n]).all()
        lost = 1 - curve[j]
        assert abs(result.error - lost) <= 4 * np.sqrt(lost * (1 - lost) / count)
        assert result.hinge_loss == pytest.approx(2 * result.error, abs=1e-12)


@pytest.mark.compiled
def test_merging_more_levels_than_there_are_leaves_one_question():
    built = construct(FRACTALS["cantor"], 3, levels=2, merge=5)
    assert built.layer_sizes == [4 * 2 * 16, 16]
    assert not tried(built).errors[:2].any()


@pytest.mark.parametrize(("levels", "merge"), [(3, 1), (3, 2), (0, 1)])
@pytest.mark.parametrize("name", ["cantor1d", "twisted01", "sierpinski"])
def test_the_stored_network_is_the_layers(name, levels, merge, backend, generator):
    """The padded network through the kernels against a plain forward pass of the true layers."""
    built = construct(FRACTALS[name], 3, levels, merge)
    x = generator.uniform(built.fractal.low, 1, (2000, built.shape.inputs))
    hidden = x
    for weights, biases in built.layers[:-1]:
        hidden = np.maximum(hidden @ weights + biases, 0)
    expected = (hidden @ built.layers[-1].weights + built.layers[-1].biases)[:, 0]
    f = backend.forward(built.shape, built.params[None], x[None], np.zeros(1, int))[0]
    np.testing.assert_allclose(f, expected, rtol=0, atol=1e-9)
    assert built.parameters == sum(w.size + b.size for w, b in built.layers) <= built.params.size


def test_a_base_of_0_to_1_gives_the_same_network_but_for_its_first_layer():
    one, other = construct(twisted(), 3), construct(twisted("[0,1]"), 3)
    for here, there in zip(one.layers[1:], other.layers[1:], strict=True):
        np.testing.assert_allclose(here.weights, there.weights, atol=1e-9)
    np.testing.assert_allclose(2 * one.layers[0].weights, other.layers[0].weights, atol=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["cantor", "sierpinski", "twisted", "dead end"])
def test_margins_are_needed(name):
    """Without them the same networks err: a continuous function cannot do without."""
    built = construct(FRACTALS[name], 3)
    bare = tried(built, positive_margin=0, negative_margin=0).errors
    assert bare.sum() > 0
    if not built.fractal.touching:
        assert bare[3] == 0, "where there is a gap, positives need no margin"


def test_weights_grow_only_where_images_touch():
    assert (
        construct(FRACTALS["cantor"], 8).largest_weight
        == construct(FRACTALS["cantor"], 2).largest_weight
        < 2000
    )
    steps = [construct(FRACTALS["sierpinski"], n).largest_weight for n in (3, 4, 5)]
    assert steps[1] / steps[0] == steps[2] / steps[1] == 2


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("name", "margins"),
    [
        ("cantor", {"negative_margin": 1e-6}),
        ("cantor", {"negative_margin": 0.2, "positive_margin": 0.1}),
        ("sierpinski", {"positive_margin": 1e-4}),
        ("sierpinski", {"negative_margin": 1e-5}),
        ("vicsek", {"positive_margin": 0.2, "negative_margin": 0.001}),
        ("twisted", {"negative_margin": 1e-4}),
    ],
)
def test_margins_that_are_asked_for_are_kept(name, margins):
    built = construct(FRACTALS[name], 3, **margins)
    for key, margin in margins.items():
        assert getattr(built, key) == margin
    assert not tried(built).errors.any()


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["cantor", "sierpinski", "twisted"])
def test_what_float64_cannot_carry_is_refused_and_what_it_can_is_right(name):
    fractal = FRACTALS[name]
    with pytest.raises(RunError, match="float64 cannot carry this network") as refused:
        construct(fractal, fractal.greatest_depth)
    greatest = int(str(refused.value).split()[-1])
    with pytest.raises(RunError):
        construct(fractal, greatest + 1)
    assert greatest >= 14
    assert not tried(construct(fractal, greatest), 5000).errors.any()


@pytest.mark.parametrize(
    ("name", "settings", "error", "sentence"),
    [
        (
            "cantor",
            {"levels": 4},
            UsageError,
            r"levels \(--levels\) is 4; accepted is a whole number from 0 to",
        ),
        ("cantor", {"levels": -1}, UsageError, "levels"),
        ("cantor", {"merge": 0}, UsageError, r"merge \(--merge\) is 0"),
        (
            "cantor",
            {"negative_margin": 0.0},
            UsageError,
            r"negative_margin \(--negative-margin\) is 0; accepted",
        ),
        (
            "sierpinski",
            {"positive_margin": 0.0},
            UsageError,
            r"positive_margin \(--positive-margin\) is 0; accepted",
        ),
        ("sierpinski", {"positive_margin": float("nan")}, UsageError, "is nan; accepted"),
        ("sierpinski", {"positive_margin": 1e-16}, RunError, "needs larger margins"),
        ("cantor", {"negative_margin": 1e-17}, RunError, "needs larger margins"),
        ("many", {"merge": 3}, RunError, r"with merge \(--merge\) 3 has 15,625 maps to a fold"),
    ],
)
def test_refusals(name, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        construct(FRACTALS[name], 3, **settings)


def test_overlapping_and_too_fine_fractals_are_refused():
    maps = [{"scale": 0.5, "offset": [c]} for c in (-0.5, 0.4)]
    with pytest.raises(UsageError, match="overlap"):
        construct(Fractal.from_dict({"name": "overlapping", "map": maps}), 3)
    with pytest.raises(UsageError, match="too fine"):
        construct(load_fractal("cantor"), 40)


# --- how far images keep apart --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"), [("cantor", 2), ("cantor:3", 2), ("corners", 3), ("many", 1.5)]
)
def test_separation_of_upright_boxes(name, expected):
    fractal = FRACTALS[name]
    assert separation(fractal.matrices, fractal.offsets) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_grown_to_their_separation_parallelepipeds_touch(d, generator):
    for _ in range(30):
        axes = generator.normal(0, 0.3, (3, d, d)) + 0.2 * np.eye(d)
        centres = generator.uniform(-2, 2, (3, d))
        s = separation(axes, centres)
        assert penetrations(s * (1 - 1e-6) * axes, centres) == []
        assert max(depth for _, _, depth in penetrations(s * (1 + 1e-6) * axes, centres)) > 0


def test_a_single_image_has_nothing_to_keep_apart_from():
    fractal = Fractal.from_dict({"name": "one", "map": [{"scale": 0.5, "offset": [0.0, 0.0]}]})
    built = construct(fractal, 3)
    assert built.gap == np.inf
    assert not tried(built).errors.any()
