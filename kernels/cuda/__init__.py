"""The CUDA half of the backend verbs: kernels for NVIDIA cards. Imported only where a card is asked
for."""
