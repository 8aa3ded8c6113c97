"""Hand-written Numba kernels. They know arrays and nothing else."""
