"""Kernels of infinitely wide ReLU networks."""
