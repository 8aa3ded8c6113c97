"""Experiments: the shipped ones, reading TOML, overriding, and a resolved form that is complete in
itself."""

import dataclasses
import json

import pytest
from places import TOP

from fracsim.errors import UsageError
from fracsim.experiments.experiment import (
    WEIGHTS,
    Experiment,
    Run,
    experiment_names,
    load_experiment,
    make_experiment,
    make_run,
)
from fracsim.experiments.grid import Grid
from fracsim.fractals.fractal import load_fractal
from fracsim.problems.registry import PROBLEM_KEYS
from fracsim.training.run import SETTINGS

TRIANGLE = """
name = "corner-triple"
[[map]]
scale = "1/3"
offset = ["-2/3", "-2/3"]
[[map]]
scale = "1/3"
offset = ["2/3", "-2/3"]
"""


def written(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_are_the_papers_protocol():
    run = Run()
    run.validate()
    assert (run.fractal, run.fractal_depth, run.curve, run.gap) == ("cantor", 5, "1", None)
    assert (run.initialisation, run.loss, run.optimizer, run.learning_rate) == (
        "paper",
        "hinge",
        "adam",
        0.005,
    )
    assert (run.beta1, run.beta2, run.epsilon) == (0.9, 0.999, 1e-8)
    assert (run.data, run.train_points, run.test_points, run.batch_size) == (
        "dataset",
        50_000,
        5_000,
        100,
    )
    assert (run.steps, run.record_every) == (1_000_000, 10_000)
    assert run.recorded_steps()[:2] == range(0, 20_000, 10_000)
    assert run.recorded_steps()[-1] == 1_000_000
    assert len(run.recorded_steps()) == 101


def test_choices_are_those_of_the_kernels():
    from fracsim.kernels.network.losses import EVERY_LOSS
    from fracsim.kernels.points.geometry import GAPS
    from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES

    assert SETTINGS["loss"].choices == tuple(EVERY_LOSS)
    assert SETTINGS["optimizer"].choices == tuple(OPTIMIZERS)
    assert SETTINGS["schedule"].choices == tuple(SCHEDULES)
    assert set(SETTINGS["gap"].choices) == set(GAPS)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"batch_size": 200, "train_points": 100},
            "batch_size .* is 200, more than the training set.* is 100",
        ),
        ({"record_every": 300, "steps": 1000}, "record_every .* is 300; it must divide steps"),
        ({"record_every": 2000, "steps": 1000}, "must divide steps"),
        ({"initialisation": "uniform"}, "needs a bias"),
        ({"schedule": "step"}, "needs a schedule_period"),
        ({"loss": "hing"}, "loss .* is 'hing'; accepted is one of hinge, logistic, squared"),
        (
            {"learning_rate": 0},
            "learning_rate .--learning-rate. is 0.0; accepted is a number from 1e-30 to 1,000",
        ),
        ({"epsilon": 1e-46}, "epsilon .* is 1e-46; accepted is a number from 1e-30 to 1"),
        ({"network_depth": -1}, "network_depth .--depth. is -1; accepted is a whole number from 0"),
    ],
)
def test_settings_that_make_no_sense(settings, says):
    with pytest.raises(UsageError, match=says):
        make_run(settings)


def test_settings_that_look_odd_but_are_fine():
    make_run({"data": "stream", "batch_size": 200, "train_points": 100})
    make_run({"network_depth": 0})
    make_run({"initialisation": "uniform", "bias": 0})
    make_run({"schedule": "step", "schedule_period": 10})


FRACTALS = ("cantor", "pentaflake", "sierpinski", "vicsek")
DEPTHS_AND_CURVES = [f"{name}5-{kind}" for name in FRACTALS for kind in ("curves", "depth-width")]
PAPERS = ["cantor1d-fine", *DEPTHS_AND_CURVES]
"""The experiments by the paper's protocol."""

OTHERS = [
    "cantor3-anatomy",
    "cifar10-depth-width",
    "conjecture1d",
    "conjecture2d",
    "digits-depth-width",
    "distil-cantor3",
    "distil-teachers",
    "fashion-depth-width",
    "product-depth",
    "radial-depth",
    "radial-oscillation",
    "start-depth",
]
NEED_A_FILE = {
    "distil-cantor3": r"needs a teacher \(--teacher\)",
    "cifar10-depth-width": r"needs images \(--images\)",
    "fashion-depth-width": r"needs images \(--images\)",
}


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", experiment_names())
def test_shipped_experiments_load(name, quick):
    if name in NEED_A_FILE:
        with pytest.raises(UsageError, match=NEED_A_FILE[name]):
            load_experiment(name, quick)
        return
    experiment = load_experiment(name, quick)
    assert experiment.description
    assert len({run.steps for run in experiment.runs}) == 1
    if name not in PAPERS:
        return
    if quick:
        assert len(experiment.runs) <= 20
        assert experiment.runs[0].steps == 100_000
        assert experiment.runs[0].record_every == 5_000
        assert "learning_rate" not in experiment.varied
    else:
        assert experiment.runs[0].steps == 1_000_000
        assert {run.learning_rate for run in experiment.runs} == {0.001, 0.002, 0.005}


def test_the_shipped_set_is_that_of_the_docs():
    assert set(experiment_names()) == {*PAPERS, *OTHERS}
    for name in DEPTHS_AND_CURVES:
        experiment = load_experiment(name)
        assert {run.fractal for run in experiment.runs} == {name.partition("5")[0]}
        shapes = {(run.network_depth, run.width, run.curve) for run in experiment.runs}
        if name.endswith("curves"):
            assert shapes == {(5, 200, str(curve)) for curve in range(1, 7)}
        else:
            assert shapes == {(t, k, "1") for t in range(1, 6) for k in (10, 20, 50, 100, 200, 400)}
    assert {run.load_fractal().dimension for run in load_experiment("cantor1d-fine").runs} == {1}


def test_the_gap_is_resolved_from_the_fractal():
    experiment = load_experiment(
        "cantor5-curves", overrides={"fractal": ["cantor", "vicsek"], "curve": 1}
    )
    assert {run.fractal: run.gap for run in experiment.runs} == {
        "cantor": "centre",
        "vicsek": "complement",
    }
    fixed = load_experiment("cantor5-curves", overrides={"gap": "complement"})
    assert {run.gap for run in fixed.runs} == {"complement"}


def test_overrides_win_over_quick_and_quick_over_the_file(tmp_path):
    path = written(
        tmp_path,
        """
        description = "mine"
        weights = "final"
        steps = 1000
        record_every = 100
        [grid]
        width = [10, 20, 30]
        seed = [0, 1]
        [[zip]]
        fractal = ["cantor", "vicsek"]
        curve = [1, 4]
        [quick]
        steps = 200
        seed = 5
        [quick.grid]
        width = [10, 20]
        """,
    )
    full, quick = load_experiment(path), load_experiment(str(path), quick=True)
    assert (full.name, quick.name, full.weights) == ("mine", "mine-quick", "final")
    assert len(full.runs) == 12
    assert len(quick.runs) == 4
    assert {(run.fractal, run.curve) for run in full.runs} == {("cantor", "1"), ("vicsek", "4")}
    assert {(run.steps, run.seed) for run in quick.runs} == {(200, 5)}
    mine = load_experiment(
        path, quick=True, overrides={"width": 7, "seed": [1, 2, 3]}, weights="none"
    )
    assert mine.varied == ("fractal", "curve", "seed")
    assert {run.width for run in mine.runs} == {7}
    assert mine.weights == "none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("widht = 5", "unknown key 'widht' in experiment 'mine'; did you mean 'width'"),
        (
            "[grid]\ndepth = [1]",
            "unknown key 'depth' in .grid. of experiment 'mine'; did you mean 'network_depth'",
        ),
        ("[quik]\nsteps = 5", "unknown key 'quik'.*'quick'"),
        ("[[zip]]\nwidth = [1]\nfoo = [2]", "unknown key 'foo' in ..zip.."),
        ("zip = 3", "zip"),
        ("zip = [3]", "zip"),
        ("grid = 3", "grid must be a table"),
        ("width = [1, 2]", "width"),
        ("width = ", "not valid TOML"),
        ("weights = 'all'", "weights is 'all'; accepted is one of none, final, records"),
        ("fractal = 'cantro'", "unknown fractal 'cantro'; did you mean 'cantor'"),
        ("curve = 9", "9"),
        ("curve = [0.5, 1]", "5"),
        ("fractal_depth = 500\nfractal = 'cantor'", "500"),
        ("[grid]\nsteps = [10000, 20000]", "steps cannot vary"),
        ("[grid]\nseed = [0, -1]", "seed"),
        ("[quick]\nweights = 'final'", "unknown key 'weights' in .quick. of experiment 'mine'"),
        ("a = " + "[" * 5000, "mine.toml is not valid TOML: .* nested too deeply"),
        (
            "width = " + "9" * 5000,
            "mine.toml is not valid TOML: a number in it has too many digits",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(tmp_path, text, says):
    with pytest.raises(UsageError, match=says) as caught:
        load_experiment(written(tmp_path, text), quick="[quick]" in text)
    assert "\n" not in str(caught.value)


def test_names_and_paths_that_are_not_there(tmp_path):
    with pytest.raises(
        UsageError,
        match="unknown experiment 'cantor5-depth-widht'; did you mean 'cantor5-depth-width'",
    ):
        load_experiment("cantor5-depth-widht")
    with pytest.raises(UsageError, match="name of a file"):
        load_experiment(tmp_path / "nul\0.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_experiment(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_experiment(tmp_path / "bytes.toml")
    with pytest.raises(UsageError, match=r"has no \[quick\]"):
        load_experiment(written(tmp_path, "width = 5"), quick=True)


def test_a_resolved_experiment_needs_nothing_but_itself(tmp_path):
    fractal = written(tmp_path, TRIANGLE, "fractal.toml")
    curves = [1, [0.5, 0.6, 0.7, 0.8, 0.9, 1]]
    experiment = load_experiment(
        "cantor5-curves", overrides={"fractal": str(fractal), "curve": curves}
    )
    stored = experiment.to_json()
    fractal.unlink()
    again = Experiment.from_json(stored)
    assert again == experiment
    assert again.hash() == experiment.hash()
    assert again.runs == experiment.runs
    assert {run.fractal for run in again.runs} == {"corner-triple"}
    assert again.runs[0].load_fractal().maps == 2
    written_down = set(json.loads(stored)["settings"]) | set(again.varied)
    assert written_down >= set(experiment.keys), "every key is written down"
    changed = again.changed({"seed": [0, 1], "width": 7})
    assert len(changed.runs) == 2 * len(again.runs)
    assert changed.runs[0].load_fractal().maps == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"settings": {}}', '{"settings": 3, "grid": {}, "zip": []}']
)
def test_a_stored_experiment_that_is_none(text):
    with pytest.raises(UsageError, match="stored experiment cannot be read"):
        Experiment.from_json(text)


def test_a_stored_experiment_that_was_tampered_with():
    good = json.loads(load_experiment("cantor5-curves", quick=True).to_json())
    half = {"cantor": {"gap": "centre"}}
    for change in ({"fractals": {}}, {"fractals": half}, {"fractals": 3}, {"zip": 7}, {"grid": []}):
        with pytest.raises(UsageError):
            Experiment.from_json(json.dumps({**good, **change}))
    for settings in ({"width": -5}, {"width": 10**9}, {"no_such_key": 1}, {"seed": None}):
        with pytest.raises(UsageError):
            Experiment.from_json(json.dumps({**good, "settings": {**good["settings"], **settings}}))


def test_the_hash_depends_on_what_is_computed_and_on_nothing_else(tmp_path):
    base = make_experiment(Grid(fixed={"width": 10}), name="a", description="one")
    assert (
        base.hash()
        == make_experiment(Grid(crossed={"width": (10,)}), name="b", description="two").hash()
    )
    assert base.hash() == make_experiment(Grid(fixed={"width": 10, "gap": "centre"})).hash(), (
        "the fractal's own gap"
    )
    others = [
        make_experiment(Grid(fixed={"width": 10, key: value}))
        for key, value in {
            "seed": 1,
            "bias": 0.1,
            "gap": "complement",
            "precision": "float64",
            "curve": "2",
        }.items()
    ]
    others.append(make_experiment(Grid(fixed={"width": 10}), weights="final"))
    others.append(make_experiment(Grid(crossed={"width": (10, 20)})))
    others.append(make_experiment(Grid(fixed={"width": 10, "fractal": "cantor:3"})))
    hashes = {experiment.hash() for experiment in [base, *others]}
    assert len(hashes) == len(others) + 1


def test_fractals_that_share_a_name_are_refused(tmp_path):
    shipped = written(tmp_path, TRIANGLE.replace("corner-triple", "vicsek"), "a.toml")
    with pytest.raises(UsageError, match="name of a shipped one, 'vicsek'"):
        make_experiment(Grid(fixed={"fractal": str(shipped)}))
    one = written(tmp_path, TRIANGLE, "b.toml")
    two = written(tmp_path, TRIANGLE.replace('"1/3"', '"1/4"'), "c.toml")
    with pytest.raises(UsageError, match="two different fractals"):
        make_experiment(Grid(crossed={"fractal": (str(one), str(two))}))


def test_an_experiment_too_long_for_its_file_is_refused():
    with pytest.raises(UsageError, match="too long to be stored"):
        make_experiment(Grid(crossed={"seed": tuple(range(10**9, 10**9 + 6000))}))


def test_runs_are_plain_values():
    run = load_experiment("cantor5-curves", quick=True).runs[0]
    assert hash(run) == hash(dataclasses.replace(run))
    assert run.settings().keys() == {
        key for key in SETTINGS if PROBLEM_KEYS.get(key, "fractal") == "fractal"
    }
    assert run.distribution().law().fractal_depth == 5
    assert load_fractal("cantor").dimension == run.load_fractal().dimension == 2
    assert WEIGHTS == ("none", "final", "records")


def test_the_documented_table_of_keys_is_the_code():

    rows = ["| key | default | accepted | meaning |", "|---|---|---|---|"]
    for key, setting in SETTINGS.items():
        default = getattr(Run, key)
        shown = setting.optional if default is None else f"`{default}`"
        rows.append(f"| `{key}` | {shown} | {setting.accepted} | {setting.about} |")
    page = TOP / "docs" / "experiments.md"
    assert "\n".join(rows) in page.read_text(encoding="utf-8"), (
        "docs/experiments.md should hold:\n" + "\n".join(rows)
    )


def test_the_documented_example_is_an_experiment(tmp_path):

    page = (TOP / "docs" / "experiments.md").read_text(encoding="utf-8")
    path = written(tmp_path, page.partition("```toml mine.toml\n")[2].partition("```")[0])
    assert len(load_experiment(path).runs) == 54
    assert len(load_experiment(path, quick=True).runs) == 2 * 3 * 2
    for name in experiment_names():
        assert name in page or name.partition("5-")[0] + "5-…" in page
