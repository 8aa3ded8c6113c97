"""ReLU networks: their shape, their initialisation, their function.

A network has T hidden ReLU layers of widths k_1, …, k_T and a linear readout f; a classifier
predicts sign f(x).
"""

import math

import numpy as np

from fracsim.errors import UsageError, nearest
from fracsim.kernels.network.shape import Shape, layer_sizes, parameter_count, split_layers
from fracsim.kernels.random.initial import fill_normal, fill_uniform

__all__ = [
    "INITIALISATIONS",
    "Shape",
    "initial_parameters",
    "layer_sizes",
    "parameter_count",
    "split_layers",
]

INITIALISATIONS = ("paper", "he", "glorot", "uniform")
"""Names of the initialisations.

paper: normal truncated at 2σ, σ = 1/√fan_in, biases 0.1 (the authors' experiment);
he: N(0, 2/fan_in), biases 0 (He et al. 2015, DOI 10.1109/ICCV.2015.123);
glorot: U(±√(6/(fan_in + fan_out))), biases 0 (Glorot and Bengio 2010);
uniform: U(±1/(2 fan_in)), biases a given constant (Theorem 5 of Malach and Shalev-Shwartz 2019).
"""

_DEFAULT_BIAS = {"paper": 0.1, "he": 0.0, "glorot": 0.0}


def initial_parameters(
    shape: Shape,
    scheme: str = "paper",
    seed: int = 0,
    bias: float | None = None,
    dtype: type = np.float32,
    bias_std: float | None = None,
) -> np.ndarray:
    """Flat initial parameters (Q,); a pure function of its arguments. ``bias`` replaces the
    scheme's own constant.

    With ``bias_std`` every bias is drawn from N(bias, bias_std²), bias 0 where it is not given; the
    weights stay the same. Raises UsageError for an unknown scheme, a bias_std that is not a number
    ≥ 0, and ``uniform`` without a bias."""
    if scheme not in INITIALISATIONS:
        accepted = ", ".join(INITIALISATIONS)
        raise UsageError(
            f"unknown initialisation {scheme!r}{nearest(scheme, INITIALISATIONS)}; accepted: "
            f"{accepted}"
        )
    if bias_std is not None and not 0 <= bias_std < math.inf:
        raise UsageError(
            f"bias_std = {bias_std}: accepted is a number from 0, the standard deviation of the "
            f"biases"
        )
    if bias is None and bias_std is not None:
        bias = 0.0
    if bias is None:
        if scheme == "uniform":
            raise UsageError(
                "initialisation 'uniform' (Theorem 5) needs a bias, for example --bias 0.5"
            )
        bias = _DEFAULT_BIAS[scheme]
    values = np.empty(parameter_count(shape))
    key, first = np.uint64(seed), 0
    for (n_in, n_out), (weights, biases) in zip(
        layer_sizes(shape), split_layers(shape, values), strict=True
    ):
        flat = weights.reshape(-1)
        if scheme == "paper":
            fill_normal(key, first, 1 / math.sqrt(n_in), 2.0, flat)
        elif scheme == "he":
            fill_normal(key, first, math.sqrt(2 / n_in), math.inf, flat)
        else:
            reach = math.sqrt(6 / (n_in + n_out)) if scheme == "glorot" else 1 / (2 * n_in)
            fill_uniform(key, first, -reach, reach, flat)
        first += flat.size
        if bias_std is None:
            biases[:] = bias
        # a bias, too, is drawn at its own place in the flat parameters: no number serves twice
        else:
            fill_normal(key, first, bias_std, math.inf, biases)
            biases += bias
        first += n_out
    return values.astype(dtype)
