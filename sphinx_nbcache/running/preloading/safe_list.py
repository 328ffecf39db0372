"""The libraries that may be imported once and then be shared by many forked kernels.

Each has its place here because ``test_safe_list.py`` shows in a real process that importing
it prints nothing, warns of nothing, starts no Python thread and no process, and that forked
children can work with it, several at once. What takes less than a tenth of a second to
import is not worth a place.

These are left out on purpose: ``tqdm.auto``, ``plotly`` and ``ipywidgets`` ask while they
are imported which kernel they are in; ``polars`` starts threads that do not survive a fork,
and ``statsmodels`` imports it where it is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SCIPY = (
    "cluster", "cluster.hierarchy", "cluster.vq", "constants", "fft", "fftpack", "integrate",
    "interpolate", "io", "linalg", "ndimage", "optimize", "signal", "sparse", "sparse.csgraph",
    "sparse.linalg", "spatial", "spatial.distance", "special", "stats",
)  # fmt: skip
_SKLEARN = (
    "cluster", "compose", "datasets", "decomposition", "ensemble", "feature_extraction",
    "feature_selection", "gaussian_process", "impute", "inspection", "linear_model", "manifold",
    "metrics", "mixture", "model_selection", "naive_bayes", "neighbors", "neural_network",
    "pipeline", "preprocessing", "svm", "tree",
)  # fmt: skip

SAFE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Loaded at their first use, since numpy 2.3.
        "numpy": ("numpy", "numpy.random", "numpy.fft", "numpy.polynomial", "numpy.ma"),
        "scipy": ("scipy",),
        **{f"scipy.{name}": (f"scipy.{name}",) for name in _SCIPY},
        # For the first table that is shown or printed.
        "pandas": ("pandas", "pandas.io.formats.html", "pandas.io.formats.string"),
        # For the first figure that is shown as PNG; Pillow's plug-ins in the order in which
        # Pillow itself registers them. The inline backend must not be among these: what it
        # does while it is imported has to happen in the kernel.
        "matplotlib": (
            "matplotlib",
            "matplotlib.pyplot",
            "matplotlib.backends.backend_agg",
            "PIL.BmpImagePlugin",
            "PIL.GifImagePlugin",
            "PIL.JpegImagePlugin",
            "PIL.PpmImagePlugin",
            "PIL.PngImagePlugin",
        ),
        # For the first call of `simplify`, of `integrate`.
        "sympy": (
            "sympy",
            "sympy.combinatorics",
            "sympy.physics.units",
            "sympy.tensor.tensor",
            "sympy.integrals.manualintegrate",
            "sympy.integrals.heurisch",
            "sympy.integrals.risch",
        ),
        "networkx": ("networkx",),
        "sklearn": ("sklearn",),
        **{f"sklearn.{name}": (f"sklearn.{name}",) for name in _SKLEARN},
        "seaborn": ("seaborn",),
        "seaborn.objects": ("seaborn.objects",),
        "xarray": ("xarray",),
    }
)
"""What a notebook imports, to the modules that are imported for it, in the order of import.

A version of a library may lack one of the modules; it is passed over then.
"""

_NUMPY = ("numpy",)
_PANDAS = ("pandas", *_NUMPY)
_MATPLOTLIB = ("matplotlib", "matplotlib.pyplot", *_NUMPY)
_IMPLIED: Mapping[str, tuple[str, ...]] = {
    "scipy": _NUMPY,
    "pandas": _NUMPY,
    "matplotlib": _NUMPY,
    "sklearn": ("scipy", "scipy.sparse", *_NUMPY),
    "seaborn": (*_PANDAS, *_MATPLOTLIB),
    "xarray": _PANDAS,
}

BENEATH = frozenset(
    {
        "PIL", "contourpy", "cycler", "dateutil", "fontTools", "joblib", "kiwisolver",
        "mpl_toolkits", "mpmath", "narwhals", "packaging", "pyarrow", "pylab", "pyparsing",
        "pytz", "six", "threadpoolctl", "tzdata",
    }
)  # fmt: skip
"""Further top-level modules that importing the libraries of the list imports."""


def get_implied(name: str) -> tuple[str, ...]:
    """Return what has been imported, too, when a module has: other modules of the list."""
    return _IMPLIED.get(name.partition(".")[0], ())


def list_prefixes(name: str) -> list[str]:
    """Return a module's packages and itself: ``a``, ``a.b``, ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
