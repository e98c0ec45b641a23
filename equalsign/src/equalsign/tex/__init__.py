r"""Formulas in TeX that run: the grammar, and what is settled where mathematicians leave it open.

A formula is read by :func:`read` into a tree, in the light of the names that are drawn and of the
definitions beside it, and :class:`Evaluator` gives it a value at all points at once, in double
precision or with fifty digits. Nothing is guessed: what could mean two things is refused, with a
caret under the place and what could be meant.

**Layout.** Spaces, sizes of brackets and braces around one symbol mean nothing: ``\hat{y}`` is
``\hat y``, ``\dfrac`` is ``\frac``, ``\mid`` separates, ``\|`` and ``\Vert`` are the same. As in
TeX, ``\frac12`` is a half and ``x^23`` is three times ``x^2``.

**Names.** A name is a letter, a Greek letter, an upright word, or one of these with an accent.
With decorations it is one name if it is declared so: ``y^\varepsilon``, ``w_+``, ``k^*``, ``y'``,
``s_x``. The longest declared name wins. A literal subscript makes a name, never a position:
``z_1`` is declared or refused. A name that is drawn or defined has that meaning and no other;
else it is one of the book (:mod:`equalsign.tex.notation`), or π or e.

**Calls.** ``f(x)`` is a call if f is defined with arguments, here or in the book; else a name
before a bracket is a factor. A name that is both is refused. Between arguments stand the signs of
the definition: p(x,y) is not ``p(x\mid y)``. ``\mathrm{softmax}(a,b)`` is softmax of the list. In
``\mathrm{KL}(p_{xy}\|q_{xy})`` and ``H(p_k)`` a distribution is written by its entries, all of a
call for the same indices.

**The argument of a function without brackets** (``\log``, ``\cos``, …) is what stands before the
next bracket, operator or function: ``\cos m\theta`` is the cosine of the product, ``\log p\log
q`` a product of logarithms, ``\log\frac ab(c)`` has the argument a/b. With a bracket it is the
bracket, and what follows must be an operator or a function: ``\cos(a)b`` and ``\log(a)^2`` are
refused, ``\cos^2a`` is a square.

**Fractions with a slash.** What stands before the slash, up to an operator, is above; one factor
is below. ``a/b\,c`` is refused.

**Signs.** A sum, a product, a maximum, an expectation's inside, a derivative ``\frac{d}{dx}``
applies to all up to the next plus or minus of its level. A product sign does not go on after
``\cdot``: refused. ``\frac{d}{dx}(a)b`` is refused. ``\nabla_z`` applies to the next factor, in
which z must stand. ``\frac{dy}{dx}(2)`` is refused: a value of the slope, or twice it?

**Indices** run from 1 in formulas and from 0 in arrays. What an index runs over is read off the
arrays, sets and labels that it stands with, which must agree; or it is written (``\sum_{i=1}^N``,
``\sum_{k\ne t}``, ``\sum_{i\in T}``, ``\sum_{g_i=-1}``), or said beside the derivation. In a
condition the names that have no value run. ``\sum_Tx`` adds the entries of x that are in T;
``\sum_S`` runs over all subsets if S is said to be one. A name that has a value never runs. An
index without an end of its own runs from 1; a set that begins below, or ends above its arrays, is
refused. What the condition of a sum or of a case leaves out may lead nowhere in what is added or
chosen: ``\sum_{j<t}z_{t-j}``. An index that stands free at the level of a line makes the line a
claim for each of its values; the next line must be a claim for each of the same, or a number. It
does not run with others as well, as i would in ``x_i\max_{j\ne i}…``: refused; alone it may, as in
``z_k-\log\sum_ke^{z_k}``. What is said of an index beside the derivation holds in addition to a
written condition. A sum over nothing is 0, a product 1, a maximum -∞. ``\arg\max_k`` is the first
place; all that is compared must have a value.

**Definitions.** ``\hat y=\mathrm{softmax}(z)`` names a value, ``f(x)=…`` a function, ``m_k=…`` a
family, whose name alone is the vector of its entries; ``\mathrm{softmax}(z)_k=…`` gives a function
by its entries. A subscript or an argument varies if nothing declares it and the right side mentions
it or its range is said; else the left side is one name, which may be an expectation: ``\mathbb
E[1/D]=…``. No name is defined twice, nor what has a value: a draw, an entry, a value of a function,
its slope. Two families of one name (``p_x=…``, ``p_y=…``) are two names, and their indices are what
x and y are where they stand. A line may define what it needs after a comma (``,\quad
m=\max_kz_k``), or its new left side: ``\Delta(\theta)=…``. What else a line says that such a name
equals (``,\quad p=\sigma(x)=\frac1{1+e^{-x}}``) runs, too, and so does what it says of something
that has a value (``,\quad H(p)=\log n``); beside a derivation a definition has one equals sign. A
limit that stands behind a line, ``(h\to0)``, must be the one that runs.

**Conditions.** A comma or the word "and" joins two. The case that holds otherwise is the last one.

**Brackets.** ``[…]`` around a condition is 1 or 0, else a group; ``(a,b)`` is a vector; ``|x|``
is a size, entry by entry, or the number of members of a set; ``\lVert x\rVert_p`` a norm,
``\langle a,b\rangle`` an inner product.

**Vectors** are columns and ``x^\top`` is a row; a vector before a matrix is a row too, as
distributions are. ``xx^\top`` is a matrix, ``x^\top x`` a number, ``ab`` of two vectors is
refused. Functions, sums and quotients act entry by entry on arrays of one shape; a number is
added to numbers only.

**Derivatives.** ``\frac{\partial\ell}{\partial z_j}`` moves z_j and all that is defined by it; by
a defined name, ŷ, it moves that name and what is defined by it. They are exact (forward
differentiation), nested to any order.

**Zero.** 0 times the infinite logarithm of 0 is 0, to any base; what has no chance adds nothing.
``(\log0:=A)`` after a line gives the logarithm of 0 another value in the whole derivation.

**Integrals** are in one dimension, by the double-exponential rule; the step is halved until the
value stands to 1e-10, or 1e-27 in multiprecision. Series end when three terms in a row no longer
count. **Expectations** are finite: ``\mathbb E_{k\sim p}[…]``, or over the one variable that is
said, ``T\sim P``; the chances must add up to 1.

**Precision.** The number 0.1 is one tenth in multiprecision, and a double that is drawn is
itself.
"""

from equalsign.tex.errors import (
    AmbiguousName,
    AmbiguousRange,
    NotInGrammar,
    ShapeMismatch,
    TexError,
    UnknownName,
    WithoutValue,
)
from equalsign.tex.evaluate import Evaluator, Position, Subset
from equalsign.tex.reading import Formula, Reading, read

__all__ = [
    "AmbiguousName",
    "AmbiguousRange",
    "Evaluator",
    "Formula",
    "NotInGrammar",
    "Position",
    "Reading",
    "ShapeMismatch",
    "Subset",
    "TexError",
    "UnknownName",
    "WithoutValue",
    "read",
]
