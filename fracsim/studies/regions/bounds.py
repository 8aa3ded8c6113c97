"""How many linear regions a ReLU network can have: the bounds of the literature, exact where they
are whole numbers.

``widths`` are the units n_1, …, n_L of the hidden layers, m is the dimension of the input space, or
of the line or plane in it on which regions are counted."""

import math
import operator
from collections import Counter
from collections.abc import Sequence

from fracsim.kernels.network.shape import Shape
from fracsim.values.arguments import Network, Whole, door

LEAST_FOLD = 3
"""Units per dimension that ⌊n / m⌋ + 1 folds need: two units cannot fold a line into three pieces
of alternating slope."""


@door(shape=Network(), dimension=Whole(1, 10_000))
def region_bounds(shape: Shape, dimension: int | None = None) -> dict[str, int | float | None]:
    """Every bound for a network of one shape, on an m-dimensional set of inputs (m = ``dimension``,
    by default d); None outside its hypothesis.

    ``zaslavsky``: what one layer with as many units could have. ``montufar``,
    ``montufar_plus_one``: lower bounds on what the best network of this shape has, where every
    layer has at least m, or 3 m, units. ``serra``, ``paper``: no network of this shape has more;
    the paper's count is for layers of at least m units."""
    m = shape.inputs if dimension is None else operator.index(dimension)
    widths = tuple(map(int, shape.widths))
    least = min(widths, default=m * LEAST_FOLD)
    return {
        "zaslavsky": zaslavsky(sum(widths), m),
        "montufar": montufar(widths, m) if least >= m else None,
        "montufar_plus_one": montufar(widths, m, plus_one=True)
        if least >= LEAST_FOLD * m
        else None,
        "serra": serra(widths, m),
        "paper": paper_bound(shape, m) if least >= m else None,
    }


def zaslavsky(units: int, m: int) -> int:
    """Σ_{j ≤ m} C(n, j): regions of n hyperplanes in general position in R^m, hence the most of one
    hidden layer, whatever n and m.

    Source: T. Zaslavsky, *Facing up to arrangements*, Memoirs of the AMS 154, 1975.
    """
    return sum(math.comb(units, j) for j in range(m + 1))


def montufar(widths: Sequence[int], m: int, plus_one: bool = False) -> int:
    """Π_{l < L} ⌊n_l / m⌋^m · Σ_{j ≤ m} C(n_L, j): some network of these widths, all n_l ≥ m, has
    as many regions.

    Source: G. Montúfar, R. Pascanu, K. Cho, Y. Bengio, *On the number of linear regions of deep
    neural networks*, NeurIPS 2014, theorem 5 (n_l ≥ n_0). ``plus_one``: the later form with
    ⌊n_l / m⌋ + 1, for n_l ≥ 3 m (G. Montúfar, *Notes on the number of linear regions of deep neural
    networks*, 2017; with the condition in T. Serra et al., ICML 2018, theorem 8)."""
    if not widths:
        return 1
    folds: int = math.prod((n // m + plus_one) ** m for n in widths[:-1])
    return folds * zaslavsky(widths[-1], m)


def serra(widths: Sequence[int], m: int) -> int:
    """Σ over (j_1, …, j_L) of Π C(n_l, j_l), 0 ≤ j_l ≤ min(m, n_1 - j_1, …, n_{l-1} - j_{l-1},
    n_l).

    No network of these widths, whatever they are, has more regions. Source: T. Serra, C.
    Tjandraatmadja, S. Ramalingam, *Bounding and counting linear regions of deep neural networks*,
    ICML 2018, theorem 1."""
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
    """(e k / m)^{t m} for t layers of width k ≥ m, the cruder bound behind Theorem 2, with a factor
    (e k_l / m)^m for each layer where widths differ; infinite beyond float64.

    It bounds Σ_{j ≤ m} C(k, j) by (e k / m)^m, which needs k ≥ m. Source: E. Malach, S.
    Shalev-Shwartz, *Is deeper better only when shallow is good?*, NeurIPS 2019."""
    layers = Counter(shape.widths).items()
    exponent = sum(count * m * math.log(math.e * width / m) for width, count in layers)
    return math.exp(exponent) if exponent < 709 else math.inf
