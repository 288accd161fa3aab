"""Figures of reports: an empty one in the project's looks, and whether there can be any."""

from importlib.util import find_spec
from typing import Any

from xla_evo.errors import ConfigError

NO_FIGURES = "no figures: they need matplotlib; install it with: pip install 'xla-evo[report]'"


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def new_axes(width: float, height: float, title: str) -> Any:
    """Returns the matplotlib axes of a new figure of that size in inches.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if not can_draw():
        raise ConfigError(NO_FIGURES)
    from matplotlib.figure import Figure

    axes: Any = Figure(figsize=(width, height), layout="constrained").subplots()
    axes.set_title(title, fontsize=11)
    axes.grid(visible=True, which="major", alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
