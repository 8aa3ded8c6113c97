"""The benchmark of the card (benchmarks/gpu.py): its formulas, its tables, and a rehearsal without
a card."""

import json
import os
import subprocess
import sys

import pytest
from places import TESTS, TOP

BENCHMARKS = TESTS / "benchmarks"
sys.path.append(str(BENCHMARKS))

import gpu  # noqa: E402
import gpu_limits  # noqa: E402
import gpu_points  # noqa: E402
import gpu_race  # noqa: E402
import gpu_report  # noqa: E402
import gpu_static  # noqa: E402

from fracsim.kernels.network.shape import Shape, parameter_count  # noqa: E402


def cell(width=100, runs=132, **microseconds):
    """A cell in which the contenders took so long for a step of all runs."""
    found = {
        name: {"loss": 0.8, "microseconds": [time, 9 * time, time]}
        for name, time in microseconds.items()
    }
    return {"width": width, "runs": runs, **found}


@pytest.mark.parametrize("width", gpu.WIDTHS)
def test_operations_are_six_for_each_sample_and_parameter(width):
    assert gpu_limits.nominal_flops(width) == 6 * 100 * parameter_count(Shape(2, 5, width))


def test_limits_of_points():
    """A made-up card: 100 multiprocessors at 1.5 GHz, 1 TB/s."""
    rate = 100 * 128 * 2 * 1.5e9
    assert gpu_limits.clock_of(rate, 100, (9, 0)) == pytest.approx(1.5e9)
    assert gpu_limits.clock_of(rate / 2, 100, (8, 0)) == pytest.approx(1.5e9)
    limits = gpu_limits.point_limits(20, 384, 1e12, 100, 1.5e9)
    assert limits.memory == pytest.approx(5e10)
    assert limits.instructions == pytest.approx(100 * 4 * 32 * 1.5e9 / 384)
    assert limits.least == limits.memory


def test_speeds_ratios_and_shares_of_a_cell():
    made_up = cell(fracsim=100.0, jax=650.0, torch=450.0)
    assert gpu_report.speed(made_up, "fracsim") == pytest.approx(132 / 100e-6)
    assert gpu_report.ratio(made_up, "jax") == pytest.approx(6.5)
    assert gpu_report.ratio(made_up, "jax_tf32") is None
    operations = 132 * gpu_limits.nominal_flops(100) / 100e-6
    assert gpu_report.share(made_up, 4 * operations) == pytest.approx(0.25)
    texts = dict(zip(gpu_report.COLUMNS, gpu_report.columns(made_up, 4 * operations), strict=True))
    assert texts["ours/JAX"] == "6.50 met"
    assert texts["ours/PyTorch"] == "4.50 missed"
    assert texts["of f32"] == "25.0%"  # no target below width 200
    assert texts["fracsim"] == "1,320,000"
    assert gpu_report.line(list(texts.values()))


@pytest.mark.parametrize(
    ("width", "runs", "speed", "share"),
    [
        (100, 132, 5.0, None),
        (10, 528, 5.0, None),
        (200, 132, 2.0, 0.4),
        (400, 528, 2.0, 0.4),
        (400, 16, None, None),
    ],
)
def test_targets(width, runs, speed, share):
    assert gpu_report.speed_target(width, runs) == speed
    assert gpu_report.share_target(width, runs) == share


def test_missing_numbers_are_explained_and_other_losses_told():
    made_up = cell(fracsim=100.0) | {
        "jax": {"failed": "ImportError: no jax"},
        "torch": {"skipped": "too large"},
    }
    assert gpu_report.columns(made_up, 1e12)[3:7] == ["failed", "-", "skipped", "-"]
    assert gpu_report.notes_of(made_up) == [
        "width 100, R = 132: jax failed: ImportError: no jax",
        "width 100, R = 132: torch skipped: too large",
    ]
    apart = cell(fracsim=1.0, jax=1.0)
    assert gpu_report.notes_of(apart) == []
    apart["jax"]["loss"] = 0.9
    assert "not the same training: fracsim 0.800, jax 0.900" in gpu_report.notes_of(apart)[0]


def test_the_slowest_network_decides_the_grid():
    assert gpu_points.slowest([5000, 1000, 20_000], 10.0, 10**6) == {"row": 1, "seconds": 10_000.0}
    assert gpu_points.slowest([5000, 0], 10.0, 10**6)["seconds"] == float("inf")
    assert len(gpu_points.grid(10**6, gpu.WIDTHS, range(1, 6)).runs) == 30


def test_a_block_with_too_many_registers_is_told():
    kernels = {
        "train_on_dataset": {
            "sm_90": {"registers": 190, "PTX instructions": 1, "f64": 0, "spill_stores": 0}
        }
    }
    sizes = {
        width: {"blocks": 1, "threads": threads, "shared": 1, "resident": True}
        for width, threads in ((50, 352), (100, 320))
    }
    warnings = gpu_report.too_large({"kernels": kernels, "plans": {"sm_90": sizes}, "points": {}})
    assert [warning.split()[:2] for warning in warnings] == [
        ["Width", "50"]
    ]  # 192 · 352 > 65,536 ≥ 192 · 320


def test_machine_instructions_are_counted():
    listing = """
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 FFMA.FTZ R2, R3, R4, R2 ;
        /*0020*/                   FFMA R2, R3, R4, R2 ;
        /*0030*/                   NOP ;
"""
    assert gpu_static.machine_instructions(listing) == {"LDC": 1, "FFMA": 2}


def test_cells_larger_than_the_card_and_late_ones_are_skipped():
    race = object.__new__(gpu_race.Race)
    race.processes, race.ways, race.points = {"fracsim": None}, {}, 50_000
    race.memory, race.deadline = 2**30, float("inf")
    assert (
        "GiB are needed, the card has 1.0" in race.cell(400, 528, tf32=False)["fracsim"]["skipped"]
    )
    race.deadline = 0.0
    assert race.cell(10, 1, tf32=False)["fracsim"]["skipped"] == "out of time (--minutes)"


def test_a_contender_that_ends_is_an_answer(tmp_path):
    """There is no such data file: the process ends at once."""
    process = gpu_race.Process("fracsim", sys.executable, tmp_path / "none.npz", "cpu")
    assert "ended unexpectedly" in process.hello["failed"]
    assert "failed" in process.ask(do="prepare", width=4, runs=1, steps=20)
    process.end()


def test_without_a_card_it_says_what_is_missing(monkeypatch):
    from fracsim.kernels.cuda import working

    monkeypatch.setattr(working, "simulator_is_on", lambda: True)
    with pytest.raises(SystemExit, match="NUMBA_ENABLE_CUDASIM is set"):
        gpu.backend_here(False)
    monkeypatch.setattr(working, "simulator_is_on", lambda: False)
    monkeypatch.setattr(
        working, "missing", lambda: working.Lack("no NVIDIA driver was found", "install it")
    )
    with pytest.raises(
        SystemExit, match=r"^backend 'cuda': no NVIDIA driver was found; install it, .*--static"
    ):
        gpu.backend_here(False)


@pytest.mark.compiled
@pytest.mark.slow
def test_a_rehearsal_goes_through_all_of_it(tmp_path):
    out, page = tmp_path / "out.json", tmp_path / "page.md"
    options = ["--dry", "--peers", "--json", str(out), "--markdown", str(page)]
    top = TOP
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu.py"), *options],
        cwd=top,
        env=os.environ | {"PYTHONPATH": str(top)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(out.read_text())
    assert found["agreement"] == "all of 8 comparisons"
    assert found["rate"] > 0
    assert found["bandwidth"] > 0
    assert all(found["points"][verb]["speed"] > 0 for verb in ("sample", "level"))
    assert found["grid"]["networks"] == 4
    assert [(each["width"], each["runs"]) for each in found["cells"]] == [(4, 1), (4, 3)]
    assert all(0.3 < each["fracsim"]["loss"] < 3 for each in found["cells"])
    assert gpu_report.REHEARSAL in done.stdout
    assert gpu_report.REHEARSAL in page.read_text()
