"""Networks that are written down, not trained: builders whose layers are put together.

Every builder returns a list of ``Layer``, a ReLU after each but the last; ``composed``, ``beside``
and ``shared`` join such lists, and ``network_of`` makes an ordinary network of unequal widths."""
