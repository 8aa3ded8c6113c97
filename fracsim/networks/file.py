"""What files of written networks hold. Nothing heavy is imported here: the studies that make
networks declare it as theirs.

A study's file keeps a network, whatever its kind, where the study declares ``PARAMS`` among its
variables and says by ``networks.stored.described`` what network they are."""

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
