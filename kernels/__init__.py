"""Hand-written Numba kernels. They know arrays and nothing else."""

from fracsim.kernels.cache import use_versioned_cache

CACHED = use_versioned_cache()
"""Whether compiled kernels are kept for the next process; settled here, before any kernel is
declared."""
