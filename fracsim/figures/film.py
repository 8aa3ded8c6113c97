"""Moving figures: one figure, changed from frame to frame, as a GIF; the same input gives the same
bytes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from fracsim.figures.style import replacing

SUFFIXES = (".gif",)

MOST_FRAMES = 500

_HELD = 2.0  # seconds that the last frame stays
_COLOURS = 255
_SAMPLED = 8  # frames from which the colours are taken


@dataclass(frozen=True)
class Film:
    """A figure and what its frames show."""

    figure: Figure
    update: Callable[[int], None]
    """Makes the figure show frame 0, 1, …"""
    count: int
    rate: float
    """Frames per second."""


def save_film(film: Film, path: str | os.PathLike[str], dpi: float | None = None) -> None:
    """Write a film as GIF; call it inside ``styled``. The file is replaced when it is complete.

    Raises:
        FileError: the folder is missing or cannot be written, or the disk is full.
    """
    film.figure.set_dpi(dpi or 100)
    frames = [_pixels(film, frame) for frame in range(film.count)]
    chosen = np.linspace(0, film.count - 1, min(film.count, _SAMPLED)).round().astype(int)
    sample = Image.fromarray(np.concatenate([frames[frame] for frame in sorted({*chosen})]))
    palette = sample.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
    plain = Image.Dither.NONE
    images = [Image.fromarray(frame).quantize(palette=palette, dither=plain) for frame in frames]
    each = round(1000 / film.rate)
    times = [each] * (film.count - 1) + [max(each, round(1000 * _HELD))]
    with replacing(Path(path), ".gif") as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=times,
            loop=0,
            optimize=False,
        )


def _pixels(film: Film, frame: int) -> NDArray[np.uint8]:
    """One frame (height, width, 3). What stands where is decided by the first and kept."""
    film.update(frame)
    canvas: Any = FigureCanvasAgg(film.figure)
    canvas.draw()
    if frame == 0:
        film.figure.set_layout_engine("none")
    return np.array(canvas.buffer_rgba())[:, :, :3]
