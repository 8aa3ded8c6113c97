"""``fracsim train``: the command as typed, its JSON, its errors, and that its help imports nothing
heavy."""

import json
import os
import re
import subprocess
import sys

import pytest
from command_line import fracsim
from places import TOP

from fracsim.cli.sweep import _one_line_result
from fracsim.data.reader import open_trajectory
from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.training.run import SETTINGS, Run
from fracsim.values.settings import option_name

TINY = ["--fractal-depth=2", "--depth=1", "--width=5", "--steps=40", "--record-every=10"]
TINY += ["--train-points=200", "--test-points=100", "--batch-size=20"]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FRACSIM_")]:
        monkeypatch.delenv(name)


def test_json_is_one_object_with_what_was_promised(tmp_path):
    path = tmp_path / "run.h5"
    code, out, err = fracsim("train", *TINY, "--threads", 1, "-o", path, "--json")
    assert code == 0
    assert out.count("\n") == 1
    value = json.loads(out)
    assert set(value) == {
        "output",
        "status",
        "steps",
        "seconds",
        "steps_per_second",
        "best_test_accuracy",
        "final",
    }
    assert (value["output"], value["status"], value["steps"]) == (str(path), "complete", 40)
    assert value["steps_per_second"] == pytest.approx(40 / value["seconds"])
    product = open_trajectory(path)
    assert value["best_test_accuracy"] == product.variable("test_accuracy")[0, 1:].max()
    final = value["final"]
    assert final["step"] == 40
    assert final["test_accuracy"] == product.variable("test_accuracy")[0, -1]
    assert len(final["test_accuracy_by_level"]) == 3
    assert len(final["gradient_norm"]) == 2
    assert "a single run uses one thread" in err
    assert "complete" in err


def test_the_product_holds_weights_command_and_settings(tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    monkeypatch.setattr(
        sys, "argv", ["/usr/bin/fracsim", "train", "--fractal-depth=2", "-o", "my run.h5"]
    )
    fracsim("train", *TINY, "--learning-rate", "0.01", "--curve", "finest:1", "-o", path)
    product = open_trajectory(path)
    assert product.weights(0)[0] == (2, 1, 5)
    assert product.attributes["command"] == "fracsim train --fractal-depth=2 -o 'my run.h5'"
    assert product.runs["learning_rate"][0] == 0.01
    assert product.runs["curve"][0] == "finest:1"
    assert product.experiment["name"] == "train"


def test_the_result_is_told_in_a_line(tmp_path):
    code, out, err = fracsim("train", *TINY, "-o", tmp_path / "run.h5")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("complete after 40 steps: best test accuracy 0.")
    code, out, err = fracsim("train", *TINY, "-o", tmp_path / "quiet.h5", "--quiet")
    assert (code, out, err) == (0, "", "")


def test_a_run_that_was_interrupted_is_not_called_running():
    final = {"step": 9, "test_accuracy": 0.0, "train_accuracy": 0.0}
    result = {"status": "running", "best_test_accuracy": 0.5, "final": final}
    assert _one_line_result(result, "interrupted").startswith("interrupted after 9 steps")
    assert _one_line_result({**result, "status": "diverged"}, "complete").startswith(
        "diverged after 9 steps"
    )
    assert _one_line_result({**result, "final": None}, "interrupted") == "interrupted, no record"


def test_again_does_nothing_and_another_setting_is_refused(tmp_path):
    path = tmp_path / "run.h5"
    first = json.loads(fracsim("train", *TINY, "-o", path, "--json")[1])
    before = path.read_bytes()
    code, out, err = fracsim("train", *TINY, "-o", path, "--json", "--threads", 2)
    again = json.loads(out)
    assert code == 0
    assert "already complete" in err
    assert again["final"] == first["final"]
    assert (again["steps"], again["seconds"], again["steps_per_second"]) == (40, None, None)
    code, out, err = fracsim("train", *TINY, "-o", path, "--seed", 3)
    assert (code, out) == (1, "")
    assert "holds another experiment: seed is 0 there and 3 here" in err
    assert path.read_bytes() == before
    assert fracsim("train", *TINY, "-o", path, "--seed", 3, "--overwrite")[0] == 0


def test_the_environment_counts_less_than_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("FRACSIM_DEPTH", "2")
    monkeypatch.setenv("FRACSIM_SEED", "11")
    fracsim("train", *TINY, "-o", tmp_path / "run.h5")
    runs = open_trajectory(tmp_path / "run.h5").runs
    assert (runs["network_depth"][0], runs["seed"][0]) == (1, 11)


def test_nan_is_null(tmp_path):
    options = ["--loss", "squared", "--optimizer", "sgd", "--learning-rate", "900"]
    code, out, _ = fracsim("train", *TINY, *options, "-o", tmp_path / "run.h5", "--json")
    assert code == 0
    assert "NaN" not in out
    assert json.loads(out)["status"] == "diverged"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fractal", "cantro"], "unknown fractal 'cantro'; did you mean 'cantor'"),
        (["--curve", "7"], "7"),
        (["--fractal-depth", "60"], "60"),
        (["--widht", "5"], "did you mean '--width'"),
        (["--width", "0"], "width (--width) is 0; accepted is a whole number from 1"),
        (["--width", "-5"], "is -5"),
        (["--width", "1.5"], "'1.5'"),
        (["--depth", "x"], "network_depth (--depth) is 'x'"),
        (["--learning-rate", "nan"], "learning_rate (--learning-rate) is nan"),
        (["--learning-rate", "0"], "from 1e-30"),
        (["--learning-rate", "-1"], "from 1e-30"),
        (["--epsilon", "1e-46"], "from 1e-30"),
        (["--learning-rate", "inf"], "inf"),
        (["--steps", "0"], "steps (--steps) is 0"),
        (["--steps", "1e300"], "steps"),
        (["--record-every", "7"], "must divide steps"),
        (["--batch-size", "201"], "more than the training set"),
        (["--gap", "hole"], "complement, centre"),
        (["--threads", "0"], "threads"),
        (["--threads", "1e30"], "from 1 to 4096"),
        (["--weights", "none"], "final, records"),
        (["--backend", "abacus"], "accepted: one of auto, cpu, cuda"),
        (["--backend", "gpu"], "did you mean 'cpu'? (accepted"),
        (["--initialisation", "uniform"], "needs a bias"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, options, says):
    code, out, err = fracsim("train", *TINY, *options, "-o", tmp_path / "run.h5")
    assert code == 2, err
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_bad_outputs_are_one_sentence_and_exit_code_1(tmp_path):
    (tmp_path / "text.h5").write_text("my thesis")
    for output in (tmp_path / "none" / "run.h5", tmp_path, tmp_path / "text.h5"):
        code, out, err = fracsim("train", *TINY, "-o", output)
        assert (code, out) == (1, "")
        assert err.startswith("Error: ")
        assert err.count("\n") == 1
    assert (tmp_path / "text.h5").read_text() == "my thesis"
    code, _, err = fracsim("train", *TINY, "-o", "/dev/null", "--overwrite")
    assert (code, err) == (
        1,
        "Error: the output /dev/null is a device; accepted is the name of a file.\n",
    )
    code, _, err = fracsim("train", *TINY)
    assert code == 2
    assert "give -o FILE" in err


def test_the_dry_run_plans_and_writes_nothing(tmp_path):
    code, out, _ = fracsim("train", "--width", 10, "--dry-run", "-o", tmp_path / "run.h5")
    assert code == 0
    assert "train: 1 run of 1,000,000 steps" in out
    assert "on 1 thread (a single run uses one thread)" in out
    value = json.loads(fracsim("train", "--width", 10, "--dry-run", "--json")[1])
    assert value["shapes"][0]["parameters"] == 2 * 10 + 10 + 4 * (100 + 10) + 10 + 1
    assert value["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_setting_with_its_default():
    code, out, _ = fracsim("train", "--help")
    assert code == 0
    text = " ".join(out.split())
    for key, accepts in SETTINGS.items():
        assert re.search(rf"{option_name(key, accepts)}[, ]", text), key
        default = getattr(Run, key)
        assert default is None or f"[default: {default}]" in text
    assert "Example" in out


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_help_imports_nothing_heavy(name):
    code = (
        "import sys\n"
        "from fracsim.cli.app import command\n"
        f"try: command.main([{name!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'numba', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP, check=True
    )
    assert done.stdout.strip().endswith("[]")


def test_short_names_set_the_same_as_long_ones(tmp_path):
    short = ["--lr", "0.01", "--init", "he"]
    long = ["--learning-rate", "0.01", "--initialisation", "he"]
    for name, options in (("short", short), ("long", long)):
        assert fracsim("train", *TINY, *options, "-o", tmp_path / f"{name}.h5", "-q")[0] == 0
    short, long = (open_trajectory(tmp_path / f"{name}.h5") for name in ("short", "long"))
    assert short.experiment == long.experiment
    assert short.runs["learning_rate"][0] == 0.01
    assert short.runs["initialisation"][0] == "he"
    taken = ["sweep", "cantor5-depth-width", "--quick", "--dry-run", "--json"]
    for assignments in (("lr=0.1", "init=he", "depth=2"), ("learning_rate=0.1", "depth=[2]")):
        sets = [part for one in assignments for part in ("--set", one)]
        assert fracsim(*taken, *sets)[0] == 0


def test_drawn_biases_are_a_setting_and_leave_the_weights_alone(tmp_path):
    for name, options in (("equal", ["--bias", "0"]), ("drawn", ["--bias-std", "0.5"])):
        path = tmp_path / f"{name}.h5"
        rate = ["--lr", "1e-30", "--steps", "10"]
        assert fracsim("train", *TINY, *rate, *options, "-o", path, "-q")[0] == 0
    files = (open_trajectory(tmp_path / f"{name}.h5") for name in ("equal", "drawn"))
    equal, drawn = (split_layers(Shape(2, (5,)), one.weights(0)[1]) for one in files)
    for (weights, biases), (same, others) in zip(equal, drawn, strict=True):
        assert (weights == same).all()
        assert (abs(biases) < 1e-25).all()
        assert (abs(others) > 1e-6).all()
    code, _, err = fracsim("train", *TINY, "--bias-std", "-1", "-o", tmp_path / "no.h5")
    assert code == 2
    assert "bias_std (--bias-std) is -1.0; accepted is a number from 0" in err
