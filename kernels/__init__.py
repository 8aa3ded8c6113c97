"""Hand-written Numba kernels. They know arrays and nothing else."""

from fracsim.kernels.cache import use_versioned_cache

use_versioned_cache()
