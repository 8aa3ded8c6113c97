"""Where the public obtains a backend: the verbs of ``fracsim.kernels.backend``, whose arguments are
checked before a kernel sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracsim.errors import RunError, UsageError
from fracsim.values.arguments import (
    LARGEST_SEED,
    Array,
    Check,
    Instance,
    Network,
    Number,
    Sizes,
    Text,
    Whole,
    door,
    instance,
)
from fracsim.values.given import refused

if TYPE_CHECKING:
    from fracsim.kernels.protocol import Backend

NAMES = ("auto", "cpu", "cuda")
"""As ``kernels.backend.BACKENDS``, which imports NumPy."""

_POINTS, _LABELS = "sets N d", "sets N"
CROSS_ENTROPY = 3
"""Code of the loss of several classes, ``kernels.network.losses.EVERY_LOSS``."""

_LOSS = Whole(0, CROSS_ENTROPY)
_SHAPE = Network(plain=False)
_RULE = instance("a Rule of fracsim.kernels.training.train", "kernels.training.train:Rule")
_PARAMS = Array("R Q", "", like="float", placed=True, empty=False)
_X = Array(_POINTS, "", like="float", placed=True, empty=False)
_Y = Array(_LABELS, "", like="float", placed=True)
_SEED = Array("R", "uint64")
_RATE = Array("R", low=0)


def get_backend(name: str = "auto") -> Backend:
    """The backend "cpu" or "cuda"; "auto" is an NVIDIA card if one works, else the CPU, and its
    ``why`` says why. Its verbs (``fracsim.kernels.protocol.Backend``) check what they are given.

    Raises UsageError for an unknown name, RunError for a backend that cannot work here; its verbs
    raise UsageError."""
    from fracsim.kernels.backend import get_backend as bare
    from fracsim.kernels.errors import BackendError

    chosen = Text(NAMES).read("name", name, {})
    try:
        checked: Any = CheckedBackend(bare(chosen))
    except BackendError as error:
        raise RunError(str(error)) from error
    backend: Backend = checked
    return backend


class _Geometry(Check):
    """The arrays of an IFS that fit each other; d and r are their sizes."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """With its arrays as kernels take them."""
        known = Instance(
            "the geometry() of a Fractal", ("fracsim.kernels.points.geometry:Geometry",)
        ).read(name, value, sizes)
        maps, offsets = Array("r d d"), Array("r d")
        return known._replace(
            matrices=maps.read(f"{name}.matrices", known.matrices, sizes),
            offsets=offsets.read(f"{name}.offsets", known.offsets, sizes),
            inverse_matrices=maps.read(f"{name}.inverse_matrices", known.inverse_matrices, sizes),
            inverse_offsets=offsets.read(f"{name}.inverse_offsets", known.inverse_offsets, sizes),
        )


class _Law(Check):
    """The law of a distribution; n is its depth."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """With its curve as kernels take it."""
        known = Instance(
            "the law() of a Distribution", ("fracsim.kernels.points.geometry:Law",)
        ).read(name, value, sizes)
        sizes["n"] = Whole(1).read(f"{name}.fractal_depth", known.fractal_depth, sizes)
        for field in ("choices", "blocks"):
            Whole(1).read(f"{name}.{field}", getattr(known, field), sizes)
        return known._replace(curve=Array("n+1").read(f"{name}.curve", known.curve, sizes))


class _Chosen(Check):
    """For each run the number of its set."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """An array (R,) of int64."""
        return Array("R", "int64", low=0, high=sizes["sets"] - 1).read(name, value, sizes)


class _State(Check):
    """Runs in progress, whose arrays are modified where they are: none is converted."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As given."""
        known = Instance(
            "a State of fracsim.kernels.training.train", ("fracsim.kernels.training.train:State",)
        ).read(name, value, sizes)
        real = getattr(known.params, "dtype", None)
        if real not in ("float32", "float64"):
            raise refused(f"{name}.params", known.params, "an array (R, Q) of float32 or float64")
        for field, shape, dtype in (
            *((one, "R Q", str(real)) for one in ("params", "m", "v")),
            ("loss_sum", "R", "float64"),
            *((one, "R", "int64") for one in ("correct", "counted", "diverged")),
        ):
            self._check(f"{name}.{field}", getattr(known, field), shape, dtype, sizes)
        sizes["float"] = known.params.dtype.itemsize
        return known

    @staticmethod
    def _check(name: str, value: Any, shape: str, dtype: str, sizes: Sizes) -> None:
        """A C-contiguous array of exactly this type, that can be written to."""
        on_device = hasattr(value, "__cuda_array_interface__")
        if getattr(value, "dtype", None) != dtype:
            raise refused(name, value, f"an array ({', '.join(shape.split())}) of {dtype}")
        Array(shape, "", finite=False, placed=True).read(name, value, sizes)
        if not on_device and not (value.flags.c_contiguous and value.flags.writeable):
            raise refused(name, value, "a C-contiguous array that can be written to")


class _Source(Check):
    """What is trained on: Dataset, Stream or Population."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """With its arrays as kernels take them."""
        known = Instance(
            "a Dataset, Images, Stream or Population of fracsim.kernels.training.train",
            tuple(
                f"fracsim.kernels.training.train:{one}"
                for one in ("Dataset", "Images", "Stream", "Population")
            ),
        ).read(name, value, sizes)
        kind = type(known).__name__
        if kind == "Dataset":
            x = _X.read(f"{name}.x", known.x, sizes)
            return known._replace(x=x, y=_Y.read(f"{name}.y", known.y, sizes))
        if kind == "Images":
            x = Array("sets N pixels", "", like="float", placed=True, empty=False)
            return known._replace(
                x=x.read(f"{name}.x", known.x, sizes),
                y=_Y.read(f"{name}.y", known.y, sizes),
                size=Array("2", "int64", low=1).read(f"{name}.size", known.size, sizes),
                flip=Array("1", "int64", low=0, high=1).read(f"{name}.flip", known.flip, sizes),
            )
        sizes["sets"] = LARGEST_SEED  # there are no sets to choose from
        if kind == "Stream":
            geometry = _Geometry().read(f"{name}.geometry", known.geometry, sizes)
            return known._replace(
                geometry=geometry, law=_Law().read(f"{name}.law", known.law, sizes)
            )
        if sizes["d"] != 1:
            raise UsageError(f"{name} is a Population; accepted is one for networks with 1 input")
        return known


class _Rule(Check):
    """How a network is trained, with codes that there are."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As given."""
        known = _RULE.read(name, value, sizes)
        for field, high in (("loss", 3), ("optimizer", 2), ("schedule", 2)):
            Whole(0, high).read(f"{name}.{field}", getattr(known, field), sizes)
        Whole(1, sizes.get("N", 10**7)).read(f"{name}.batch", known.batch, sizes)
        Whole(1).read(f"{name}.period", known.period, sizes)
        for field in ("momentum", "beta1", "beta2", "decay"):
            Number(0, 1).read(f"{name}.{field}", getattr(known, field), sizes)
        Number(0, above=True).read(f"{name}.epsilon", known.epsilon, sizes)
        return known


def _check_labels(name: str, shape: Any, loss: int, y: Any) -> None:
    """Raise UsageError where the labels of a network with an output for each class are no numbers
    of classes, or its loss is not the one there is."""
    several = shape.outputs != 1 or shape.image is not None
    if not several and loss == CROSS_ENTROPY:
        raise UsageError(f"loss is {loss}, for classes; the network has one output")
    if several and not hasattr(y, "__cuda_array_interface__"):
        least, most = y.min(), y.max()
        if least < 0 or most >= shape.outputs or (y != y.round()).any():
            raise UsageError(
                f"{name} holds numbers from {least:g} to {most:g}; accepted are whole numbers "
                f"below the outputs of the network, {shape.outputs}"
            )


def _check_images(shape: Any, images: Any) -> None:
    """Raise UsageError where images do not hold what a convolutional network sees."""
    if shape.image is None:
        raise UsageError("source is Images; accepted with a network without images is a Dataset")
    height, width, channels = shape.image
    rows, columns = images.size.tolist()
    pixels = images.x.shape[2]
    if rows < height or columns < width or rows * columns * channels != pixels:
        raise UsageError(
            f"source holds images of {rows} x {columns} in {pixels} numbers; accepted are ones of "
            f"{channels} channels and at least {height} x {width}"
        )


class CheckedBackend:
    """A backend whose verbs check their arguments, once, at the top. All else is the backend's
    own."""

    def __init__(self, bare: Backend) -> None:
        self.bare = bare

    def __getattr__(self, name: str) -> Any:
        if (
            name.startswith("__") or name == "bare"
        ):  # asked for by copy and pickle, before there is one
            raise AttributeError(name)
        return getattr(self.bare, name)

    @door(geometry=_Geometry(), n=Whole(0, 1000), x=Array("N d", placed=True))
    def level(self, geometry: Any, n: int, x: Any) -> Any:
        """See ``Backend``."""
        return self.bare.level(geometry, n, x)

    @door(
        geometry=_Geometry(),
        law=_Law(),
        seed=Whole(0, LARGEST_SEED),
        purpose=Whole(0, 2**32 - 1),
        first=Whole(0, 2**63),
        count=Whole(0, 2**40),
    )
    def sample(
        self, geometry: Any, law: Any, seed: int, purpose: int, first: int, count: int
    ) -> Any:
        """See ``Backend``."""
        return self.bare.sample(geometry, law, seed, purpose, first, count)

    @door(shape=_SHAPE, params=_PARAMS, x=_X, set_of_run=_Chosen())
    def forward(self, shape: Any, params: Any, x: Any, set_of_run: Any) -> Any:
        """See ``Backend``."""
        return self.bare.forward(shape, params, x, set_of_run)

    @door(shape=_SHAPE, loss=_LOSS, params=_PARAMS, x=_X, y=_Y, set_of_run=_Chosen())
    def gradient(self, shape: Any, loss: int, params: Any, x: Any, y: Any, set_of_run: Any) -> Any:
        """See ``Backend``."""
        _check_labels("y", shape, loss, y)
        return self.bare.gradient(shape, loss, params, x, y, set_of_run)

    @door(shape=_SHAPE, dparams=Array("R Q", "", placed=True))
    def layer_norms(self, shape: Any, dparams: Any) -> Any:
        """See ``Backend``."""
        return self.bare.layer_norms(shape, dparams)

    @door(
        shape=_SHAPE,
        loss=_LOSS,
        params=_PARAMS,
        x=_X,
        y=_Y,
        n=Whole(0, 2**15 - 1),
        level=Array(_LABELS, "int16", low=0, placed=True),
        set_of_run=_Chosen(),
    )
    def evaluate(
        self,
        shape: Any,
        loss: int,
        params: Any,
        x: Any,
        y: Any,
        level: Any,
        n: int,
        set_of_run: Any,
    ) -> Any:
        """See ``Backend``."""
        if not hasattr(level, "__cuda_array_interface__") and level.size and level.max() > n:
            raise UsageError(f"level runs up to {level.max()}; accepted is at most n = {n}")
        _check_labels("y", shape, loss, y)
        return self.bare.evaluate(shape, loss, params, x, y, level, n, set_of_run)

    @door(
        shape=_SHAPE,
        learning_rate=_RATE,
        seed=_SEED,
        state=_State(),
        source=_Source(),
        rule=_Rule(),
        set_of_run=_Chosen(),
        start=Whole(0, 10**12),
        stop=Whole(0, 10**12),
    )
    def train(
        self,
        shape: Any,
        rule: Any,
        learning_rate: Any,
        seed: Any,
        state: Any,
        source: Any,
        set_of_run: Any,
        start: int,
        stop: int,
    ) -> None:
        """See ``Backend``."""
        if stop < start:
            raise UsageError(f"stop is {stop}; accepted is at least start = {start}")
        if hasattr(source, "y"):
            _check_labels("source.y", shape, rule.loss, source.y)
        if hasattr(source, "flip"):
            _check_images(shape, source)
        elif shape.image is not None and not hasattr(source, "y"):
            raise UsageError("source is no set of images, and the network is of images")
        self.bare.train(shape, rule, learning_rate, seed, state, source, set_of_run, start, stop)
