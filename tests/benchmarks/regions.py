"""Regions counted a second, beside the PyPI package regioncam, and segments of a deep network on
two threads.

    python tests/benchmarks/regions.py

Both partition [-1, 1]² for the same networks of widths 64, 64, 64 (He weights, N(0, 0.5²) biases),
in turns, in one run; fracsim also computes f, area and piece of every region. Times are CPU times
of this process, the best of the turns, so that other work on the machine counts little. Exits with
1 if fracsim is the slower one, or if 10^5 random segments through a network of width 100 and depth
5 would take longer than a minute on 2 cores."""

import sys
import time

import numpy as np
import regioncam

from fracsim.networks.initial import Shape, initial_parameters, split_layers
from fracsim.studies.regions.regions import count_on_segments, partition, random_points

NETWORKS, TURNS, SEGMENTS = 5, 7, 2000
WINDOW = (-1, 1, -1, 1)


def cpu_seconds(work):
    """CPU time of one call, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def peer(shape, params):
    """The same partition by regioncam, in float32."""
    camera = regioncam.Regioncam(size=1.0)
    for number, (weights, biases) in enumerate(split_layers(shape, params)):
        if number:
            camera.relu()
        camera.linear(np.ascontiguousarray(weights), np.ascontiguousarray(biases))
    return camera.num_faces


def main() -> int:
    shape = Shape(2, 3, 64)
    networks = [initial_parameters(shape, "he", seed, bias_std=0.5) for seed in range(NETWORKS)]
    partition(shape, networks[0], WINDOW)  # compiles
    ours, theirs = np.full(NETWORKS, np.inf), np.full(NETWORKS, np.inf)
    for _ in range(TURNS):
        for i, params in enumerate(networks):
            seconds, parts = cpu_seconds(lambda params=params: partition(shape, params, WINDOW))
            ours[i] = min(ours[i], seconds)
            seconds, faces = cpu_seconds(lambda params=params: peer(shape, params))
            theirs[i] = min(theirs[i], seconds)
            assert abs(parts.activation_regions - faces) <= 3, (i, parts.activation_regions, faces)
    print(
        f"widths 64, 64, 64: fracsim {1000 * ours.mean():.1f} ms, regioncam "
        f"{1000 * theirs.mean():.1f} ms: "
        f"{theirs.sum() / ours.sum():.2f} times as fast"
    )
    shape, box = Shape(2, 5, 100), (-1, 1) * 2
    params = initial_parameters(shape, "he", 0, bias_std=0.5)
    ends = random_points(2 * SEGMENTS, box, 0)
    count_on_segments(shape, params, ends[:2], ends[2:4])
    seconds, counts = cpu_seconds(
        lambda: count_on_segments(shape, params, ends[0::2], ends[1::2], threads=2)
    )
    whole = seconds / SEGMENTS * 1e5
    print(
        f"segments through width 100, depth 5: {1e6 * seconds / SEGMENTS:.0f} µs of CPU each "
        f"({counts[:, 0].mean():.0f} regions), 10^5 take {whole / 2:.0f} s on two cores"
    )
    return int(theirs.sum() < ours.sum() or whole / 2 > 60)


if __name__ == "__main__":
    sys.exit(main())
