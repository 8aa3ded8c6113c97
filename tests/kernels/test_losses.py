"""Losses of any label: values, slopes and types, against the textbook and against what was there
when labels could only be ±1."""

import numba
import numpy as np
import pytest
import reference

from fracsim.kernels.network.losses import HINGE, LOGISTIC, LOSSES, SQUARED, loss_and_slope


@numba.njit
def each(code, scores, labels, values, derivatives):
    for i in range(scores.size):
        values[i], derivatives[i] = loss_and_slope(code, scores[i], labels[i])


def of(code, scores, labels, dtype=np.float64):
    """Values and slopes (N,), computed in one float type."""
    values, derivatives = np.empty(len(scores), dtype), np.empty(len(scores), dtype)
    each(code, np.asarray(scores, dtype), np.asarray(labels, dtype), values, derivatives)
    return values, derivatives


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("score", "label", "loss", "slope"),
    [(1, 0.5, 0.125, 0.5), (1, 0, 0.5, 1), (0.25, 3, 3.78125, -2.75), (-2, -2, 0, 0)],
)
def test_squared_loss_of_any_label(score, label, loss, slope, dtype):
    values, derivatives = of(SQUARED, [score], [label], dtype)
    assert (values[0], derivatives[0]) == (loss, slope)


@pytest.mark.parametrize("name", LOSSES)
def test_against_the_reference(name, generator):
    scores, labels = generator.normal(size=200), generator.choice([-1.0, 1.0], 200)
    if name == "squared":
        labels = generator.normal(size=200)
    values, derivatives = of(LOSSES.index(name), scores, labels)
    np.testing.assert_allclose(values, reference.losses(name, scores, labels), rtol=1e-13)
    np.testing.assert_allclose(derivatives, reference.slopes(name, scores, labels), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_of_labels_one_and_minus_one_have_not_changed(dtype, generator):
    """The squared error was divided by label² + label²."""
    scores = (generator.normal(size=1000) * 10.0 ** generator.integers(-20, 18, 1000)).astype(dtype)
    labels = generator.choice([-1, 1], 1000).astype(dtype)
    values, derivatives = of(SQUARED, scores, labels, dtype)
    error = scores - labels
    np.testing.assert_array_equal(values, error * error / (labels * labels + labels * labels))
    np.testing.assert_array_equal(derivatives, error)


@pytest.mark.compiled
@pytest.mark.parametrize("code", [HINGE, LOGISTIC, SQUARED])
def test_the_type_of_the_score_decides_the_arithmetic(code):
    kind = numba.njit(lambda f, y: loss_and_slope(code, f, y))
    for real in (numba.float32, numba.float64):
        kind.compile((real, real))
    returned = [overload.signature.return_type for overload in kind.overloads.values()]
    assert returned == [numba.types.UniTuple(real, 2) for real in (numba.float32, numba.float64)]
