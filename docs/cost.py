"""docs/cost.md: what the paper's whole programme takes, by `fracsim sweep --dry-run`.

    python docs/cost.py            # the page from docs/cost.json and docs/results
    python docs/cost.py --measure  # measure this machine anew: minutes, on a quiet one

Four fractals, six curves, the 30 networks of figure 4, three learning rates; 10^6 steps each."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from results import read_results

HERE = Path(__file__).resolve().parent
MEASURED, PAGE = HERE / "cost.json", HERE / "cost.md"
PROGRAMME = "sweep cantor5-depth-width"
AXES = ("fractal=cantor,sierpinski,vicsek,pentaflake", "curve=1,2,3,4,5,6")
CORES = (1, 2, 64, 1_000)
SHARDS = 100


def dry_run(*more: str) -> dict[str, Any]:
    """What ``fracsim sweep … --dry-run --json`` says of the programme."""
    words = [*PROGRAMME.split(), *(part for axis in AXES for part in ("--set", axis)), *more]
    found: dict[str, Any] = json.loads(
        subprocess.run(
            [sys.executable, "-m", "fracsim", *words, "--dry-run", "--json"],
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    )
    return found


def measure() -> dict[str, Any]:
    """µs a step of each network, measured once; the hours of any number of cores follow."""
    one = dry_run("--threads", "1")
    keys = ("network_depth", "width", "runs", "steps", "step_seconds")
    shapes = [{key: shape[key] for key in keys} for shape in one["shapes"]]
    return {"runs": one["runs"], "disk": one["disk"], "shapes": shapes}


def hours(shapes: list[dict[str, Any]], cores: int) -> float:
    """The longest run first, each to the core that is free first, as the sweep does it."""
    lengths = sorted(
        (one["steps"] * one["step_seconds"] for one in shapes for _ in range(one["runs"])),
        reverse=True,
    )
    busy = [0.0] * min(cores, len(lengths))
    for length in lengths:
        first = min(range(len(busy)), key=busy.__getitem__)
        busy[first] += length
    return max(busy) / 3600


def took() -> list[tuple[str, int, float]]:
    """(result, runs, core-hours) of each file of docs/results."""
    found = []
    for path in sorted((HERE / "results").glob("*.csv")):
        rows = read_results(path)[1]
        if not rows or "seconds" not in rows[0]:
            continue  # a control, which trains nothing
        found.append((path.stem, len(rows), sum(float(row["seconds"]) for row in rows) / 3600))
    return found


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def page() -> str:
    """The page as text."""
    known = json.loads(MEASURED.read_text(encoding="utf-8"))
    shapes = known["shapes"]
    command = " ".join(["fracsim", PROGRAMME, *(f"--set {axis}" for axis in AXES)])
    depths = sorted({one["network_depth"] for one in shapes})
    widths = sorted({one["width"] for one in shapes})
    step = {(one["network_depth"], one["width"]): 1e6 * one["step_seconds"] for one in shapes}
    by_width = {
        width: sum(
            one["runs"] * one["steps"] * one["step_seconds"]
            for one in shapes
            if one["width"] == width
        )
        for width in widths
    }
    whole = sum(by_width.values())
    parts = [
        "# What it costs\n",
        "The paper's whole programme: four fractals, six curves, depths 1 to 5, six widths, three "
        f"learning rates, 10^6 steps, {known['runs']:,} networks in all; about "
        f"{known['disk'] / 1e9:.1f} GB of disk.\n",
        f"```sh\n{command} --dry-run\n```\n",
        table(
            ("cores", "hours"),
            [(f"{cores:,}", f"{hours(shapes, cores):,.1f}") for cores in CORES],
        ),
        "A run takes one core, so that the longest run, "
        f"{max(one['steps'] * one['step_seconds'] for one in shapes) / 3600:.1f} hours, is the "
        "least there is. The width decides: "
        + ", ".join(f"{by_width[width] / whole:.1%} at {width}" for width in widths)
        + ".\n",
        f"As {SHARDS} Slurm tasks of equal work, of "
        f"{whole / 3600 / SHARDS:.1f} core-hours each (docs/cluster.md):\n",
        f"```sh\n{command.replace('fracsim sweep', 'fracsim slurm-script')} "
        f"--shards {SHARDS} --cpus 8 --time 4:00:00 -o paper > paper.sh\n```\n",
        "Measured, µs a step of 100 points:\n",
        table(
            ("depth", *(f"width {width}" for width in widths)),
            [(str(depth), *(f"{step[depth, width]:,.0f}" for width in widths)) for depth in depths],
        ),
        "What the runs of [paper.md](paper.md) and of Fashion-MNIST ([convolutions.md]"
        "(convolutions.md)) took, in hours of one core, most of them on a machine that did other "
        "work, too:\n",
        table(
            ("results", "runs", "hours"),
            [(name, f"{count:,}", f"{spent:.1f}") for name, count, spent in took()],
        ),
        "`python docs/cost.py --measure` measures a machine and writes this page.\n",
    ]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure this machine anew")
    if parser.parse_args().measure:
        MEASURED.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
