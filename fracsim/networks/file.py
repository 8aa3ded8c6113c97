"""What a file of a constructed network holds. Nothing heavy is imported here: the studies that make
networks declare it as theirs."""

from fracsim.data.schema import StudyFormat, Variable

NETWORK = StudyFormat(
    "network",
    (
        Variable("params", ("parameter",), "<f8", "1", "weights and biases of the network, flat"),
        Variable(
            "level", ("level",), "<i8", "1", "level(x): negatives at j < n, positives at j = n"
        ),
        Variable("errors", ("level",), "<i8", "1", "points of the level on which the network errs"),
        Variable("samples", ("level",), "<i8", "1", "points of the level on which it was tried"),
    ),
)
