"""Study files: the results of a study (a network, a table, a partition), written and read whole.

What a file of each kind may hold is declared with the study (`schema.StudyFormat`) and handed in; a
file holds those variables that there is something to say of. Dimensions are scales, as in a
trajectory, so that xarray opens a study without arguments."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import h5py
import numpy as np

from fracsim.data import layout, schema, trailer
from fracsim.data.atomic import replacing
from fracsim.data.errors import FileError, printable
from fracsim.data.reader import kind_of
from fracsim.data.schema import StudyFormat, Variable
from fracsim.data.untrusted import Inspector, Opened, opened


class StudyContents(NamedTuple):
    """What a study file holds: its kind, name -> array (text as a str array), attributes of the
    file, its form ("" where the kind has no forms, or none that the file could be), its path."""

    kind: str
    arrays: dict[str, np.ndarray]
    attributes: dict[str, str | int | float]
    form: str = ""
    path: str = ""

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {list(values.shape)}" for name, values in self.arrays.items())
        return f"<Study {self.path!r} of kind {self.kind}: {sizes}>"


def _slice(values: np.ndarray, first: int, end: int) -> np.ndarray:
    return values[first:end]


def write_study(
    path: str | os.PathLike[str],
    format: StudyFormat,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, str | int | float],
    form: str = "",
) -> None:
    """Store the arrays of a study, by the names of its format's variables, in place of whatever
    `path` held; `form`: which of the format's forms they are.

    The new file appears when it is whole. Raises FileError where it cannot be written, ValueError
    for an unknown name or form, arrays that do not fit together or attributes that are not text,
    int or float."""
    kind = format.kind
    variables = [variable for variable in format.variables if variable.name in arrays]
    if unknown := set(arrays) - {variable.name for variable in variables}:
        raise ValueError(f"a study of kind '{kind}' has no {', '.join(sorted(unknown))}")
    if missing := set(format.forms[form] if form else ()) - set(arrays):
        raise ValueError(f"a study of kind '{kind}' and form '{form}' has {', '.join(missing)}")
    values = {variable.name: _converted(variable, arrays[variable.name]) for variable in variables}
    sizes = _sizes(variables, values)
    with replacing(path) as file:
        with h5py.File(file, "w", libver=layout.LIBVER) as root:
            layout.store_attributes(
                root,
                {
                    "format": schema.STUDY_FORMAT,
                    "format_version": schema.STUDY_VERSION,
                    "study": kind,
                    **({"form": form} if form else {}),
                    **attributes,
                },
            )
            # A variable named after its only axis holds the coordinates of that axis.
            scales = {
                v.name: _scale(root, v, values[v.name]) for v in variables if v.dims == (v.name,)
            }
            for dim, size in sizes.items():
                scales[dim] = scales.get(dim) or layout.bare_scale(root, dim, size)
            for variable in variables:
                if variable.dims != (variable.name,):
                    layout.describe(
                        _dataset(root, variable, values[variable.name]), variable, scales
                    )
        file.check()
        trailer.append(file.fd)


def read_study(path: str | os.PathLike[str], *formats: StudyFormat) -> StudyContents:
    """Read a study file of one of the formats. Raises FileError, one sentence, for whatever is
    wrong with it, or if it is of another kind."""
    with opened(path) as file:
        found = kind_of(file)
        if found != "study":
            holds = "a trajectory" if found == "trajectory" else found
            wanted = f" of kind '{formats[0].kind}'" if len(formats) == 1 else ""
            raise FileError(f"'{file.name}' holds {holds}, not a study{wanted}")
        return load_study(file, *formats)


def read_part(path: str | os.PathLike[str], *variables: Variable) -> StudyContents:
    """Of a study file of any kind, those of the given variables that it holds. Raises FileError."""
    with opened(path) as file:
        found = kind_of(file)
        if found != "study":
            raise FileError(f"'{file.name}' holds {found}, not a study")
        kind = str(Inspector(file).attributes(file.root).get("study"))
        return load_study(file, StudyFormat(kind, variables))


def load_study(file: Opened, *formats: StudyFormat) -> StudyContents:
    """All of an opened study of one of the formats. Raises FileError."""
    inspector = Inspector(file)
    attributes = inspector.root_attributes()
    kind = str(attributes.get("study"))
    known = {format.kind: format for format in formats}
    if kind not in known:
        if len(known) == 1:
            (wanted,) = known
            raise FileError(
                f"'{file.name}' holds a study of kind '{printable(kind)}', not '{wanted}'"
            )
        raise inspector.bad(f"unknown kind of study {kind!r}")
    names = inspector.members(file.root)
    sizes: dict[str, int] = {}
    arrays: dict[str, np.ndarray] = {}
    for variable in known[kind].variables:
        if variable.name in names:
            arrays[variable.name] = _read(inspector, file.root, variable, sizes)
    form = _form(inspector, known[kind], arrays)
    return StudyContents(kind, arrays, attributes, form, file.name)


def _form(inspector: Inspector, format: StudyFormat, arrays: Mapping[str, np.ndarray]) -> str:
    """The form that the file says it has; files of version 0.1.0 do not say, and have that whose
    variables are there."""
    said = inspector.attributes(inspector.file.root).get("form")
    if said is None or not format.forms:
        whole = (
            form for form, names in format.forms.items() if all(name in arrays for name in names)
        )
        return next(whole, "")
    if said not in format.forms:
        raise inspector.bad(f"unknown form {said!r} of a study of kind '{format.kind}'")
    for name in format.forms[str(said)]:
        if name not in arrays:
            raise inspector.bad(f"its form is '{said}', but it has no '{name}'")
    return str(said)


def _sizes(variables: Sequence[Variable], values: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Dimension -> size. Raises ValueError where two arrays disagree."""
    sizes: dict[str, int] = {}
    for variable in variables:
        shape = values[variable.name].shape
        for dim, size in zip(variable.dims, shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise ValueError(
                    f"'{variable.name}' has {size} values along '{dim}', another array has "
                    f"{sizes[dim]}"
                )
    return sizes


def _converted(variable: Variable, values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, object if variable.dtype == "str" else variable.dtype)
    if array.ndim != len(variable.dims):
        raise ValueError(
            f"'{variable.name}' has the axes ({', '.join(variable.dims)}); given: shape "
            f"{array.shape}"
        )
    return array


def _scale(root: h5py.Group, variable: Variable, values: np.ndarray) -> h5py.Dataset:
    scale = _dataset(root, variable, values)
    scale.make_scale(variable.name)
    layout.set_attributes(scale, {"units": variable.units, "long_name": variable.long_name})
    return scale


def _dataset(root: h5py.Group, variable: Variable, values: np.ndarray) -> h5py.Dataset:
    if variable.dtype == "str":
        return root.create_dataset(variable.name, data=values, dtype=h5py.string_dtype("utf-8"))
    if values.size == 0:
        return root.create_dataset(variable.name, data=values)
    return layout.compressed(
        root, variable.name, values.shape, values.dtype, partial(_slice, values)
    )


def _read(
    inspector: Inspector, root: h5py.Group, variable: Variable, sizes: dict[str, int]
) -> np.ndarray:
    shape = tuple(sizes.get(dim) for dim in variable.dims)
    if variable.dtype == "str":
        size = (
            shape[0]
            if shape[0] is not None
            else inspector.dataset(root, variable.name, shape).shape[0]
        )
        values = inspector.column(root, variable.name, size)
    else:
        values = inspector.numbers(root, variable.name, shape, variable.dtype)
    sizes.update(zip(variable.dims, values.shape, strict=True))
    return values
