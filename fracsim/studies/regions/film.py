"""The linear regions of a network, for a film of its training."""

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.networks.snapshots import Snapshot
from fracsim.studies.regions.regions import partition

MOST_REGIONS = 100_000
"""Of one frame; more are smaller than a pixel."""


def cut(one: Snapshot) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Polygons of the regions in the base of the network's fractal, and the mean of f at the
    corners of each. Raises UsageError for more than can be seen."""
    window = (one.low, 1.0, one.low, 1.0)
    found = partition(one.shape, one.params, window)
    if found.activation_regions > MOST_REGIONS:
        raise UsageError(
            f"{found.activation_regions:,} regions at step {one.step:,} are too many to see; "
            f"accepted: at most {MOST_REGIONS:,}"
        )
    polygons = [found.polygon(region) for region in range(found.activation_regions)]
    means = [
        float((polygon @ gradient + offset).mean())
        for polygon, gradient, offset in zip(polygons, found.gradient, found.offset, strict=True)
    ]
    return polygons, np.array(means)
