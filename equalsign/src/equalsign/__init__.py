"""Checks for a text with formulas: every equals sign runs."""

from equalsign.verify import *  # noqa: F403
from equalsign.verify import __all__  # noqa: F401
