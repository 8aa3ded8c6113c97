"""Tables of ``gpu.py``: one line for each cell as it is measured, and the page for
docs/measurements."""

import statistics
from typing import Any

from contenders import BATCH, DEPTH
from gpu_limits import nominal_flops

MANY = 132
"""Runs side by side from which on the targets hold."""
FLOAT_SHARE = 0.4  # of the measured float32 rate, from width 200 on
POINT_SHARE = 0.3  # of the lesser limit
GRID_SECONDS = 600.0


REHEARSAL = "A rehearsal on the CPU and in the simulator: no number here means anything."


def speed_target(width, runs):
    """How many times as fast as a peer fracsim must be, or None."""
    if runs < MANY:
        return None
    return 5.0 if width <= 100 else 2.0


def share_target(width, runs):
    """What part of the card's float32 rate fracsim must reach, or None."""
    return FLOAT_SHARE if width >= 200 and runs >= MANY else None


def judged(value: float | None, target: float | None, text: str = "{:.2f}") -> str:
    """A number and whether it meets its target."""
    if value is None:
        return "-"
    shown = text.format(value)
    return shown if target is None else f"{shown} {'met' if value >= target else 'missed'}"


def speed(cell: dict[str, Any], name: str) -> float | None:
    """Networks · steps per second of a contender in a cell; None where it has no number."""
    times = cell.get(name, {}).get("microseconds")
    return cell["runs"] / statistics.median(times) * 1e6 if times else None


def ratio(cell: dict[str, Any], name: str) -> float | None:
    """fracsim's speed over a peer's."""
    own, peer = speed(cell, "fracsim"), speed(cell, name)
    return own / peer if own and peer else None


def share(cell: dict[str, Any], rate: float) -> float | None:
    """fracsim's nominal operations over the card's measured float32 rate."""
    own = speed(cell, "fracsim")
    return own * nominal_flops(cell["width"]) / rate if own else None


def disagreement(cell: dict[str, Any]) -> str:
    """A sentence where contenders have not trained to the same loss; empty where they have."""
    losses = {
        name: found["loss"]
        for name, found in cell.items()
        if isinstance(found, dict) and "loss" in found
    }
    accepted = (
        1.05 if cell["runs"] >= 16 else 1.15
    )  # a run alone depends on the order of its batches
    if len(losses) < 2 or max(losses.values()) <= accepted * min(losses.values()):
        return ""
    return "not the same training: " + ", ".join(
        f"{name} {loss:.3f}" for name, loss in losses.items()
    )


COLUMNS = (
    "width",
    "R",
    "fracsim",
    "JAX",
    "ours/JAX",
    "PyTorch",
    "ours/PyTorch",
    "JAX TF32",
    "PyTorch TF32",
    "of f32",
)


def columns(cell: dict[str, Any], rate: float) -> list[str]:
    """The cell as texts under COLUMNS."""
    width, runs = cell["width"], cell["runs"]
    target = speed_target(width, runs)
    number = {
        name: _number(cell, name) for name in ("fracsim", "jax", "torch", "jax_tf32", "torch_tf32")
    }
    return [
        str(width),
        str(runs),
        number["fracsim"],
        number["jax"],
        judged(ratio(cell, "jax"), target),
        number["torch"],
        judged(ratio(cell, "torch"), target),
        number["jax_tf32"],
        number["torch_tf32"],
        judged(share(cell, rate), share_target(width, runs), "{:.1%}"),
    ]


def _number(cell: dict[str, Any], name: str) -> str:
    value = speed(cell, name)
    if value is not None:
        return f"{value:,.0f}"
    return next((word for word in ("skipped", "failed") if word in cell.get(name, {})), "-")


def notes_of(cell: dict[str, Any]) -> list[str]:
    """Why numbers of a cell are missing, or not to be trusted."""
    found = [
        f"{name} {word}: {cell[name][word]}"
        for name in cell
        if isinstance(cell[name], dict)
        for word in ("skipped", "failed")
        if word in cell[name]
    ]
    return [
        f"width {cell['width']}, R = {cell['runs']}: {note}"
        for note in (*found, disagreement(cell))
        if note
    ]


def line(texts: list[str] | tuple[str, ...]) -> str:
    """A line of the table on the terminal."""
    widths = (5, 4, 13, 12, 13, 12, 13, 12, 12, 13)
    return " ".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))


def point_lines(points: dict[str, Any]) -> list[str]:
    """A sentence for each verb: points per second, its limits and what part of the lesser it
    reaches."""
    return [
        f"{verb}: {found['speed'] / 1e6:,.0f} million points/s; limits: memory "
        f"{found['memory'] / 1e6:,.0f}, "
        f"instructions {found['instructions'] / 1e6:,.0f}; of the lesser "
        + judged(
            found["speed"] / min(found["memory"], found["instructions"]), POINT_SHARE, "{:.0%}"
        )
        for verb, found in points.items()
        if isinstance(found, dict)
    ]


def grid_line(found: dict[str, Any]) -> str:
    """The projection in a sentence."""
    if "failed" in found:
        return f"the grid: failed: {found['failed']}"
    met = "met" if found["seconds"] < GRID_SECONDS else "missed"
    return (
        f"{found['networks']} networks of 10^6 steps, all in flight: at most "
        f"{found['seconds'] / 60:.1f} min, "
        f"{met} (slowest: {found['slowest']}; measured for {found['measured_for']:.0f} s)"
    )


def static_lines(static: dict[str, Any]) -> list[str]:
    """Markdown: registers and spills of each kernel, blocks and shared memory of each width."""
    if "failed" in static:
        return [f"Not known: {static['failed']}."]
    lines = [
        "| kernel | for | registers (at most) | spills (bytes) | PTX instructions | of these "
        "float64 |",
        "|---|---|---|---|---|---|",
    ]
    for name, kinds in static["kernels"].items():
        for kind, it in kinds.items():
            spills = it.get("spill_stores", "?")
            most = f" ({it['most']})" if it.get("most") else ""
            lines.append(
                f"| {name} | {kind} | {it.get('registers', '?')}{most} | {spills} | "
                f"{it['PTX instructions']} | {it['f64']} |"
            )
            if it.get("mix"):
                mix = ", ".join(
                    f"{count} {instruction}" for instruction, count in it["mix"].items()
                )
                lines.append(f"| | machine code | {mix} | | | |")
    lines += [
        "",
        f"Training, T = {DEPTH}, batch {BATCH}, float32, on an H100 or H200:",
        "",
        "| width | blocks of a run | threads of a block | shared memory of a block (bytes) | all "
        "of it there |",
        "|---|---|---|---|---|",
    ]
    for width, it in static["plans"]["sm_90"].items():
        lines.append(
            f"| {width} | {it['blocks']} | {it['threads']} | {it['shared']} | "
            f"{'yes' if it['resident'] else 'no'} |"
        )
    lines += [
        "",
        *[
            f"{verb}: {count:.0f} PTX instructions of a thread for a point (cantor, d = 2, n = 5)."
            for verb, count in static["points"].items()
        ],
    ]
    return [*lines, *[f"**{warning}**" for warning in too_large(static)]]


def too_large(static: dict[str, Any]) -> list[str]:
    """Sentences on widths whose blocks need more registers than a multiprocessor has (65,536)."""
    kinds, found = static["kernels"].get("train_on_dataset", {}), []
    for kind, sizes in static["plans"].items():
        registers = -(-kinds.get(kind, {}).get("registers", 0) // 8) * 8
        for width, it in sizes.items():
            if registers * it["threads"] > 65_536:
                found.append(
                    f"Width {width} cannot be launched on {kind}: {it['threads']} threads of "
                    f"{registers} "
                    "registers, 65536 are there."
                )
    return found


def page(result: dict[str, Any]) -> str:
    """The Markdown page of a measurement."""
    facts = result["card"]
    text = [
        f"# {facts['card']}, {result['date']}",
        "",
        *result["remarks"],
        "",
        f"`{result['command']}`",
        "",
        *[f"- {key}: {value}" for key, value in facts.items()],
        f"- float32, measured: {result['rate'] / 1e12:.1f} TFLOP/s; copy bandwidth: "
        f"{result['bandwidth'] / 1e9:,.0f} GB/s (read and written)",
        *[f"- {version}" for version in result["versions"].values()],
        "",
    ]
    text += [
        "Agreement with the CPU: " + result["agreement"] + ".",
        "",
        "## Training: networks · steps/s",
        "",
        f"T = {DEPTH}, d = 2, batch {BATCH}, hinge, Adam, true float32, a data set of 50,000 "
        f"points; medians.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    text += ["| " + " | ".join(columns(cell, result["rate"])) + " |" for cell in result["cells"]]
    text += ["", *(f"- {note}" for cell in result["cells"] for note in notes_of(cell))]
    text += ["", "## Points and the grid", ""]
    text += [f"- {sentence}" for sentence in point_lines(result["points"])]
    text += [f"- {grid_line(result['grid'])}" if result["grid"] else "", "", "## Kernels", ""]
    return (
        "\n".join(
            [*text, *(static_lines(result["static"]) if result["static"] else ["Not asked for."])]
        )
        + "\n"
    )
