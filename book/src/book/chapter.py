"""All that a chapter is made with, in one line: ``from book.chapter import *``.

The verbs of the checks and what they draw (`equalsign`), the figures (`book.figures`,
`book.plots`), and `np`. A chapter imports by itself what its reader would: `losslib`, and torch
where it is needed.

>>> from book.chapter import *
>>> derivation("A square", "(x+1)^2", equals("x^2+2x+1", "multiply out"), x=real())
A square
      (x+1)^2
    = x^2+2x+1  ✓ multiply out
✓ 1 step held at 300 random points: x a real number (normal, sd 2). Equal sides agree to 1e-9, and
at ten points to 25 digits.
"""

import atexit
import gc

import numpy as np
from threadpoolctl import threadpool_limits

import equalsign
from book.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    legible,
    show,
    slider,
    source,
    use,
)
from book.plots import Panel, panels, plot
from equalsign import *

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "Panel",
    "legible",
    "np",
    "panels",
    "plot",
    "show",
    "slider",
    "source",
    "use",
    *equalsign.__all__,
]

threadpool_limits(1)  # the arrays are small: a second thread costs time
use()

# The imports bring some 200,000 objects, of which next to none is garbage: to look through them
# again and again takes up to a second of a chapter, and half a second more as its kernel ends.
gc.freeze()
atexit.register(gc.freeze)
