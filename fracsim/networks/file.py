"""What files of written networks hold. Nothing heavy is imported here: the studies that make
networks declare it as theirs."""

from fracsim.data.schema import StudyFormat, Variable

PARAMS = Variable("params", ("parameter",), "<f8", "1", "weights and biases of the network, flat")

NETWORK = StudyFormat(
    "network",
    (
        PARAMS,
        Variable(
            "level", ("level",), "<i8", "1", "level(x): negatives at j < n, positives at j = n"
        ),
        Variable("errors", ("level",), "<i8", "1", "points of the level on which the network errs"),
        Variable("samples", ("level",), "<i8", "1", "points of the level on which it was tried"),
    ),
)

KINDS = (NETWORK.kind, "multiply", "radial", "quantise", "shallow")
"""The kinds of studies whose files can keep a network: ``PARAMS``, and the attributes of
``networks.stored.described``."""
