"""The printed job array on a real Slurm: stopped in every way that Slurm knows, continued, equal to
a straight sweep.

It takes two minutes, many of them for the shortest time limit of a job to pass: pytest -m 'slurm
and not slow'"""

import shlex
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from pages import fenced_in
from places import TOP
from slurm_cluster import NoSlurm, SlurmCluster
from small_experiments import NUMBERS

from fracsim.data.checkpoint import checkpoint_path
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(2400)]

GRID = """
description = "eight runs of some seconds each"
fractal_depth = 3
steps = 400_000
record_every = 20_000
train_points = 2_000
test_points = 500
network_depth = 2
[grid]
width = [8, 16]
seed = [0, 1, 2, 3]
"""
SHARDS = 4


@pytest.fixture(scope="module")
def cluster():
    """The cluster, with ``fracsim`` on its path, and grid.toml and the straight product in its
    folder."""
    with ExitStack() as stack:
        try:
            slurm = stack.enter_context(SlurmCluster())
        except NoSlurm as reason:
            pytest.skip(str(reason))
        programs = slurm.folder / "bin"
        programs.mkdir()
        python = shlex.quote(sys.executable)
        for name, module in (("fracsim", "app"), ("fracsim-plot", "plot")):
            (programs / name).write_text(f'#!/bin/sh\nexec {python} -m fracsim.cli.{module} "$@"\n')
            (programs / name).chmod(0o755)
        slurm.environment.update(
            PYTHONPATH=str(TOP), PATH=f"{programs}:{slurm.environment['PATH']}"
        )
        (slurm.folder / "grid.toml").write_text(GRID)
        slurm.run(
            "fracsim", "sweep", "grid.toml", "-o", "straight.h5", seconds=900
        )  # compiles the kernels, too
        yield slurm


@pytest.fixture(scope="module")
def limited(cluster):
    """(job that must heed Slurm's signal, job that must look), both limited to a minute, which
    passes meanwhile."""
    endless = printed(
        cluster,
        "endless",
        1,
        "1:00",
        "--set",
        "steps=10_000_000_000",
        "--set",
        "record_every=1_000_000",
        "--set",
        "width=16",
        "--seed",
        0,
    )
    endless.write_text(
        endless.read_text().replace(" --max-time auto", "").replace("\nexec ", "\nexec nice -n 19 ")
    )
    looking = printed(cluster, "looking", 1, "1:00")  # all runs: more than the seconds left can do
    looking.write_text(
        looking.read_text().replace(
            "\nexec ", "\ntrap '' USR1; sleep 55  # the signal is gone\nexec "
        )
    )
    return cluster.submit(endless), cluster.submit(looking)


def printed(cluster, output, shards, time, *words):
    """The file with the script that ``fracsim slurm-script grid.toml`` prints."""
    needed = ("--shards", shards, "--time", time, "--cpus", 1, "-o", output)
    script = cluster.folder / f"{output}.sh"
    script.write_text(cluster.run("fracsim", "slurm-script", "grid.toml", *needed, *words) + "\n")
    return script


def state_of(path):
    """(status, records of all runs) of a product; nothing while there is none."""
    try:
        product = open_trajectory(path)
    except FileError:
        return None, 0
    return product.status, int(product.records_done.sum())


def ended(cluster, job, count=1):
    """Task -> (state, exit code) of a job after all its tasks have ended."""
    final = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")

    def done():
        states = cluster.states(job)
        return len(states) == count and all(state in final for state, _ in states.values())

    cluster.wait(done, 300, f"job {job} has not ended: {cluster.states(job)}")
    return cluster.states(job)


def test_an_array_stopped_in_four_ways_goes_on_to_the_same_bits(cluster, limited):
    script = printed(cluster, "shard", SHARDS, "10:00")
    products = [cluster.folder / f"shard-{i}.h5" for i in range(SHARDS)]
    job = cluster.submit(script)
    cluster.wait(
        lambda: all(state_of(path)[1] for path in products), 120, "not every shard has a record"
    )
    cluster.run("scancel", "--batch", "--signal=USR2", f"{job}_0")
    cluster.wait(checkpoint_path(products[0]).exists, 30, "SIGUSR2 made no checkpoint")
    cluster.run("scancel", "--batch", "--signal=TERM", f"{job}_0")
    cluster.run("scontrol", "requeue", f"{job}_1")
    cluster.run("scancel", f"{job}_2")
    cluster.run("scancel", "--batch", "--signal=USR1", f"{job}_3")
    cluster.wait(
        lambda: state_of(products[1])[0] == "interrupted", 30, "the requeued task is not stopped"
    )
    again = cluster.submit(
        f"--dependency=afterany:{job}", script
    )  # as the script's own comment says
    states = ended(cluster, job, SHARDS)
    assert (states["0"], states["3"]) == (("FAILED", "75:0"), ("FAILED", "75:0"))
    assert (states["1"], states["2"]) == (("COMPLETED", "0:0"), ("CANCELLED", "75:0"))
    assert set(ended(cluster, again, SHARDS).values()) == {("COMPLETED", "0:0")}
    logs = [(cluster.folder / f"shard-{job}_{i}.log").read_text() for i in range(SHARDS)]
    for log, signal in zip(logs, ("SIGTERM", "SIGTERM", "SIGTERM", "SIGUSR1"), strict=True):
        assert f"Stopped by {signal}" in log
    assert (
        logs[1].index("Stopped by") < logs[1].index("continuing") < logs[1].index("is complete")
    ), "one log, appended"
    assert {open_trajectory(path).attributes["threads"] for path in products} == {1}, (
        "threads of the allocation"
    )
    check(cluster, products)


def test_the_signal_before_the_limit_stops_a_task(cluster, limited):
    assert ended(cluster, limited[0]) == {"0": ("FAILED", "75:0")}
    assert state_of(cluster.folder / "endless-0.h5")[0] == "interrupted"
    assert "Stopped by SIGUSR1" in (cluster.folder / f"endless-{limited[0]}_0.log").read_text()


def test_a_task_that_looks_at_its_limit_stops_and_goes_on_to_the_same_bits(cluster, limited):
    assert ended(cluster, limited[1]) == {"0": ("FAILED", "75:0")}
    product = cluster.folder / "looking-0.h5"
    assert state_of(product)[0] == "interrupted"
    assert (
        "Stopped by the time limit" in (cluster.folder / f"looking-{limited[1]}_0.log").read_text()
    )
    again = cluster.submit(printed(cluster, "looking", 1, "10:00"))
    assert ended(cluster, again) == {"0": ("COMPLETED", "0:0")}
    check(cluster, [product])


@pytest.mark.slow
def test_the_recipe_of_the_docs_works_as_written(cluster):
    page = (TOP / "docs" / "cluster.md").read_text(encoding="utf-8")
    recipe = page.partition("## The recipe")[2].partition("\n## ")[0]
    blocks = [block.text for block in fenced_in(recipe)[1:]]  # the first one installs
    assert len(blocks) == 5
    for block in blocks:
        cluster.run("bash", "-ec", block, seconds=300)
        cluster.wait(lambda: not cluster.run("squeue", "-h"), 900, "the jobs have not ended")
    products = sorted(cluster.folder.glob("quick-*.h5"))
    assert [state_of(product)[0] for product in products] == ["complete"] * 4
    assert len(list(cluster.folder.glob("quick-*_*.log"))) == 4 * (1 + 1 + 3)
    assert (cluster.folder / "quick.png").stat().st_size > 10_000


def check(cluster, products):
    """Every run of the products has the numbers it has in the straight product."""
    straight = open_trajectory(cluster.folder / "straight.h5")
    place = {(run["width"], run["seed"]): i for i, run in enumerate(rows(straight))}
    for path in products:
        product = open_trajectory(path)
        assert product.status == "complete"
        at = [place.pop((run["width"], run["seed"])) for run in rows(product)]
        for name in NUMBERS:
            np.testing.assert_array_equal(
                product.variable(name), straight.variable(name)[at], err_msg=name
            )
    assert not place, "runs that are in no shard"


def rows(product):
    """The settings of each run."""
    return [
        dict(zip(product.runs, values, strict=True))
        for values in zip(*product.runs.values(), strict=True)
    ]
