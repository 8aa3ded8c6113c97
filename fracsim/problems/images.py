"""The problem ``images``: which of several classes is an image of? Read from files of the user's,
or the digits that come with fracsim.

What decides a run's numbers are the images, not the files' name: as with ``table``, an experiment
pins them by their SHA-256."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.problem import Points, Problem
from fracsim.problems.table import pinned_path
from fracsim.values.settings import label, setting

if TYPE_CHECKING:
    import numpy as np

    from fracsim.kernels.training.train import Dataset, Images
    from fracsim.problems.image_files import ImageSet

_BLOCK = 1000  # images that are standardised at once


@dataclass(frozen=True)
class ImagesKeys:
    """The keys of images."""

    images: str | None = setting(
        None,
        "images in classes: a folder of IDX files (MNIST, Fashion-MNIST) or of CIFAR-10's binary "
        "ones, an .npz, or digits, which come with fracsim",
        str,
        optional="none; problem images needs one",
    )
    crop: int | None = setting(
        None,
        "rows and columns that a cnn sees: a part drawn anew each time, the middle in the test",
        int,
        low=1,
        high=10_000,
        optional="the whole image",
    )
    flip: str = setting(
        "no", "reverse columns of training images at random (cnn)", str, choices=("no", "yes")
    )


@dataclass(frozen=True)
class ImagesProblem(Problem):
    """Labels are numbers of classes, from 0, and so are groups. Each image is standardised: its
    mean is 0 and its variance 1."""

    images: str
    crop: int | None
    flip: str
    precision: str
    facts: str
    """JSON of what ``look`` says of the files."""

    name: ClassVar[str] = "images"
    declared: ClassVar[type] = ImagesKeys
    source_key: ClassVar[str] = "images"
    described: ClassVar[tuple[str, ...]] = ("images",)
    open_keys: ClassVar[tuple[str, ...]] = ("train_points", "test_points")
    has_images: ClassVar[bool] = True

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> ImagesProblem:
        """See ``Problem``."""
        text = settings["images"]
        if text is None:
            raise UsageError(
                f"{label('problem')} images needs {label('images')}: a folder of IDX files or of "
                f"CIFAR-10's binary ones, an .npz, or digits"
            )
        facts = settings["problem_facts"] or json.dumps(_load(text).facts())
        return cls(text, settings["crop"], settings["flip"], settings["precision"], facts)

    @classmethod
    def look(cls, text: str) -> tuple[str, dict[str, Any]]:
        """The path and the digest of the images, and their sizes."""
        found = _load(text)
        return f"{found.path}#{found.digest}", found.facts()

    @classmethod
    def complete(cls, settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
        """All images there are, unless told otherwise."""
        if settings["images"] is None:
            return {}
        facts = json.loads(settings["problem_facts"])
        return {
            f"{part}_points": facts[part]
            for part in ("train", "test")
            if f"{part}_points" not in given
        }

    @classmethod
    def content_of(cls, key: str, value: Any) -> Any:
        """The digest of the images."""
        return pinned_path(value)[1] or value if key == "images" and value else value

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """The name of the folder or file."""
        path = pinned_path(str(settings.get("images") or "images"))[0]
        parts = path.replace("\\", "/").rstrip("/").rpartition("/")
        return parts[2].replace("$", r"\$")

    @property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.facts)
        return facts

    @property
    def image(self) -> tuple[int, int, int]:
        """What the network sees of an image."""
        height, width, channels = self._facts["image"]
        if self.crop is not None:
            height = width = self.crop
        return height, width, channels

    @property
    def inputs(self) -> int:
        """Pixels and channels together."""
        height, width, channels = self.image
        return height * width * channels

    @property
    def outputs(self) -> int:
        """One for each class."""
        return int(self._facts["classes"])

    @property
    def target(self) -> str:
        """Classes."""
        return "class"

    @property
    def groups(self) -> int:
        """The classes."""
        return self.outputs

    def count(self, part: str) -> int:
        """How many images the files have: "train" or "test"."""
        return int(self._facts[part])

    def identity(self) -> Hashable:
        """The images, wherever they lie, and what is done to them."""
        return self.content_of("images", self.images), self.crop, self.flip, self.precision

    def memory(self, train_points: int, test_points: int) -> float:
        """Bytes of the images as the files have them, and as numbers."""
        facts, real = self._facts, 8 if self.precision == "float64" else 4
        height, width, channels = facts["image"]
        stored = (facts["train"] + facts["test"]) * height * width * channels * facts["bytes"]
        full = (train_points + test_points) * height * width * channels * real
        return float(stored + full + (train_points + test_points) * (real + 2))

    def check(self, run: Mapping[str, Any]) -> None:
        """There must be as many images as are asked for, and room for the crop and the maxima."""
        facts, path = self._facts, pinned_path(self.images)[0]
        for part in ("train", "test"):
            asked = run[f"{part}_points"]
            if asked > facts[part]:
                raise UsageError(
                    f"{label(part + '_points')} is {asked}; accepted are at most the "
                    f"{facts[part]} {part} images of {path}"
                )
        height, width, _ = facts["image"]
        if self.crop is not None and self.crop > min(height, width):
            raise UsageError(
                f"{label('crop')} is {self.crop}; accepted are at most the {min(height, width)} "
                f"pixels of the images of {path}"
            )
        for key, plain in (("crop", None), ("flip", "no")):
            if run["network"] == "mlp" and run[key] != plain:
                raise UsageError(
                    f"{label(key)} is {run[key]} and {label('network')} is mlp; accepted with mlp "
                    f"is none, and any with cnn"
                )
        height, width, _ = self.image
        if run["network"] == "cnn" and min(height, width) < 2 ** min(run["network_depth"], 2):
            raise UsageError(
                f"images of {height} x {width} pixels are too small for {label('network')} cnn of "
                f"{label('network_depth')} {run['network_depth']}, which halves them once or twice"
            )

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> Points:
        """The images of the files' training or test set in the seed's own order; training images
        whole, test images as the network sees them."""
        import numpy as np

        from fracsim.kernels.random.feistel import fill_split
        from fracsim.kernels.random.philox import TEST

        found = _load(self.images)
        images, labels = (
            (found.test, found.test_labels)
            if purpose == TEST
            else (found.train, found.train_labels)
        )
        if not 0 <= first <= len(labels) - count:
            raise UsageError(
                f"images {first} to {first + count - 1} of {len(labels)} are asked for"
            )
        rows = np.empty(count, np.int64)
        fill_split(np.uint64(seed), first, 1, len(labels), rows)
        cut = self.crop if purpose == TEST else None
        x = standardised(images, rows, self.precision, cut)
        y = labels[rows]
        return Points(x, y.astype(self.precision), y.astype(np.int16))

    def dataset(self, x: np.ndarray, y: np.ndarray) -> Dataset | Images:
        """Whole images, of which a part is drawn in each step, where that is asked for."""
        import numpy as np

        from fracsim.kernels.training.train import Dataset, Images

        if self.crop is None and self.flip == "no":
            return Dataset(x, y)
        size = np.array(self._facts["image"][:2])
        return Images(x, y, size, np.array([int(self.flip == "yes")]))


def standardised(
    images: np.ndarray, rows: np.ndarray, precision: str, crop: int | None = None
) -> np.ndarray:
    """Flat images (N, d) of these rows, each less its mean and over its standard deviation, which
    counts as at least that of one grey level in d values; of each the ``crop`` pixels in the
    middle."""
    import numpy as np

    _, height, width, channels = images.shape
    top = left = 0
    if crop is not None:
        top, left = (height - crop) // 2, (width - crop) // 2
        height = width = crop
    x = np.empty((len(rows), height * width * channels), precision)
    for first in range(0, len(rows), _BLOCK):
        block = images[rows[first : first + _BLOCK]].astype(np.float64)
        flat = block.reshape(len(block), -1)
        mean, spread = flat.mean(1), np.maximum(flat.std(1), flat.shape[1] ** -0.5)
        part = block[:, top : top + height, left : left + width].reshape(len(block), -1)
        x[first : first + _BLOCK] = (part - mean[:, None]) / spread[:, None]
    return x


def _load(text: str) -> ImageSet:
    """The images of a value of the key, read once. Raises UsageError, FileError where they are not
    the pinned ones."""
    from fracsim.data.errors import FileError
    from fracsim.problems.image_files import read_images

    path, digest = pinned_path(text)
    found = read_images(path)
    if digest is not None and digest != found.digest:
        raise FileError(
            f"{label('images')}: '{path}' no longer holds the images that were there when this "
            f"experiment was made; put them back, or name the new ones"
        )
    return found
