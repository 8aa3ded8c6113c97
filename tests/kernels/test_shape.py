"""The shape of a network and the one layout of its parameters, in Python and in kernels."""

import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fracsim.kernels.network.shape import (
    FLAT_START,
    PARAMS,
    TOTAL,
    M,
    Shape,
    flat_layout,
    layer_sizes,
    layer_weights,
    make_plan,
    make_work,
    pack,
    parameter_count,
    split_layers,
    unpack,
)

WIDTHS = st.lists(st.integers(1, 40), max_size=5)


def test_three_whole_numbers_are_layers_of_one_width():
    assert Shape(2, 3, 20) == Shape(2, (20, 20, 20)) == Shape(*np.array([2, 3, 20]))
    assert Shape(2, depth=3, width=20) == Shape(2, 3, 20)
    assert Shape(2, np.array([20, 5])) == Shape(2, [20, 5], 1) == Shape(2, iter((20, 5)))
    shape = Shape(np.int64(2), np.int32(3), np.uint8(20))
    assert all(type(size) is int for size in (shape.inputs, *shape.widths, shape.outputs))
    assert len({Shape(2, 3, 20), shape, pickle.loads(pickle.dumps(shape))}) == 1
    assert shape._replace(inputs=5) == Shape(5, 3, 20)


def test_depth_width_and_what_messages_say():
    assert (Shape(2, (7, 20, 5)).depth, Shape(2, (7, 20, 5)).width) == (3, 20)
    assert (Shape(2, 0, 100).depth, Shape(2, 0, 100).width) == (0, 1)
    assert Shape(2, 0, 100) == Shape(2, ())
    assert str(Shape(2, 3, 20)) == "2 input(s), depth 3, width 20"
    assert str(Shape(1, (7, 20), 10)) == "1 input(s), depth 2, width 7-20, 10 outputs"
    assert [Shape(2, widths).is_even for widths in ((), (3,), (3, 3), (3, 4))] == [1, 1, 1, 0]


@pytest.mark.parametrize("sizes", [(2, 2.0, 3), (2, (3, 2.5)), (2.5, (3,)), (2, "33"), (2, None)])
def test_what_is_no_whole_number_is_refused(sizes):
    with pytest.raises(TypeError):
        Shape(*sizes)
    with pytest.raises(TypeError, match="depth and width"):
        Shape(2, depth=3)


@pytest.mark.parametrize("sizes", [(0, (3,)), (2, (3, 0)), (2, (-3,)), (2, (3,), 0), (2, -1, 3)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match=r"hidden layers|at least 1"):
        Shape(*sizes)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), WIDTHS, st.integers(1, 12))
def test_the_layout_is_one_and_the_same(inputs, widths, outputs):
    shape = Shape(inputs, widths, outputs)
    flat = np.arange(parameter_count(shape), dtype=np.float64)
    layout, whole = flat_layout(shape), []
    layers = split_layers(shape, flat)
    for layer, ((weights, biases), (n_in, n_out)) in enumerate(
        zip(layers, layer_sizes(shape), strict=True)
    ):
        assert (weights.shape, biases.shape) == ((n_in, n_out), (n_out,))
        assert layout[layer, FLAT_START] == weights[0, 0]
        for mine, truth in zip(layer_weights(layout, flat, layer), (weights, biases), strict=True):
            np.testing.assert_array_equal(mine, truth)
        whole += [weights.ravel(), biases]
    np.testing.assert_array_equal(np.concatenate(whole), flat)
    for ours, truth in zip(layers, reference.layers(shape, flat), strict=True):
        np.testing.assert_array_equal(ours[0], truth[0])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), WIDTHS, st.integers(1, 9), st.sampled_from([4, 8, 16]), st.booleans())
def test_unpack_undoes_pack(inputs, widths, batch, lanes, double):
    shape = Shape(inputs, widths)
    plan, places = make_plan(shape, batch, lanes)
    flat = np.arange(1, parameter_count(shape) + 1, dtype=np.float64 if double else np.float32)
    work, back = make_work(places, flat), np.zeros_like(flat)
    assert work.size == places[TOTAL]
    pack(plan, flat, work, places[PARAMS])
    unpack(plan, work, places[PARAMS], back)
    np.testing.assert_array_equal(back, flat)
    assert (work[places[PARAMS] : places[M]] != 0).sum() == flat.size, "padding is zero"
