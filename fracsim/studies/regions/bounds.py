"""How many linear regions a ReLU network can have: the bounds of the literature, exact where they
are whole numbers.

``widths`` are the units n_1, …, n_L of the hidden layers, m is the dimension of the input space, or
of the line or plane in it on which regions are counted."""

import math
from collections import Counter
from collections.abc import Sequence

from fracsim.arguments import Network, Whole, door
from fracsim.kernels.network.shape import Shape


@door(shape=Network(), dimension=Whole(1, 10_000))
def region_bounds(shape: Shape, dimension: int | None = None) -> dict[str, int | float]:
    """Every bound for a network of one shape, on an m-dimensional set of inputs (m = ``dimension``,
    by default d).

    ``zaslavsky``: what one layer with as many units could have. ``montufar``,
    ``montufar_plus_one``: lower bounds on what the best network of this shape has. ``serra``,
    ``paper``: no network of this shape has more."""
    m = shape.inputs if dimension is None else dimension
    widths = shape.widths
    return {
        "zaslavsky": zaslavsky(sum(widths), m),
        "montufar": montufar(widths, m),
        "montufar_plus_one": montufar(widths, m, plus_one=True),
        "serra": serra(widths, m),
        "paper": paper_bound(shape, m),
    }


def zaslavsky(units: int, m: int) -> int:
    """Σ_{j ≤ m} C(n, j): regions of n hyperplanes in general position in R^m, hence the most of one
    hidden layer.

    Source: T. Zaslavsky, *Facing up to arrangements*, Memoirs of the AMS 154, 1975.
    """
    return sum(math.comb(units, j) for j in range(m + 1))


def montufar(widths: Sequence[int], m: int, plus_one: bool = False) -> int:
    """Π_{l < L} ⌊n_l / m⌋^m · Σ_{j ≤ m} C(n_L, j): some network of these widths has as many
    regions.

    Source: G. Montúfar, R. Pascanu, K. Cho, Y. Bengio, *On the number of linear regions of deep
    neural networks*, NeurIPS 2014, corollary 6. ``plus_one``: the later form with ⌊n_l / m⌋ + 1 (G.
    Montúfar, *Notes on the number of linear regions of deep neural networks*, 2017)."""
    if not widths:
        return 1
    folds: int = math.prod((n // m + plus_one) ** m for n in widths[:-1])
    return folds * zaslavsky(widths[-1], m)


def serra(widths: Sequence[int], m: int) -> int:
    """Σ over (j_1, …, j_L) of Π C(n_l, j_l), 0 ≤ j_l ≤ min(m, n_1 - j_1, …, n_{l-1} - j_{l-1},
    n_l).

    No network of these widths has more regions. Source: T. Serra, C. Tjandraatmadja, S. Ramalingam,
    *Bounding and counting linear regions of deep neural networks*, ICML 2018, theorem 1."""
    ways = {m: 1}  # dimension that is left for the layers to come -> choices of the layers so far
    for n in widths:
        following: dict[int, int] = {}
        for left, count in ways.items():
            for j in range(min(left, n) + 1):
                after = min(left, n - j)
                following[after] = following.get(after, 0) + count * math.comb(n, j)
        ways = following
    return sum(ways.values())


def paper_bound(shape: Shape, m: int) -> float:
    """(e k / m)^{t m} for t layers of width k, the cruder bound behind Theorem 2, with a factor (e
    k_l / m)^m for each layer where widths differ; infinite beyond float64.

    Source: E. Malach, S. Shalev-Shwartz, *Is deeper better only when shallow is good?*, NeurIPS
    2019."""
    layers = Counter(shape.widths).items()
    exponent = sum(count * m * math.log(math.e * width / m) for width, count in layers)
    return math.exp(exponent) if exponent < 709 else math.inf
