"""Landscapes of the loss: what rescaling may change, what levels add, what a walk explains."""

import json

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.data.errors import FileError
from fracsim.errors import UsageError
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.kernels.random.philox import TRAIN
from fracsim.kernels.training.population import population_gradient
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES
from fracsim.studies.landscape.directions import (
    check_directions,
    explained_by_walk,
    principal_components,
    random_direction,
    zero_filters,
)
from fracsim.studies.landscape.figure import draw
from fracsim.studies.landscape.grid import Kept, loss_on_grid
from fracsim.studies.landscape.measure import OnPoints, measure_of
from fracsim.studies.landscape.subject import subject_of
from fracsim.training.run import problem_of
from fracsim.values.settings import make_settings

STUDY = STUDIES["landscape"]
SHAPE = Shape(2, (7, 5, 6))


def points(count=400, dtype=np.float64, groups=3, d=2):
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (count, d)).astype(dtype)
    y = np.sign(random.normal(size=count)).astype(dtype)
    group = random.integers(0, groups, count).astype(np.int16)
    return x, y, group, np.bincount(group, minlength=groups) / count


def network(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).normal(size=parameter_count(shape)) * 0.6


def value(shape, params, x):
    *hidden, (last, bias) = split_layers(shape, params)
    for weights, biases in hidden:
        x = np.maximum(x @ weights + biases, 0)
    return (x @ last + bias)[:, 0]


def losses_of(name, f, y):
    return {
        "hinge": np.maximum(1 - y * f, 0),
        "logistic": np.log1p(np.exp(-y * f)),
        "squared": (f - y) ** 2 / 2,
    }[name]


def surface(params, normalise, shape=SHAPE, span=0.7, count=9):
    measure = OnPoints("", shape, "hinge", *points())
    directions = np.array([random_direction(shape, params, normalise, 3, i) for i in range(2)])
    at = np.stack(np.meshgrid(*2 * [np.linspace(-span, span, count)]), -1).reshape(-1, 2)
    return measure(params, directions, at)[0].sum(axis=1)


def rescaled(shape, params, layer, unit, factor):
    """Incoming weights and bias of a unit, or of all, times the factor, outgoing ones over it."""
    params = params.copy()
    layers = split_layers(shape, params)
    layers[layer][0][:, unit] *= factor
    layers[layer][1][unit] *= factor
    layers[layer + 1][0][unit, :] /= factor
    return params


@pytest.mark.compiled
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernel_against_numpy(loss, dtype):
    x, y, group, share = points(dtype=dtype)
    params, directions = network(), np.stack([network(seed=1), network(seed=2)])
    at = np.array([[0.0, 0.0], [0.3, -0.2], [-1.0, 0.5]])
    found, right = OnPoints("", SHAPE, loss, x, y, group, share)(params, directions, at)
    close = {"rtol": 1e-12} if dtype is np.float64 else {"rtol": 2e-4, "atol": 1e-5}
    for place, (a, b) in enumerate(at):
        f = value(SHAPE, params + a * directions[0] + b * directions[1], x.astype(float))
        each = losses_of(loss, f, y.astype(float))
        for j in range(3):
            np.testing.assert_allclose(found[place, j], each[group == j].sum() / len(x), **close)
            wanted = ((f * y > 0) & (group == j)).sum() / len(x)
            assert abs(right[place, j] - wanted) <= (0 if dtype is np.float64 else 0.005)


@pytest.mark.compiled
def test_a_layer_may_be_rescaled_under_filter_and_layer_normalisation():
    params = network()
    for normalise in ("filter", "layer", "weight", "forward"):
        before = surface(params, normalise)
        after = surface(rescaled(SHAPE, params, 1, slice(None), 7.0), normalise)
        np.testing.assert_allclose(after, before, rtol=1e-12)


@pytest.mark.compiled
def test_a_unit_may_be_rescaled_only_under_weight_and_forward_normalisation():
    params = network()
    for layer, unit in ((0, 2), (2, 1)):
        other = rescaled(SHAPE, params, layer, unit, 5.0)
        for normalise in ("weight", "forward"):
            np.testing.assert_allclose(
                surface(other, normalise), surface(params, normalise), rtol=1e-9
            )
        for normalise in ("filter", "layer"):
            change = np.abs(surface(other, normalise) - surface(params, normalise))
            assert change.max() > 1e-3


def test_directions_have_the_norms_they_should():
    params = network()
    of = {
        name: split_layers(SHAPE, random_direction(SHAPE, params, name, 0, 0))
        for name in ("filter", "layer", "weight")
    }
    for number, (weights, _) in enumerate(split_layers(SHAPE, params)):
        norms = np.linalg.norm(of["filter"][number][0], axis=0)
        np.testing.assert_allclose(norms, np.linalg.norm(weights, axis=0), rtol=1e-9)
        norm = np.linalg.norm(of["layer"][number][0])
        np.testing.assert_allclose(norm, np.linalg.norm(weights), rtol=1e-9)
        assert all(not layers[number][1].any() for layers in of.values())
    drawn = np.random.default_rng([0, 0]).normal(size=params.size)
    np.testing.assert_array_equal(
        of["weight"][1][0],
        split_layers(SHAPE, drawn)[1][0] * split_layers(SHAPE, params)[1][0],
    )


@pytest.mark.compiled
def test_the_squared_loss_of_an_affine_function_is_a_paraboloid():
    x, y, group, share = points()
    shape, params = Shape(2, ()), np.array([0.3, -0.4, 0.2])
    directions = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 1.0]])
    at = np.stack(np.meshgrid(*2 * [np.linspace(-2, 2, 7)]), -1).reshape(-1, 2)
    found = OnPoints("", shape, "squared", x, y, group, share)(params, directions, at)[0]
    features = np.column_stack([x, np.ones(len(x))])
    gram = directions @ features.T @ features @ directions.T / len(x)
    slope = directions @ features.T @ (features @ params - y) / len(x)
    wanted = 0.5 * ((features @ params - y) ** 2).mean() + at @ slope
    wanted += 0.5 * np.einsum("gi,ij,gj->g", at, gram, at)
    np.testing.assert_allclose(found.sum(axis=1), wanted, rtol=1e-12)


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    rows = np.cumsum(np.random.default_rng(0).normal(size=(12, 300)), axis=0)
    rows -= rows[-1]
    theirs = decomposition.PCA(2).fit(rows)
    components, explained = principal_components(rows)
    np.testing.assert_allclose(explained[:2], theirs.explained_variance_ratio_, rtol=1e-10)
    for ours, other in zip(components, theirs.components_, strict=False):
        assert abs(abs(ours @ other) - 1) < 1e-10
        assert ours[np.abs(ours).argmax()] > 0


def test_what_components_explain_of_a_random_walk():
    np.testing.assert_allclose(explained_by_walk(4), [0.6079, 0.1520, 0.0675, 0.0380], atol=5e-5)
    assert abs(explained_by_walk(100_000).sum() - 1) < 1e-4
    rows = np.cumsum(np.random.default_rng(2).normal(size=(200, 2000)), axis=0)
    found = principal_components(rows)[1][:4]
    np.testing.assert_allclose(found, explained_by_walk(4), rtol=0.12)


@pytest.mark.compiled
def test_levels_of_the_exact_loss_add_up_and_are_those_of_points():
    given = {"fractal": "cantor1d", "fractal_depth": 4, "network_depth": 2, "width": 9}
    given |= {"by_level": True, "seed": 3, "curve": "4"}
    settings = make_settings(STUDY.settings, given)
    subject = subject_of(settings)
    exact = measure_of(settings, subject)
    at = np.array([[0.0], [0.8], [-1.5]])
    direction = random_direction(subject.shape, subject.params, "filter", 3, 0)[None] * 4
    loss, right = exact(subject.params, direction, at)
    line = problem_of(subject.run).source("population").line
    for place, (a,) in enumerate(at):
        _, whole, accuracy = population_gradient(
            subject.shape, subject.params[None] + a * direction, line
        )
        np.testing.assert_allclose(loss[place].sum(), whole[0], rtol=1e-12)
        np.testing.assert_allclose(right[place].sum(), accuracy[0], rtol=1e-12)
    many = make_settings(STUDY.settings, {**given, "data": "dataset", "train_points": 200_000})
    sampled = measure_of(many, subject)
    np.testing.assert_allclose(sampled.share, exact.share, atol=5e-3)
    np.testing.assert_allclose(sampled(subject.params, direction, at)[0], loss, atol=0.02)


@pytest.mark.compiled
def test_threads_and_a_stop_change_nothing(tmp_path):
    measure = OnPoints("", SHAPE, "hinge", *points())
    params = network()
    directions = np.array([random_direction(SHAPE, params, "filter", 0, i) for i in range(2)])
    at = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    path = str(tmp_path / "part.h5")

    def grid(measure, threads=1, progress=lambda *_: None, checkpoint=None):
        return loss_on_grid(measure, params, directions, at, threads, progress, checkpoint)

    whole = grid(measure)
    np.testing.assert_array_equal(grid(measure, threads=3), whole)

    def stop(done, total):
        if done > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grid(measure, 1, stop, path)
    assert fracsim("check", path).code == 0
    seen = []
    again = grid(measure, 1, lambda done, total: seen.append(done), path)
    np.testing.assert_array_equal(again, whole)
    assert seen[0] == 16  # two slices of 8 were kept
    with pytest.raises(UsageError, match="is of another landscape"):
        grid(OnPoints("other", SHAPE, "squared", *points()), 1, stop, path)


@pytest.mark.compiled
def test_a_loss_that_overflows_is_infinite(tmp_path):
    path = tmp_path / "l.h5"
    words = ["landscape", "--grid", "5", "--span", "1e6", "--precision", "float32", "--depth", 8]
    assert fracsim(*words, "--train-points", 50, "-o", path, "-q").code == 0
    loss = STUDY.read(path).arrays["loss"]
    assert np.isinf(loss[[0, -1]]).all()
    assert np.isfinite(loss[2, 0])
    told = json.loads(fracsim(*words, "--train-points", 50, "--json").out)
    assert (told["overflows"], told["loss"][0]) == (4, [None])
    assert run_group(plot, "fracsim-plot", "landscape", path, "-o", tmp_path / "l.png").code == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two networks, one of them with weights at every record."""
    folder = tmp_path_factory.mktemp("landscape")
    words = ["train", "--fractal", "cantor", "--fractal-depth", 2, "--depth", 2, "--width", 8]
    words += ["--steps", 60, "--record-every", 10, "--train-points", 300, "--test-points", 100]
    for name, more in (("a", ["--weights", "records"]), ("b", ["--seed", 1])):
        assert fracsim(*words, *more, "-o", folder / f"{name}.h5", "-q").code == 0
    return folder


@pytest.mark.compiled
def test_a_plane_around_a_trained_network(trained, tmp_path):
    path = tmp_path / "land.h5"
    words = ["landscape", trained / "a.h5", "--grid", "5x3", "--span", 1, "--by-level"]
    told = json.loads(fracsim(*words, "--normalise", "filter", "-o", path, "--json").out)
    held = STUDY.read(path)
    arrays = held.arrays
    assert (held.form, arrays["loss"].shape) == ("plane", (5, 3))
    assert arrays["loss_by_level"].shape == (5, 3, 3)
    total = (arrays["loss_by_level"] * arrays["share"]).sum(axis=2)
    np.testing.assert_allclose(total, arrays["loss"], rtol=1e-12)
    net, run = (
        load_network(str(trained / "a.h5")),
        subject_of(make_settings(STUDY.settings, {"file": str(trained / "a.h5")})).run,
    )
    x, y, group = problem_of(run).points(run.seed, TRAIN, 0, 300)
    loss, accuracy, by_level = get_backend("cpu").evaluate(
        net.shape, LOSSES.index("hinge"), net.params[None], x[None], y[None], group[None], 2, [0]
    )
    np.testing.assert_allclose(arrays["loss"][2, 1], loss[0], rtol=1e-6)
    np.testing.assert_allclose(told["loss_at_network"], loss[0], rtol=1e-6)
    np.testing.assert_allclose(arrays["accuracy"][2, 1], accuracy[0])
    np.testing.assert_allclose(arrays["accuracy_by_level"][2, 1], by_level[0])
    assert "on 300 of 300 training points of cantor, n = 2, curve 1, float32" in told["measured"]
    figure = tmp_path / "land.png"
    assert run_group(plot, "fracsim-plot", "landscape", path, "-o", figure).code == 0
    two = run_group(plot, "fracsim-plot", "landscape", path, path, "-o", figure)
    assert "one figure holds one plane" in two.err


@pytest.mark.compiled
def test_the_plane_of_a_training(trained, tmp_path):
    path = tmp_path / "path.h5"
    words = ["landscape", trained / "a.h5", "--trajectory", "--grid", "7x7"]
    told = json.loads(fracsim(*words, "-o", path, "--json").out)
    arrays = STUDY.read(path).arrays
    assert arrays["snapshot"].tolist() == list(range(0, 61, 10))  # as drawn, and six records
    assert (arrays["path_a"][-1], arrays["path_b"][-1]) == (0, 0)
    np.testing.assert_allclose(arrays["path_loss"][-1], told["loss_at_network"], rtol=1e-6)
    np.testing.assert_allclose(told["explained_null"], explained_by_walk(6))
    assert 0.9 < sum(told["explained"]) <= 1 + 1e-12
    assert np.all(np.diff(told["explained"]) <= 0)
    for name in "ab":  # the plane holds the training
        assert arrays[name][0] < arrays[f"path_{name}"].min()
        assert arrays[name][-1] > arrays[f"path_{name}"].max()
    figure = tmp_path / "path.png"
    assert run_group(plot, "fracsim-plot", "landscape", path, "-o", figure).code == 0
    assert figure.stat().st_size > 10_000


@pytest.mark.compiled
def test_the_line_between_two_networks(trained, tmp_path):
    path = tmp_path / "line.h5"
    words = ["landscape", trained / "a.h5", "--to", trained / "b.h5"]
    told = json.loads(
        fracsim(*words, "--range", "-0.5:1.5", "--count", 9, "-o", path, "--json").out
    )
    assert told["a"] == [-0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    loss = [row[0] for row in told["loss"]]
    assert loss[2] == told["loss_at_network"]
    np.testing.assert_allclose(loss[6], told["loss_at_other_end"], rtol=1e-6)
    straight = np.interp(told["a"][2:7], [0, 1], [loss[2], loss[6]])
    np.testing.assert_allclose(
        told["barrier"], max(0, (np.array(loss[2:7]) - straight).max()), atol=1e-6
    )
    figure = tmp_path / "line.png"
    assert run_group(plot, "fracsim-plot", "landscape", path, path, "-o", figure).code == 0


@pytest.mark.compiled
def test_a_constructed_network_is_tried_on_points_that_keep_its_margins(tmp_path):
    net = tmp_path / "net.h5"
    words = ["construct", "cantor", "--fractal-depth", 1, "--count", 1000]
    assert fracsim(*words, "-o", net, "-q").code == 0
    told = json.loads(fracsim("landscape", net, "--grid", "3x3", "--json").out)
    assert told["accuracy"][1][1] == 1
    assert told["measured"].endswith("of cantor, n = 1, curve 1, float64")


@pytest.mark.compiled
def test_units_without_incoming_weights_are_told(tmp_path):
    shape = Shape(2, (3,))
    params = np.array([0, 1, 2, 0, 3, 4, 0.5, 0, 0, 1, 1, 1, 0.0])
    for normalise in ("filter", "forward"):
        direction = random_direction(shape, params, normalise, 0, 0)
        assert np.isfinite(direction).all()
        assert split_layers(shape, direction)[0][0][:, 0].tolist() == [0, 0]
    assert zero_filters(shape, params) == 1
    with pytest.raises(UsageError, match="are all 0 or not finite: nowhere to go"):
        check_directions(random_direction(shape, 0 * params, "filter", 0, 0)[None])


@pytest.mark.compiled
def test_wrong_input_is_one_sentence(trained, tmp_path):
    a, b, small = trained / "a.h5", trained / "b.h5", tmp_path / "small.h5"
    net, mult = tmp_path / "net.h5", tmp_path / "m.h5"
    words = ["train", "--fractal", "cantor", "--fractal-depth", 2, "--depth", 1, "--width", 4]
    words += ["--steps", 10, "--record-every", 10, "--train-points", 100, "--test-points", 100]
    assert fracsim(*words, "-o", small, "-q").code == 0
    fracsim("construct", "cantor", "--fractal-depth", 1, "--count", 1000, "-o", net, "-q")
    fracsim("multiply", "--factors", 2, "-o", mult, "-q")
    for given, says in (
        ([a, "--to", small], "holds a network of 2 input(s), depth 1, width 4; accepted is one of"),
        ([a, "--to", a], "holds the same network as FILE"),
        ([b, "--trajectory"], "holds 1 snapshots of run 0, too few for a plane"),
        ([net, "--trajectory"], "holds a written network, which has no training"),
        ([a, "--grid", "51x"], "grid (--grid) is '51x'; accepted is 51x51 or 41"),
        ([a, "--grid", "1x5"], "grid (--grid) is '1x5'"),
        ([a, "--grid", "9999x9999"], "at most 4,000,000"),
        (
            [a, "--to", b, "--range", "1:0"],
            "range (--range) is '1:0'; accepted is LOW:HIGH",
        ),
        ([a, "--to", b, "--range", "x"], "range (--range) is 'x'"),
        ([a, "--to", b, "--span", 2], "span (--span) means nothing for a line"),
        ([a, "--range", "0:1"], "range (--range) means nothing for a plane in random"),
        ([a, "--trajectory", "--to", b], "exclude each other"),
        ([a, "--depth", 3], "network_depth (--depth) means nothing for a network of FILE"),
        ([a, "--data", "population"], "is for the hinge loss on a fractal in one dimension"),
        ([a, "--normalise", "units"], "normalise (--normalise) is 'units'"),
        ([a, "--snapshot", 99], "99"),
        ([a, "--trajectory", "--grid", "9"], "accepted here is a plane"),
        (["--depth", 0, "--fractal", "cantor1d"], "the two directions are parallel"),
        ([mult], "holds what was counted, no network"),
        (["missing.h5"], "missing.h5"),
    ):
        done = fracsim("landscape", *given, "--json")
        assert done.code in (1, 2), given
        assert says in done.sentence, (given, done.sentence)


def test_files_of_unfinished_grids_are_not_drawn(tmp_path):
    path = tmp_path / "part.h5"
    kept = Kept(str(path), "key", 4, 2)
    kept.write()
    with pytest.raises(FileError, match="holds the finished places of a landscape"):
        draw([STUDY.read(path)])
