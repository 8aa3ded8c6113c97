"""Kernels of the studies of random networks: the χ² chain, networks drawn by the million, and a
forward pass that keeps every layer."""
