"""``fracsim sweep``: grids on the command line, reruns, the table, the plan, progress and
Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import fracsim
from made_up_runs import made_up_runs
from places import TOP

from fracsim.data.reader import open_trajectory
from fracsim.products.results import sweep_table

TINY = """
description = "tiny"
fractal_depth = 2
steps = 40
record_every = 10
train_points = 200
test_points = 100
batch_size = 20
[grid]
network_depth = [1, 2]
width = [3, 5]
[quick]
steps = 20
"""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FRACSIM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "tiny.toml").write_text(TINY)
    return folder / "tiny.toml"


def test_a_sweep_ends_with_a_table(tiny, tmp_path):
    code, out, err = fracsim("sweep", tiny, "-o", tmp_path / "a.h5", "--threads", 2)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "best test accuracy:"
    assert lines[1].split() == ["network_depth", "\\", "width", "3", "5"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    best = open_trajectory(tmp_path / "a.h5").variable("test_accuracy")[:, 1:].max(axis=1)
    assert [line.split()[1:] for line in lines[2:]] == [
        [f"{best[0]:.4f}", f"{best[1]:.4f}"],
        [f"{best[2]:.4f}", f"{best[3]:.4f}"],
    ]
    assert "4 runs on 2 threads (as asked)" in err
    assert "is complete, in" in err


def test_json_lists_every_run(tiny, tmp_path):
    code, out, _ = fracsim("sweep", tiny, "-o", tmp_path / "a.h5", "--json", "--set", "seed=[0,1]")
    value = json.loads(out)
    assert code == 0
    assert (value["status"], value["steps"], len(value["runs"])) == ("complete", 8 * 40, 8)
    assert value["best_test_accuracy"] == max(run["best_test_accuracy"] for run in value["runs"])
    run = value["runs"][-1]
    assert (run["network_depth"], run["width"], run["seed"], run["status"], run["records"]) == (
        2,
        5,
        1,
        "complete",
        5,
    )
    assert run["final"]["step"] == 40


def test_set_seed_and_environment_in_their_order(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("FRACSIM_SEED", "8")
    monkeypatch.setenv("FRACSIM_DEPTH", "3")
    monkeypatch.setenv("FRACSIM_WIDTH", "[4, 6]")
    fracsim("sweep", tiny, "-o", tmp_path / "a.h5", "--seed", 9, "--set", "loss=squared", "--quick")
    product = open_trajectory(tmp_path / "a.h5")
    assert product.steps.tolist() == [0, 10, 20]
    assert set(product.runs["seed"]) == {9}
    assert set(product.runs["network_depth"]) == {3}
    assert list(product.runs["width"]) == [4, 6]
    assert set(product.runs["loss"]) == {"squared"}
    monkeypatch.setenv("FRACSIM_LOSS", "hing")
    code, _, err = fracsim("sweep", tiny, "-o", tmp_path / "b.h5")
    assert code == 2
    assert "FRACSIM_LOSS" in err


def test_a_product_can_be_rerun_without_its_experiment(tiny, tmp_path):
    fracsim("sweep", tiny, "-o", tmp_path / "a.h5")
    tiny.unlink()
    code, _, err = fracsim("sweep", "--from", tmp_path / "a.h5", "-o", tmp_path / "b.h5")
    assert code == 0, err
    one, two = open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5")
    assert (one.variable("test_loss") == two.variable("test_loss")).all()
    assert one.attributes["experiment_hash"] == two.attributes["experiment_hash"]
    fracsim(
        "sweep",
        "--from",
        tmp_path / "a.h5",
        "--seed",
        1,
        "-o",
        tmp_path / "c.h5",
        "--weights",
        "final",
    )
    other = open_trajectory(tmp_path / "c.h5")
    assert set(other.runs["seed"]) == {1}
    assert other.weights(3)[0] == (2, 2, 5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cantor5-depth-widht"], "did you mean 'cantor5-depth-width'"),
        ([], "give either an EXPERIMENT"),
        (["cantor5-curves", "--from", "a.h5"], "give either an EXPERIMENT"),
        (["--from", "a.h5", "--quick"], "--quick"),
        (
            ["cantor5-curves", "--set", "widht=5"],
            "unknown key 'widht' in --set; did you mean 'width'",
        ),
        (["cantor5-curves", "--set", "width"], "key=value"),
        (["cantor5-curves", "--set", "width=[5"], "--set width=[5 is not valid TOML"),
        (["cantor5-curves", "--set", "width=" + "[" * 5000], "nested too deeply"),
        (["cantor5-curves", "--set", "width=5\nseed=3"], "width (--width) is '5"),
        (["cantor5-curves", "--set", "width=0"], "width (--width) is 0"),
        (["cantor5-curves", "--set", "steps=[10000,20000]"], "steps cannot vary"),
        (["cantor5-curves", "--seed", "x"], "seed (--seed) is 'x'"),
        (["cantor5-curves", "--seed", "1", "--set", "seed=2"], "twice"),
        (["cantor5-curves", "--weights", "all"], "none, final, records"),
        (["cantor5-curves", "--threads", "-2"], "threads"),
        (["cantor5-curves", "--quik"], "did you mean '--quick'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, arguments, says):
    code, out, err = fracsim("sweep", *arguments, "-o", tmp_path / "a.h5")
    assert code == 2, err
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_rerun(tmp_path):
    (tmp_path / "text.h5").write_text("my thesis")
    for source in ("text.h5", "none.h5"):
        code, _, err = fracsim("sweep", "--from", tmp_path / source, "-o", tmp_path / "a.h5")
        assert code == 1
        assert source in err
        assert err.count("\n") == 1


def test_the_dry_run_shows_every_shape(tiny, tmp_path):
    code, out, _ = fracsim("sweep", tiny, "--dry-run", "-o", tmp_path / "a.h5")
    assert code == 0
    assert "tiny: 4 runs of 40 steps, varied: network_depth, width" in out
    assert "memory at most" in out
    value = json.loads(fracsim("sweep", tiny, "--dry-run", "--json")[1])
    assert [shape["parameters"] for shape in value["shapes"]] == [13, 21, 25, 51]
    assert all(shape["step_seconds"] > 0 for shape in value["shapes"])
    assert not (tmp_path / "a.h5").exists()


def test_the_dry_run_refuses_what_the_sweep_would(tiny, tmp_path):
    path = tmp_path / "a.h5"
    assert fracsim("sweep", tiny, "--quick", "-o", path, "--quiet").code == 0
    assert "holds another experiment" in fracsim("sweep", tiny, "--dry-run", "-o", path).sentence
    assert fracsim("sweep", tiny, "--dry-run", "-o", path, "--overwrite").code == 0


@pytest.mark.compiled
def test_ctrl_c_ends_with_75_and_keeps_the_records(tiny, tmp_path):
    path = tmp_path / "a.h5"
    arguments = [
        "sweep",
        tiny,
        "-o",
        path,
        "--set",
        "steps=100_000_000",
        "--set",
        "record_every=100_000",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "fracsim.cli.app", *map(str, arguments)],
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and process.poll() is None:
                if path.exists() and open_trajectory(path).records_done.sum() > 0:
                    break
                time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 75, err
    assert "Traceback" not in err
    assert "the same command goes on" in err
    product = open_trajectory(path)
    assert product.status == "interrupted"
    assert product.records_done.sum() > 0


def test_the_table_takes_the_mean_over_seeds_then_the_best_rate():
    runs = made_up_runs(
        [0.5, 0.7, 0.9, 0.1, None, 0.25, None, None],
        width=[5, 5, 5, 5, 9, 9, 9, 9],
        learning_rate=[1, 1, 2, 2] * 2,
        seed=[0, 1] * 4,
    )
    table = sweep_table(runs, ["width", "learning_rate", "seed"])
    assert table.splitlines()[0] == (
        "best test accuracy, best learning rate, mean over 1 to 2 seeds:"
    )
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["width", "accuracy"],
        ["5", "0.6000"],
        ["9", "0.2500"],
    ]


def test_the_table_of_rates_alone_lists_them():
    table = sweep_table(made_up_runs([0.5, None], learning_rate=[1, 2]), ["learning_rate"])
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["learning_rate", "accuracy"],
        ["1", "0.5000"],
        ["2", "-"],
    ]


def test_a_long_table_is_cut():
    keys = {key: list(range(300)) for key in ("width", "network_depth", "batch_size")}
    table = sweep_table(made_up_runs([0.5] * 300, **keys), list(keys))
    assert len(table.splitlines()) == 63
    assert "240 more" in table
