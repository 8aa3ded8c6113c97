"""``fracsim kernel-spectrum``: eigenvalues of the kernels of wide networks."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting

LAYERS = "layers L, the output among them: T hidden layers are L = T + 1"


@dataclass(frozen=True)
class Settings:
    """Which kernel, on which sphere."""

    kernel: str = setting(
        "ntk",
        "ntk: all layers are trained; rf: the last; step: rf of step activations",
        str,
        choices=("ntk", "rf", "step", "laplace"),
    )
    layers: tuple[int, ...] = setting((2, 3, 4), LAYERS, int, low=1, high=100, many=True)
    dimension: int = setting(3, "d of the sphere S^(d-1)", int, low=2, high=1000)
    degrees: int = setting(60, "highest degree k of eigenvalues", int, low=1, high=200)
    bias: float = setting(
        0.0,
        "b: biases b N(0, 1), weights √(2/n_in) N(0, 1), inputs of length √d",
        float,
        low=0,
        high=100,
    )
    scale: float = setting(1.0, "c of laplace, exp(-c |x - y|)", float, above=0, high=1000)

    def validate(self) -> None:
        """Raise UsageError where settings do not fit together."""
        if self.kernel != "laplace":
            if self.scale != 1.0:
                raise UsageError(f"--scale is of kernel laplace; --kernel is {self.kernel}")
        elif self.bias:
            raise UsageError("--bias is of networks; --kernel laplace has none")
        elif len(self.layers) > 1 and self.layers != (2, 3, 4):
            raise UsageError("--layers is of networks; --kernel laplace has none")

    @property
    def depths(self) -> tuple[int, ...]:
        """The layers of each row; laplace has one row."""
        return (1,) if self.kernel == "laplace" else self.layers


_PAIR = ("layers", "parity")

VARIABLES = (
    Variable("layers", ("layers",), "<i8", "1", "layers L, the output among them"),
    Variable("degree", ("degree",), "<i8", "1", "degree k of spherical harmonics"),
    Variable("parity", ("parity",), "<i8", "1", "0: even degrees, 1: odd degrees"),
    Variable(
        "eigenvalues",
        ("layers", "degree"),
        "<f8",
        "1",
        "eigenvalue mu_k, P_k(1) = 1 (NaN: its error exceeds 1 %)",
    ),
    Variable("error", ("layers", "degree"), "<f8", "1", "estimate of its error (0: an exact zero)"),
    Variable("trace", ("layers",), "<f8", "1", "K(x, x), the sum of all eigenvalues"),
    Variable("trace_share", ("layers",), "<f8", "1", "share of the trace in these degrees"),
    Variable("exponent", _PAIR, "<f8", "1", "fitted exponent of decay in k + (d-2)/2"),
    Variable("exponent_exact", _PAIR, "<f8", "1", "exact exponent (NaN: mu_k is 0)"),
    Variable("constant", _PAIR, "<f8", "1", "fitted constant of the exact exponent"),
    Variable("constant_exact", _PAIR, "<f8", "1", "exact constant (NaN: mu_k is 0)"),
)

STUDY = Study(
    name="kernel-spectrum",
    about="Tell how the eigenvalues of kernels of wide networks decay, for every depth.",
    help="""Integrate the eigenvalues μ_k of the kernel of infinitely wide networks on the sphere
    S^(d-1): the tangent kernel (ntk), random features (rf), those of step activations (step), and
    the Laplace kernel beside them.

    --layers counts the output layer, as in the source: a network of T hidden layers has L = T + 1.
    Exponents and constants are fitted to the upper half of the degrees, even and odd ones apart,
    beside the exact ones of Bietti & Bach.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.kernel_spectrum.compute:compute",
    example=(
        "fracsim kernel-spectrum --kernel ntk --layers 3 --dimension 3 --degrees 60 --json",
        "fracsim kernel-spectrum --kernel rf --layers 2,3,4 --dimension 4 --degrees 60 -o rf.h5",
    ),
    figure=Drawing(
        "fracsim.studies.kernel_spectrum.figure:draw",
        "Eigenvalues of kernels of wide networks by degree, with their limits.",
        """Eigenvalues against the degree, both logarithmic, a colour for each number of layers,
        and their exact limits, from a file of 'fracsim kernel-spectrum'.""",
        ("fracsim-plot kernel-spectrum rf.h5 -o spectrum.png",),
    ),
    unit="kernels",
    warmup=({"layers": (2,), "degrees": 4},),
    checks="fracsim.studies.kernel_spectrum.compute:checks",
)
