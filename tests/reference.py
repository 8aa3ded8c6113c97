"""Slow twins that define the truth: plain NumPy and Python, never optimised. Kernels are tested against these."""

# --- fractals, levels, distributions ---------------------------------------------------------------------------------

# --- networks, losses, optimisers ------------------------------------------------------------------------------------
