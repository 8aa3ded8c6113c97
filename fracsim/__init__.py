"""fracsim: which functions does depth let a ReLU network express, and which can gradient descent learn?"""

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout the rooms lie beside this folder, not inside it; inert in an installed wheel.
_top = _Path(__file__).resolve().parent.parent
if (_top / "pyproject.toml").exists() and (_top / "kernels" / "__init__.py").exists():
    __path__.append(str(_top))
