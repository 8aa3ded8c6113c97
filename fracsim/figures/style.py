"""How every figure of fracsim looks and is saved: one palette, one set of rules, the same bytes for
the same input.

Figures are built on ``matplotlib.figure.Figure``; pyplot, its windows and its global state are
never imported."""

import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import ceil, floor, inf, log10
from pathlib import Path
from typing import Any
from zlib import crc32

import matplotlib
import matplotlib.style
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from fracsim.data.errors import cannot_write
from fracsim.errors import UsageError, nearest
from fracsim.figures.layout import Inches as Inches
from fracsim.figures.layout import arrange as arrange
from fracsim.figures.layout import head as head
from fracsim.figures.layout import is_narrow as is_narrow
from fracsim.figures.layout import laid_out, points_of
from fracsim.figures.layout import legend_below as legend_below
from fracsim.figures.layout import new_figure as new_figure
from fracsim.figures.layout import outer_labels as outer_labels
from fracsim.figures.layout import page as page
from fracsim.figures.layout import panel_head as panel_head
from fracsim.figures.layout import plain as plain
from fracsim.figures.layout import rc as rc

SUFFIXES = (".png", ".pdf", ".svg")

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255")
"""Okabe & Ito's colours (for their yellow, which fades on paper, Tol's wine), the darker ones
first."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (9, 2)),
    (0, (3, 1.2)),
    "-",
    (0, (1, 2)),
)

POSITIVE, NEGATIVE = PALETTE[0], PALETTE[1]
"""Colours of y = +1 and y = -1 wherever labels are drawn."""

# Blue where f > 0, vermilion where f < 0, white at the boundary; the ends light enough for black
# lines upon them.
DIVERGING = LinearSegmentedColormap.from_list(
    "fracsim", ["#D2691E", "#F2BC94", "#FFFFFF", "#A6CDE4", "#4088B8"]
)

BASE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it: the same text on every machine
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "figure.titlesize": 11.0,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.0,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "savefig.dpi": 200.0,
    "figure.dpi": 100.0,
    "pdf.fonttype": 42,  # TrueType, which publishers ask for; text stays text
}

# Set last, so that no style can change them: they make equal figures equal bytes.
REPRODUCIBLE: dict[str, Any] = {"svg.hashsalt": "fracsim", "svg.id": None, "text.usetex": False}
METADATA: dict[str, dict[str, None]] = {
    ".png": {},
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
}


def find_style(name: str | None) -> str | dict[str, Any]:
    """A matplotlib style by its name, or the settings of a ``.mplstyle`` file.

    Raises:
        UsageError: neither a known name nor a readable style file.
    """
    if name is None:
        return {}
    if name == "default" or name in matplotlib.style.library:
        return name
    path = Path(name)
    if path.is_file():
        return _style_file(path)
    names = ["default", *matplotlib.style.available]
    raise UsageError(
        f"--style: there is no matplotlib style and no file named '{name}'{nearest(name, names)} "
        f"(accepted: a style file, or one of {', '.join(sorted(names))})"
    )


def _style_file(path: Path) -> dict[str, Any]:
    try:
        settings: Any = matplotlib.rc_params_from_file(
            path, fail_on_error=True, use_default_template=False
        )
    except (
        Exception
    ) as error:  # matplotlib raises KeyError, ValueError, UnicodeDecodeError … from a bad file
        raise UsageError(f"--style: {path} is not a matplotlib style file ({error})") from None
    if not settings:
        raise UsageError(
            f"--style: {path} is not a matplotlib style file (it sets nothing matplotlib knows)"
        )
    return dict(settings)


@contextmanager
def styled(name: str | None = None, notes: bool = True) -> Iterator[None]:
    """Draw and save inside this: fracsim's look, then the style ``name`` over it; ``notes``:
    whether figures say at their foot what a reader must know.

    It starts from matplotlib's defaults, not from the user's matplotlibrc: the same input gives the
    same figure on every machine.

    Raises:
        UsageError: unknown style, or a style file with values matplotlib refuses.
    """
    chosen = find_style(name)
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Style includes a parameter")
        matplotlib.style.use("default")
        rc.update(BASE)
        if chosen:
            rc["axes.grid"] = False  # a style made for figures without one may draw it black
        matplotlib.style.use(chosen)
        rc.update({key: value for key, value in REPRODUCIBLE.items() if key in rc})
        with laid_out(notes):
            yield


def colour(index: int) -> Any:
    """The colour of series ``index``, from the style's cycle (fracsim's palette unless --style
    brings its own)."""
    colours = rc["axes.prop_cycle"].by_key().get("color") or list(PALETTE)
    return colours[index % len(colours)]


MOST_LOOKS = 16
"""Looks that differ in colour, marker or dashes."""


def look(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of series ``index``: told apart in colour, by the colour-blind, and
    in grey print. From the ninth on colours come again, with other markers and dashes."""
    again = index // len(PALETTE)
    return {
        "color": colour(index),
        "marker": MARKERS[(index + 3 * again) % len(MARKERS)],
        "linestyle": DASHES[(index + 2 * again) % len(DASHES)],
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def places(values: Iterable[Any]) -> dict[Any, int]:
    """Value -> the place of its look: it belongs to the value, not to its rank among others, so
    that depth 4 looks the same in every figure. Of two values with the same place the later one
    gives way. Values may be tuples.

    Raises:
        UsageError: more values than can be told apart.
    """
    found: dict[Any, int] = {}
    for value in values:
        if value in found:
            continue
        if len(found) == MOST_LOOKS:
            raise UsageError(
                f"more than {MOST_LOOKS} lines cannot be told apart in one figure; choose some "
                f"with --where, or make panels"
            )
        place = _place(value) % len(PALETTE)
        while place in found.values():
            place = (place + 1) % MOST_LOOKS
        found[value] = place
    return found


def _place(value: Any) -> int:
    """Small whole numbers in their order, numbers of a sweep (1, 2, 5, 10, …) in theirs, words
    by what they are."""
    if isinstance(value, tuple):
        return sum(_place(one) * (1 + 3 * i) for i, one in enumerate(value))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return crc32(str(value).encode())
    if number.is_integer() and 0 <= number <= len(PALETTE):
        return int(number) - 1
    return round(3 * log10(abs(number))) if 0 < abs(number) < inf else 0


def shade(place: int, count: int) -> Any:
    """Colour ``place`` of ``count`` for ordered things (levels, layers): dark to light, in order in
    grey print too."""
    return matplotlib.colormaps["viridis"](0.88 * place / max(count - 1, 1))


def ticks_at(axes: Axes, values: list[float], axis: str = "x", least: int = 0) -> None:
    """Ticks exactly at ``values``, written plainly (10, 20, 50 … also on a logarithmic axis); at
    round ones where the axis holds fewer than ``least`` of them."""
    line = axes.xaxis if axis == "x" else axes.yaxis
    line.set_major_locator(Spaced(values, least))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda value, _position: _plainly(value)))


def _plainly(value: float) -> str:
    return f"{value:g}".replace("-", "−")


class Spaced(FixedLocator):
    """Ticks at given values, without those whose numbers would touch the one before; at round ones
    where the axis holds fewer than ``least`` of them."""

    def __init__(self, values: list[float], least: int = 0) -> None:
        super().__init__(values)
        self.values = sorted({float(value) for value in values})
        self.least = least

    def __call__(self) -> Any:
        """The ticks, for the axis as long as it is now."""
        axis: Any = self.axis
        sideways = axis.axis_name == "x"
        points = points_of("xtick.labelsize" if sideways else "ytick.labelsize")
        size = points * axis.axes.figure.dpi / 72
        low, high = sorted(axis.get_view_interval())
        inside = [value for value in self.values if low <= value <= high]
        if len(inside) < self.least:
            inside = [v for v in MaxNLocator(5).tick_values(low, high) if low <= v <= high]
        kept: list[float] = []
        end, before = -inf, 0.0
        for value in inside:
            at = axis.axes.transData.transform((value, value))[0 if sideways else 1]
            half = 0.33 * size * len(_plainly(value)) if sideways else 0.5 * size
            if abs(at - end) > before + half + 0.25 * size:
                kept.append(value)
                end, before = at, half
        return kept


def log_axis(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic y axis for positive values of a few decades, with plain numbers: 1, 2 and 5
    times powers of ten, or the powers alone, and whatever is round between two of these. Where no
    value is positive it stays as it is."""
    positive = [value for value in values if 0 < value < inf]
    if not positive:
        return
    low, high = floor(log10(min(positive))), ceil(log10(max(positive)))
    steps = (1,) if high - low > 3 else (1, 2, 5)
    axes.set_yscale("log")
    ticks = [float(f"{by}e{power}") for power in range(low, high + 1) for by in steps]
    ticks_at(axes, ticks, "y", least=2)


def check_title(title: str | None) -> None:
    """UsageError for a title whose mathematics, between dollar signs, cannot be set."""
    if title and is_math_text(title):
        try:
            MathTextParser("path").parse(title)
        except ValueError:
            raise UsageError(
                f"--title '{title}': what stands between the dollar signs is not mathematics "
                f"matplotlib can set; "
                r"a dollar sign itself is written \$"
            ) from None


def check_suffix(path: str | os.PathLike[str], accepted: tuple[str, ...] = SUFFIXES) -> str:
    """The suffix of a figure's path, lower case; UsageError unless it is one of those accepted."""
    suffix = Path(path).suffix.lower()
    if suffix not in accepted:
        given = f"'{suffix}'" if suffix else "a name without suffix"
        what = "figure format" if accepted == SUFFIXES else "format of a film"
        raise UsageError(f"--output {path}: {given} is no {what}; accepted: {', '.join(accepted)}")
    return suffix


def settle(figure: Figure) -> None:
    """Lay a figure out for good, its axes at places of six decimals: the solver of constrained
    layouts adds up in the order of addresses, so that last digits differ from process to
    process."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        x, y, width, height = (round(float(value), 6) for value in axes.get_position().bounds)
        axes.set_position((x, y, width, height))


def save(figure: Figure, path: str | os.PathLike[str], dpi: float | None = None) -> None:
    """Write a figure as PNG, PDF or SVG by its suffix; equal figures give equal bytes.

    Call it inside :func:`styled`: fonts and salts are read when the file is written. The file is
    replaced at once, when it is complete: a figure that fails leaves the old one.

    Raises:
        UsageError: another suffix.
        FileError: the folder is missing or cannot be written, or the disk is full.
    """
    suffix = check_suffix(path)
    options: dict[str, Any] = {} if dpi is None else {"dpi": dpi}
    settle(figure)
    with replacing(Path(path), suffix) as temporary:
        figure.savefig(temporary, format=suffix[1:], metadata=METADATA[suffix], **options)


@contextmanager
def replacing(output: Path, suffix: str) -> Iterator[str]:
    """A new file beside ``output`` to write to, which then takes its place; where writing fails it
    goes, and the old one stays. Raises FileError."""
    try:
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{output.name}.", suffix=suffix, dir=output.parent
        )
        os.close(descriptor)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, output)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(output, error) from error


def _umask() -> int:
    # mkstemp makes files private; a figure gets the permissions any new file of this user gets.
    mask = os.umask(0)
    os.umask(mask)
    return mask
