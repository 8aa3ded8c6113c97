"""The verbs of the CPU backend for networks of several outputs, convolutional ones among them."""

import numpy as np

from fracsim.kernels.convolution.classes import summarise_classes
from fracsim.kernels.convolution.evaluate import BATCH, layout_of, loss_gradient, scores_of
from fracsim.kernels.convolution.train import train_on_images
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.train import Dataset, Images, Rule, State

_WHOLE = np.zeros(1, np.int64)


def forward(shape: Shape, params: np.ndarray, x: np.ndarray, set_of_run: np.ndarray) -> np.ndarray:
    """Scores f (R, N, outputs) of params (R, Q)."""
    layout = layout_of(shape, BATCH, params.itemsize)
    scores = np.empty((len(params), x.shape[1], shape.outputs), params.dtype)
    for run, chosen in enumerate(set_of_run):
        scores_of(*layout, params[run], x[chosen], scores[run])
    return scores


def gradient(
    shape: Shape,
    params: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    set_of_run: np.ndarray,
    peaks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """dparams (R, Q) of the mean cross-entropy over N, and that (R,); y (sets, N): classes. Raises
    ``peaks`` (R, units) to the greatest activations; a channel is a unit."""
    layout = layout_of(shape, BATCH, params.itemsize)
    dparams, losses = np.empty_like(params), np.empty(len(params))
    for run, chosen in enumerate(set_of_run):
        losses[run] = loss_gradient(
            *layout, params[run], x[chosen], y[chosen], dparams[run], peaks[run]
        )
    return dparams, losses


def evaluate(
    shape: Shape,
    params: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    n: int,
    set_of_run: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean cross-entropy (R,), accuracy (R,) and accuracy by group (R, n + 1)."""
    scores = forward(shape, params, x, set_of_run)
    losses, accuracy = np.empty(len(params)), np.empty(len(params))
    by_group = np.full((len(params), n + 1), np.nan)
    for run, chosen in enumerate(set_of_run):
        total, correct = np.zeros(n + 1), np.zeros(n + 1, np.int64)
        count = np.zeros(n + 1, np.int64)
        summarise_classes(scores[run], y[chosen], group[chosen], total, correct, count)
        losses[run], accuracy[run] = total.sum() / count.sum(), correct.sum() / count.sum()
        np.divide(correct, count, out=by_group[run], where=count > 0)
    return losses, accuracy, by_group


def train(
    shape: Shape,
    rule: Rule,
    learning_rate: np.ndarray,
    seed: np.ndarray,
    state: State,
    source: Dataset | Images,
    set_of_run: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Steps start+1 … stop of R runs, in place; diverged ones stand still."""
    layout = layout_of(shape, rule.batch, state.params.itemsize)
    size, flip = np.array((shape.image or (1, 1))[:2]), _WHOLE
    if isinstance(source, Images):
        size, flip = source.size, source.flip
    for run, chosen in enumerate(set_of_run):
        if state.diverged[run] < 0:
            train_on_images(
                *layout, rule, float(learning_rate[run]), np.uint64(seed[run]), state, run,
                source.x[chosen], source.y[chosen], size, flip, start, stop,
            )  # fmt: skip
