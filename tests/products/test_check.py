"""What ``check`` finds in files that can be read: each rule broken once, and no rule broken by a
good file."""

import json
import re

import numpy as np
import pytest
import trajectory_files as files
from figure_files import experiment_of, write_file
from small_experiments import small

import fracsim
from fracsim.data import untrusted
from fracsim.data.samples import write_samples
from fracsim.data.studies import write_study
from fracsim.experiments.shard import make_part
from fracsim.networks.file import NETWORK
from fracsim.networks.stored import load_network
from fracsim.products.check import check_file


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    """Files of our own making need no child process."""
    monkeypatch.setattr(untrusted.sandbox, "inspect", lambda fd, name: None)


def grid(weights="records", **crossed):
    crossed = crossed or {"network_depth": [0, 2]}
    return experiment_of(crossed, weights, width=4, fractal_depth=3, steps=30, record_every=10)


@pytest.fixture
def finished(tmp_path):
    return write_file(tmp_path / "run.h5", grid())


def problem(path):
    """The one problem of a file."""
    report = check_file(path, NETWORK)
    assert len(report.problems) == 1, report.problems
    assert report.problems[0].startswith(f"'{path}' is not valid: ")
    assert not report.valid
    assert not report.complete
    return report.problems[0]


# --- good files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["none", "final", "records"])
def test_a_finished_file_is_valid_and_complete(tmp_path, weights):
    report = check_file(write_file(tmp_path / "run.h5", grid(weights)))
    assert (report.valid, report.complete, report.problems, report.remarks) == (True, True, (), ())
    snapshots = {"none": 0, "final": 1, "records": 4}[weights]
    assert report.facts["runs"] == [
        {
            "run": run,
            "status": "complete",
            "records_done": 4,
            "last_step": 30,
            "snapshots_done": snapshots,
        }
        for run in (0, 1)
    ]


def test_a_shard_is_compared_with_its_part_of_the_experiment(tmp_path):
    grid = small(crossed={"network_depth": (0, 1, 2), "seed": (0, 7)}, weights="final")
    for i in range(2):
        fracsim.run_sweep(grid, tmp_path / "shard.h5", shard=f"{i}/2", overwrite=True)
        report = check_file(tmp_path / "shard.h5")
        assert (report.complete, report.problems, report.facts["shard"]) == (True, (), f"{i}/2")
        assert [run["run"] for run in report.facts["runs"]] == list(
            make_part(grid, f"{i}/2").numbers
        )


@pytest.mark.parametrize(("finish", "status"), [(None, "running"), ("interrupted", "interrupted")])
def test_an_unfinished_file_is_valid_as_far_as_it_is(tmp_path, finish, status):
    report = check_file(write_file(tmp_path / "run.h5", grid(), records=2, finish=finish))
    assert (report.valid, report.complete, report.status) == (True, False, status)
    assert report.facts["note"] == f"{status}, 6 of 8 records"
    assert [run["last_step"] for run in report.facts["runs"]] == [20, 20]


def test_what_overflows_is_counted_in_any_record(tmp_path):
    """One rule for writer, checker and docs: losses, gradients and weights may be not finite."""

    def change(root):
        root["records_done"][1], root["run_status"][1] = 3, 3
        root["train_loss"][1, 1], root["test_loss"][1, 2] = np.nan, np.inf
        root["gradient_norm"][1, :2] = np.nan  # of layers 0 to 2
        root["weights/T2_k4_d2/params"][0, 1:3, 4] = np.inf
        root["weights/T0_k4_d2/params"][0, 0, 0] = np.nan

    path = files.changed(write_file(tmp_path / "run.h5", grid()), change)
    report = check_file(path)
    assert report.complete
    counts = {"train_loss": 1, "test_loss": 1, "gradient_norm": 6, "params": 3}
    assert report.facts["not_finite"] == counts
    assert check_file(write_file(path, grid())).facts["not_finite"] == {}


@pytest.mark.slow
def test_a_training_that_diverges_late_is_valid(tmp_path):
    fracsim.train(
        tmp_path / "run.h5",
        fractal_depth=2,
        network_depth=40,
        width=3,
        optimizer="momentum",
        momentum=0.999999,
        learning_rate=1000,
        steps=100,
        record_every=1,
        train_points=200,
        test_points=100,
        batch_size=20,
        weights="records",
    )
    assert check_file(tmp_path / "run.h5").complete


def test_a_real_training_is_valid(tmp_path):
    fracsim.train(
        tmp_path / "run.h5",
        fractal="cantor1d",
        network_depth=2,
        width=5,
        fractal_depth=2,
        steps=40,
        record_every=10,
        train_points=200,
        test_points=100,
        batch_size=20,
    )
    assert check_file(tmp_path / "run.h5").complete


# --- contradictions -------------------------------------------------------------------------------


def put(name, at, value):
    def change(root):
        root[name][at] = value

    return change


def experiment(**changed):
    def change(root):
        value = {**json.loads(root.attrs["experiment"]), **changed}
        root.attrs["experiment"] = json.dumps(value)

    return change


T2 = "weights/T2_k4_d2"
CONTRADICTIONS = {
    "accuracy above 1": (
        put("test_accuracy", (1, 2), 1.5),
        "test_accuracy of run 1 at step 20 is 1.5; accepted is a",
    ),
    "accuracy missing": (
        put("train_accuracy", (0, 1), np.nan),
        "train_accuracy of run 0 at step 10 is nan; accepted",
    ),
    "negative loss": (
        put("train_loss", (1, slice(None)), -1.0),
        r"run 1 at step 0 is -1 \(and 3 more\); accepted is",
    ),
    "endless time": (put("wall_time", (0, 3), np.inf), "wall_time of run 0 at step 30 is inf"),
    "time missing": (put("wall_time", (0, 0), np.nan), "wall_time of run 0 at step 0 is nan"),
    "level": (
        put("test_accuracy_by_level", (0, 3, 3), -0.1),
        "by_level of run 0 at step 30, level 3 is -0.1",
    ),
    "negative gradient": (
        put("gradient_norm", (1, 1, 1), -np.inf),
        "gradient_norm of run 1 at step 10, layer 1 is -inf",
    ),
    "no such layer": (
        put("gradient_norm", (0, 0, 1), 0.5),
        "layer 1 is 0.5; this run has no such layer",
    ),
    "record missing": (put("records_done", 1, 3), "run 1 is complete with 3 of 4 records"),
    "run not ended": (put("run_status", 0, 1), "the file is complete, but run 0 is running"),
    "weights missing": (
        put(f"{T2}/snapshots_done", 0, 3),
        "run 1 is complete, but has 3 of 4 snapshots",
    ),
    "weights shape": (
        lambda root: root[T2].attrs.modify("width", 5),
        "'T2_k4_d2' says it has d, T, k = 2, 2, 5",
    ),
    "other width": (put("width", 1, 5), "width of run 1 is '5', its experiment says '4'"),
    "other fractal": (
        put("fractal", 0, "vicsek"),
        "fractal of run 0 is 'vicsek', its experiment says 'cantor'",
    ),
    "other hash": (
        lambda root: root.attrs.modify("experiment_hash", "0" * 64),
        "does not match its experiment_hash",
    ),
    "no hash": (
        lambda root: root.attrs.pop("experiment_hash"),
        "it stores no experiment, or not its hash",
    ),
    "other runs": (
        experiment(grid={"network_depth": [0, 1, 2]}),
        "its experiment has 3 runs, the file 2",
    ),
    "endless runs": (
        experiment(grid={str(i): [1] * 9000 for i in range(9)}),
        "has more than a billion runs, the file",
    ),
    "range": (
        experiment(grid={"seed": {"start": 0, "stop": 9}}),
        "an axis of its grid is not a list",
    ),
    "no shard": (
        lambda root: root.attrs.modify("shard", "3/2"),
        r"experiment is refused: --shard is '3/2'",
    ),
    "other shard": (
        lambda root: root.attrs.modify("shard", "0/2"),
        "its runs are not those of shard 0/2",
    ),
    "no grid": (experiment(grid=3), "it has no grid"),
    "no experiment": (
        experiment(settings=[]),
        "experiment is refused: the stored experiment cannot be read",
    ),
    "bad setting": (experiment(settings={"width": 0}), r"is refused: width \(--width\) is 0"),
    "no fractals": (
        experiment(fractals={}),
        "experiment is refused: the stored experiment cannot be read: KeyError",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions(finished, case):
    change, sentence = CONTRADICTIONS[case]
    files.changed(finished, change)
    assert re.search(sentence, problem(finished))


def test_several_contradictions_are_all_told(finished):
    files.changed(
        finished, lambda root: (put("width", 0, 9)(root), put("test_accuracy", (0, 0), 2)(root))
    )
    assert len(check_file(finished).problems) == 2


def test_the_hash_of_another_version_is_not_judged(finished):
    """A later version may have settings that this one does not know, and hashes them, too."""
    files.changed(
        finished, lambda root: root.attrs.update(software="fracsim 0.0.1", experiment_hash="0" * 64)
    )
    report = check_file(finished)
    assert report.complete
    assert report.remarks == ("experiment_hash was not compared: the file is by 'fracsim 0.0.1'",)


@pytest.mark.parametrize("fractals", [{}, [], {"cantor": 3}, {"cantor": {"map": []}}])
def test_the_fractal_of_a_file_is_looked_up_nowhere_else(finished, tmp_path, fractals):
    """The name in a file could be the path of any TOML file of the reader's."""
    files.changed(finished, experiment(fractals=fractals))
    with pytest.raises(fracsim.FileError, match="does not define its fractal 'cantor'"):
        load_network(finished)
    (tmp_path / "secret.toml").write_text("password = 'secret'")
    files.changed(finished, put("fractal", slice(None), str(tmp_path / "secret.toml")))
    with pytest.raises(fracsim.FileError, match="does not define its fractal") as caught:
        load_network(finished)
    assert "password" not in str(caught.value)


def test_what_a_file_says_cannot_command_a_terminal(finished):
    files.changed(finished, lambda root: put("fractal", 0, "\x1b[2J\n")(root))
    assert problem(finished).isprintable()
    files.changed(finished, lambda root: root.create_group("\x1b]0;pwned\n" + "x" * 5000))
    assert check_file(finished).problems[0].isprintable()
    assert len(check_file(finished).problems[0]) < 600


# --- samples and studies --------------------------------------------------------------------------

POINTS = (np.array([[0.5, 0.5], [0.0, 0.0]]), np.array([1, -1]), np.array([2, 0]))


def points(path, x=POINTS[0], y=POINTS[1], level=POINTS[2], **changed):
    cantor = json.dumps(fracsim.load_fractal("cantor").to_dict())
    write_samples(path, x, y, level, {"fractal_definition": cantor, "fractal_depth": 2, **changed})
    return path


def test_samples(tmp_path):
    report = check_file(points(tmp_path / "points.h5"))
    assert (report.kind, report.complete, report.facts) == (
        "samples",
        True,
        {"points": 2, "dimension": 2},
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"y": np.array([1, 0])}, "y of point 1 is neither 1 nor -1"),
        ({"level": np.array([2, 2])}, "point 1 has y -1 and level 2 of 2"),
        ({"level": np.array([1, -1])}, r"point 0 has y 1 and level 1 of 2 \(and 1 more\)"),
        ({"x": np.array([[0, 0], [np.nan, 0]])}, "x of point 1 is not finite"),
        ({"x": np.array([[0, 0], [1.5, 0]])}, "points lie outside the base"),
        ({"x": np.zeros((2, 3))}, "have 3 coordinates, its fractal has dimension 2"),
        ({"fractal_definition": "{}"}, "its fractal is refused: fractal without a name"),
        ({"fractal_definition": "["}, "its fractal cannot be read"),
    ],
)
def test_samples_that_contradict_themselves(tmp_path, changed, sentence):
    assert any(
        re.search(sentence, text)
        for text in check_file(points(tmp_path / "p.h5", **changed)).problems
    )


def test_studies(tmp_path):
    path = tmp_path / "net.h5"
    facts = {
        "input_dimension": 2,
        "network_depth": 1,
        "width": 2,
        "fractal_depth": 3,
        "about": "a test",
        "fractal_definition": json.dumps(fracsim.load_fractal("cantor").to_dict()),
    }
    write_study(path, NETWORK, {"params": np.zeros(9)}, facts)
    assert check_file(path, NETWORK).complete
    write_study(path, NETWORK, {"params": np.full(9, np.nan)}, facts)
    assert "its weights are not all finite" in problem(path)
    write_study(path, NETWORK, {"params": np.zeros(8)}, facts)
    assert "its network cannot be used" in problem(path)
