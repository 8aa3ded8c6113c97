"""The protocol of a backend: both have every member of it, with the same signature, so that no
caller needs to know which one it has."""

import inspect

import pytest

from fracsim.kernels.backend import Backend, get_backend
from fracsim.kernels.cpu import CpuBackend
from fracsim.kernels.cuda.backend import CudaBackend

BACKENDS = (CpuBackend, CudaBackend)
VERBS = [
    name
    for name, member in vars(Backend).items()
    if inspect.isfunction(member) and not name.startswith("_")
]
ATTRIBUTES = list(Backend.__annotations__)


def test_the_protocol_has_the_verbs_of_the_design():
    assert {"level", "sample", "forward", "gradient", "evaluate", "train"} <= set(VERBS)
    assert {"name", "device", "kinds_of_data"} <= set(ATTRIBUTES)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("verb", VERBS)
def test_both_backends_have_every_verb_with_one_signature(backend, verb):
    assert verb in vars(backend), f"{backend.__name__} has no {verb} of its own"
    theirs, ours = (inspect.signature(getattr(one, verb)) for one in (backend, Backend))
    assert [(p.name, p.kind, p.default) for p in theirs.parameters.values()] == [
        (p.name, p.kind, p.default) for p in ours.parameters.values()
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented_where_it_is_declared(verb):
    """help(CpuBackend.forward) shows it, too: what a backend adds is about itself."""
    assert inspect.getdoc(getattr(Backend, verb))
    assert inspect.getdoc(getattr(CpuBackend, verb)) == inspect.getdoc(getattr(Backend, verb))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_shows_callers_nothing_beyond_the_protocol(backend):
    public = {name for name in vars(backend) if not name.startswith("_")}
    assert public <= {*VERBS, *ATTRIBUTES}


def test_attributes_are_there_with_their_types():
    backend = get_backend("cpu")
    kinds = {"str": str, "bool": bool, "tuple[str, ...]": tuple}
    for name, kind in Backend.__annotations__.items():
        assert isinstance(getattr(backend, name), kinds[kind]), name
