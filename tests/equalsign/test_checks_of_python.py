"""Plant a fault for every refusal of equalsign, and see that what is right passes."""

import json
import math
import re

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from nbclient import NotebookClient
from numpy import exp, log

import losslib
from equalsign import (
    CheckFailed,
    _records,
    _words,
    accounts,
    at_least,
    at_most,
    choice,
    derivation,
    derivations,
    distribution,
    equals,
    gradient,
    gradients,
    integer,
    joint,
    label,
    ledger,
    logits,
    positive,
    publications,
    published,
    real,
    reals,
    refutations,
    refutes,
    start,
    stochastic,
    summary,
    tends_to,
    unit,
)


@pytest.fixture(autouse=True)
def _fresh_records():
    _records.records.clear()


@pytest.fixture
def shown(monkeypatch):
    """Collect (markdown, plain, record) in place of displaying them."""
    seen = []

    def keep(markdown, plain, record=None):
        seen.append((markdown, plain, record))

    for module in (
        accounts, derivations, gradients, publications, refutations,
    ):  # fmt: skip
        monkeypatch.setattr(module, "display_check", keep)
    return seen


def fails(*words):
    """Expect a CheckFailed that says all the words, in order."""
    return pytest.raises(
        CheckFailed,
        match="(?s)" + ".*".join(re.escape(word) for word in words),
    )


def softmax(z):
    return exp(z - z.max()) / exp(z - z.max()).sum()


def margins(**changes):
    """Derive cross-entropy from margins; a change replaces one line."""
    lines = {
        "quotient": start(
            r"-\log p_t", lambda z, t: -log(exp(z[t]) / exp(z).sum())
        ),
        "log": equals(
            r"\log\sum - z_t",
            lambda z, t: log(exp(z).sum()) - z[t],
            "of a quotient",
        ),
        "margin": equals(
            r"\log\sum e^{z_k-z_t}",
            lambda z, t: log(exp(z - z[t]).sum()),
            "pull in",
        ),
        "bound": at_least(
            r"\max_k(z_k-z_t)",
            lambda z, t: (z - z[t]).max(),
            "the largest $k$",
        ),
    }
    lines |= changes
    derivation(
        "Margins",
        *lines.values(),
        label="eq-margins",
        z=logits(5),
        t=label(5),
    )


# --- Derivations --------------------------------------------------------------------------------


def test_a_true_derivation_passes_and_is_recorded(shown):
    assert margins() is None
    record = shown[0][2]
    assert record["kind"] == "derivation"
    assert record["label"] == "eq-margins"
    assert record["points"] == 300
    assert [line["relation"] for line in record["lines"]] == [
        "",
        "=",
        "=",
        "≥",
    ]
    assert record["detail"]["samplers"] == {
        "z": "5 logits (normal, sd 2)",
        "t": "a label among 5 classes",
    }


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        pytest.param(
            "log",
            equals("wrong sign", lambda z, t: log(exp(z).sum()) + z[t]),
            [
                "Margins: line 2, wrong sign, does not hold at z = [",
                "t = ",
                "line 1",
                "is not =",
            ],
            id="flipped sign",
        ),
        pytest.param(
            "margin",
            equals(
                "wrong index", lambda z, t: log(exp(z - z[t - 1]).sum())
            ),
            ["line 3, wrong index, does not hold", "line 2"],
            id="wrong index",
        ),
        pytest.param(
            "bound",
            at_most("wrong way", lambda z, t: (z - z[t]).max()),
            ["line 4, wrong way, does not hold", "is not ≤"],
            id="reversed inequality",
        ),
        pytest.param(
            "bound",
            at_least("too much", lambda z, t: (z - z[t]).max() + 2),
            ["line 4, too much, does not hold", "is not ≥"],
            id="bound that fails at some points",
        ),
        pytest.param(
            "margin",
            equals("nearly", lambda z, t: log(exp(z - z[t]).sum()) + 1e-7),
            ["line 3, nearly, does not hold"],
            id="small error",
        ),
        pytest.param(
            "margin",
            equals("vector", lambda z, t: log(exp(z - z[t]).sum()) + 0 * z),
            ["line 3, vector, has shape (5,) where line 2", "has ()"],
            id="shape",
        ),
        pytest.param(
            "margin",
            equals("infinite", lambda z: np.inf),
            ["line 3, infinite, is infinite at a random point"],
            id="infinity at a random point",
        ),
        pytest.param(
            "margin",
            equals("error", lambda z, t: z[t + 5]),
            ["line 3, error, fails at z = [", "IndexError"],
            id="exception",
        ),
        pytest.param(
            "margin",
            equals("text", lambda z: "3"),
            ["line 3, text, does not hold"],
            id="not the value",
        ),
        pytest.param(
            "margin",
            equals("complex", lambda z: 1j),
            ["line 3, complex, gives no real numbers"],
            id="complex",
        ),
        pytest.param(
            "log",
            equals("writes", lambda z: z.sort()),
            ["line 2, writes, fails", "read-only"],
            id="changes its input",
        ),
        pytest.param(
            "margin",
            equals("copied", lambda z, t: -log(exp(z[t]) / exp(z).sum())),
            ["line 3, copied, computes exactly what line 1 computes"],
            id="copied line",
        ),
        pytest.param(
            "margin",
            equals("library", lambda z, t: losslib.logsumexp(z) - z[t]),
            ["line 3, library, calls losslib.logits.logsumexp"],
            id="line that calls losslib",
        ),
        pytest.param(
            "log",
            equals(
                "lse(z)",
                lambda z, t: losslib.logsumexp(z) - z[t],
                code=True,
            ),
            ["line 2, lse(z), is losslib's but not the last line"],
            id="code before the last line",
        ),
        pytest.param(
            "bound",
            equals(
                "lse(z)",
                lambda z, t: log(exp(z - z[t]).sum() * 1.0),
                code=True,
            ),
            [
                "line 4, lse(z), is said to be losslib's, but calls nothing from it"
            ],
            id="code that is not losslib's",
        ),
        pytest.param(
            "margin",
            equals("unknown", lambda z, y: z[y]),
            [
                "line 3, unknown, takes y, which no sampler draws (there are: t, z)"
            ],
            id="unknown argument",
        ),
        pytest.param(
            "log",
            start("again", lambda z, t: log(exp(z).sum()) - z[t]),
            ["line 2, again, is a second start"],
            id="two starts",
        ),
    ],
)
def test_a_fault_in_one_line_is_named(shown, name, line, words):
    with fails(*words):
        margins(**{name: line})
    assert not shown
    assert not _records.records


def test_a_helper_that_calls_losslib_is_seen_through():
    def helper(z):
        return losslib.logsumexp(z)

    with fails("line 2, lse, calls losslib.logits.logsumexp"):
        derivation(
            "Helper",
            start("a", lambda z: log(exp(z).sum())),
            equals("lse", lambda z: helper(z)),
            z=logits(3),
        )


def test_the_last_line_may_be_the_library(shown):
    derivation(
        "Library",
        start("a", lambda z: log(exp(z).sum())),
        equals(
            "losslib.logsumexp(z, axis_0)",
            lambda z: losslib.logsumexp(z),
            "stable",
            code=True,
        ),
        z=logits(3),
    )
    markdown = shown[0][0]
    assert (
        r"= \texttt{losslib.logsumexp(z, axis\_0)} && \checkmark"
        in markdown
    )
    assert r"\text{losslib: stable}" in markdown


def test_an_empty_derivation_is_refused():
    with fails("there is no line after start"):
        derivation("Empty", start("x", lambda x: x), x=real())
    with fails("the first line must be start"):
        derivation("No start", equals("x", lambda x: x), x=real())
    with fails("the first line must be start"):
        derivation("Nothing", x=real())


def test_a_copy_is_seen_under_other_local_names_but_not_over_other_values():
    with fails("line 2, b, computes exactly what line 1 computes"):
        derivation(
            "Renamed",
            start("a", lambda z: np.array([k * 2 for k in z])),
            equals("b", lambda z: np.array([j * 2 for j in z])),
            z=logits(3),
        )

    def times(factor, shift):
        return lambda x: factor * x + shift - shift

    derivation(
        "Closures",
        start("a", times(2, 1)),
        equals("b", times(2, 3)),
        x=unit(),
    )


def test_nan_is_refused_even_against_nan():
    with fails("line 1, a, is nan at x = -"):
        derivation(
            "Nan",
            start("a", lambda x: log(x)),
            equals("b", lambda x: log(x) * 1),
            x=real(),
        )
    with fails("line 2, b, is nan at x = 0"):
        derivation(
            "Nan at an edge",
            start("a", lambda x: x * 1.0),
            equals("b", lambda x: x**2 / x),
            x=positive(),
            edge=[{"x": np.float64(0.0)}],
        )


def test_infinities_match_only_themselves_and_only_at_edges():
    def derive(second, **options):
        derivation(
            "Log",
            start("a", lambda p: log(p)),
            equals("b", second),
            p=unit(),
            **options,
        )

    derive(lambda p: 2 * log(p) / 2, edge=[{"p": np.float64(0.0)}])
    with fails(
        "line 2, b, does not hold at p = 0", "is -inf, which is not = inf"
    ):
        derive(
            lambda p: log(p) if p > 0 else np.inf,
            edge=[{"p": np.float64(0.0)}],
        )
    with fails("line 2, b, does not hold", "is -inf, which is not = -1"):
        derive(
            lambda p: np.maximum(log(p), -1e9),
            edge=[{"p": np.float64(0.0)}],
        )
    with fails("line 1, a, is infinite at a random point"):
        derivation(
            "Infinite",
            start("a", lambda c: -np.inf * c),
            equals("b", lambda c: -np.inf * c * c),
            c=choice(1.0),
        )


def test_inequalities_between_infinities_are_refused():
    with fails("line 2, b, does not hold", "is inf, which is not ≥ -inf"):
        derivation(
            "Order",
            start("a", lambda x: 1 / x),
            at_least("b", lambda x: log(x) if x == 0 else 1 / x - 1),
            x=positive(),
            edge=[{"x": np.float64(0.0)}],
        )


def test_edges_leave_no_warning_and_may_give_a_part(recwarn):
    derivation(
        "Edges",
        start("a", lambda z, t: exp(z[t]) / exp(z).sum()),
        equals("b", lambda z, t: 1 / exp(z - z[t]).sum()),
        z=logits(3),
        t=label(3),
        edge=[
            {"z": [0, 0, -np.inf], "t": 0},
            {"z": [1, 2, 3]},
            {"z": [700, -700, 0], "t": 1},
        ],
    )
    assert not recwarn.list


def test_misspelt_edges_unused_samplers_and_wrong_samplers_are_refused():
    lines = start("a", lambda x: 2 * x), equals("b", lambda x: x + x)
    with fails("a hand-picked point gives y, which is not drawn"):
        derivation("Edge", *lines, x=real(), edge=[{"y": 1.0}])
    with fails("y is drawn, but nothing in this check uses it"):
        derivation("Unused", *lines, x=real(), y=real())
    with pytest.raises(
        TypeError, match=r"x must be a sampler such as logits\(5\), not 3"
    ):
        derivation("Sampler", *lines, x=3)
    with pytest.raises(
        ValueError, match="points must be at least 1, not 0"
    ):
        derivation("Points", *lines, x=real(), points=0)
    with pytest.raises(
        TypeError, match="line 2, b, must take its arguments by name"
    ):
        derivation("Star", lines[0], equals("b", lambda *x: x[0]), x=real())


def test_a_derivation_of_constants_runs_once(shown):
    derivation(
        "Constant", start("1+1", lambda: 1 + 1), equals("2", lambda: 2.0)
    )
    assert shown[0][2]["points"] == 1
    assert "✓ 1 step held. " in shown[0][1]


# --- Limits -------------------------------------------------------------------------------------


def limit(before, after, **options):
    derivation(
        "Limit",
        start("a_h", before),
        tends_to("a", after, **options),
        x=real(),
    )


@pytest.mark.parametrize(
    ("before", "after", "options"),
    [
        (lambda x, h: (exp(h * x) - 1) / h, lambda x: x, {"h": 0.0}),
        (
            lambda x, h: (np.sin(x + h) - np.sin(x - h)) / (2 * h),
            np.cos,
            {"h": 0.0, "rate": 2},
        ),
        (lambda x, n: (1 + x / n) ** n, lambda x: exp(x), {"n": math.inf}),
        (
            lambda x, q: (abs(x) ** (q - 1) - 1) / (q - 1),
            lambda x: log(abs(x)),
            {"q": 1.0},
        ),
        (lambda x, h: x + h**0.5, lambda x: x, {"h": 0.0, "rate": 0.5}),
        (
            lambda x, b: np.logaddexp(0, b * x) / b,
            lambda x: max(x, 0.0),
            {"b": math.inf, "rate": math.inf},
        ),
        (
            lambda x, h: x + h * np.ones(3),
            lambda x: x + np.zeros(3),
            {"h": 0.0},
        ),
    ],
)
def test_true_limits_pass(before, after, options):
    if isinstance(after, np.ufunc):
        limit(before, lambda x: after(x), **options)
    else:
        limit(before, after, **options)


@pytest.mark.parametrize(
    ("before", "after", "options", "words"),
    [
        pytest.param(
            lambda x, h: x + h,
            lambda x: x,
            {"h": 0.0, "rate": 2},
            [
                "line 2, a, is approached at the rate 1.00 in h, where 2 is declared"
            ],
            id="rate 2 declared, 1 observed",
        ),
        pytest.param(
            lambda x, h: x + h**2,
            lambda x: x,
            {"h": 0.0, "rate": 1},
            [
                "line 2, a, is approached at the rate 2.00 in h, where 1 is declared"
            ],
            id="rate 1 declared, 2 observed",
        ),
        pytest.param(
            lambda x, h: x + h**3,
            lambda x: x,
            {"h": 0.0, "rate": math.inf},
            ["is approached at the rate 3.00 in h, where inf is declared"],
            id="a power is not faster than every power",
        ),
        pytest.param(
            lambda x, h: x + exp(-1 / h),
            lambda x: x,
            {"h": 0.0},
            ["is approached at the rate", "where 1 is declared"],
            id="exponential declared as a power",
        ),
        pytest.param(
            lambda x, h: x + 1 + h,
            lambda x: x,
            {"h": 0.0},
            [
                "line 2, a, is not the limit in h at x = ",
                "the relative error is",
            ],
            id="no convergence",
        ),
        pytest.param(
            lambda x, h: x + h + (x < -2),
            lambda x: x,
            {"h": 0.0},
            ["line 2, a, is not the limit in h at x = -"],
            id="no convergence at some points",
        ),
        pytest.param(
            lambda x, h: x + 0 * h,
            lambda x: x,
            {"h": 0.0},
            ["line 2, a, leaves no error to measure a rate by"],
            id="nothing converges",
        ),
        pytest.param(
            lambda x, h: h * log(exp((x + 9) / h) + exp(9 / h)),
            lambda x: max(x, 0.0) + 9,
            {"h": 0.0, "rate": math.inf},
            ["line 1, a_h, is infinite at a random point", "h = "],
            id="overflow on the way",
        ),
        pytest.param(
            lambda x: x,
            lambda x: x * 1,
            {"h": 0.0},
            [
                "line 2, a, is a limit in h, but line 1, a_h, does not depend on h"
            ],
            id="no parameter",
        ),
        pytest.param(
            lambda x, h: x + h,
            lambda x, h: x,
            {"h": 0.0},
            ["line 2, a, takes h, which no sampler draws"],
            id="the parameter in its own limit",
        ),
        pytest.param(
            lambda x: x,
            lambda x: x * 1,
            {"x": 0.0},
            ["line 2, a, takes the limit of x, which is drawn"],
            id="a parameter that is drawn",
        ),
    ],
)
def test_false_limits_are_refused(before, after, options, words):
    with fails(*words):
        limit(before, after, **options)


def test_lines_before_a_limit_are_compared_at_several_values_of_its_parameter():
    def derive(second):
        derivation(
            "Before",
            start("a", lambda x, h: (x + h) ** 2),
            equals("b", second),
            tends_to("x^2", lambda x: x**2, h=0.0),
            x=real(),
        )

    derive(lambda x, h: x**2 + 2 * h * x + h**2)
    with fails("line 2, b, does not hold", "h = 0.5"):
        derive(lambda x, h: x**2 + 2 * h * x + h)


def test_a_limit_takes_one_parameter_and_a_positive_rate():
    with pytest.raises(TypeError, match="one parameter and its limit"):
        tends_to("a", lambda x: x)
    with pytest.raises(ValueError, match="rate must be positive, not 0"):
        tends_to("a", lambda x: x, rate=0, h=0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": 0.0}, r"\text{as $\tau\to0$, with an error $O(\tau)$}"),
        (
            {"n": math.inf, "rate": 2},
            r"\text{as $n\to\infty$, with an error $O(1/n^{2})$}",
        ),
        (
            {"alpha": 1.0},
            r"\text{as $\alpha\to1$, with an error $O(\alpha-1)$}",
        ),
        (
            {"beta": math.inf, "rate": math.inf},
            r", faster than every power}",
        ),
    ],
)
def test_a_limit_says_how_fast(options, words):
    rows = _words.tex_rows(
        tends_to("a", lambda: 0.0, **options).convergence()
    )
    assert words in rows[0]


# --- Gradients ----------------------------------------------------------------------------------


def loss(z, t):
    return F.cross_entropy(z, t)


def derive(derived, loss=loss, **options):
    gradient(
        "CE", loss, derived, **({"z": logits(4), "t": label(4)} | options)
    )


def test_a_gradient_near_the_edge_of_its_domain_passes(shown):
    gradient(
        "Logarithm",
        lambda q: torch.log(q),
        lambda q: 1 / q,
        wrt="q",
        edge=[{"q": 3e-6}],
        q=unit(),
    )


def test_a_true_gradient_passes(shown):
    gradient(
        "CE",
        loss,
        lambda z, t: softmax(z) - np.eye(4)[t],
        tex=r"\frac{\partial L}{\partial z_k} = p_k - [k=t]",
        label="eq-gradient",
        words="The target is pulled up by $1-p_t$.",
        z=logits(4),
        t=label(4),
        edge=[
            {"z": [1e4, 0, 0, -1e4], "t": 0},
            {"z": [0, 0, 0, -np.inf], "t": 1},
        ],
    )
    markdown, plain, record = shown[0]
    assert record["points"] == 102
    assert record["detail"]["wrt"] == "z"
    assert "$$ (eq-gradient)\n" in markdown
    assert (
        r"\checkmark\ \text{autograd}\quad\checkmark\ \text{differences}"
        in markdown
    )
    assert plain.endswith("The target is pulled up by 1-p_t.")


@pytest.mark.parametrize(
    ("derived", "words"),
    [
        pytest.param(
            lambda z, t: np.eye(4)[t] - softmax(z),
            [
                "CE: the derived gradient is [",
                "but autograd's is [",
                "at z = [",
            ],
            id="sign",
        ),
        pytest.param(
            lambda z, t: softmax(z) - np.eye(4)[(t + 1) % 4],
            ["the derived gradient is [", "but autograd's is ["],
            id="index",
        ),
        pytest.param(
            lambda z, t: (softmax(z) - np.eye(4)[t]) * (1 + 1e-7),
            ["the derived gradient is [", "but autograd's is ["],
            id="small error",
        ),
        pytest.param(
            lambda z, t: softmax(z).sum(),
            ["has shape (), but z has (4,)"],
            id="shape",
        ),
        pytest.param(
            lambda z, t: softmax(z) * np.nan,
            ["the derived gradient is nan at z"],
            id="nan",
        ),
        pytest.param(
            lambda z, t: softmax(losslib.softmax(z) * 0 + z) - np.eye(4)[t],
            ["the derived gradient calls losslib.logits.softmax"],
            id="calls losslib",
        ),
        pytest.param(
            lambda z, t: (
                torch.softmax(torch.from_numpy(z.copy()), 0).numpy()
                - np.eye(4)[t]
            ),
            ["the derived gradient calls torch"],
            id="calls torch",
        ),
        pytest.param(
            lambda z, y: softmax(z) - np.eye(4)[y],
            ["the derived gradient takes y, which no sampler draws"],
            id="unknown argument",
        ),
    ],
)
def test_a_wrong_gradient_is_refused(derived, words):
    with fails(*words):
        derive(derived)


def test_differences_see_a_gradient_that_autograd_is_made_to_believe():
    def detached(z, t):
        return F.cross_entropy(z, t) + (z**2).sum().detach()

    with fails("but central differences give ["):
        derive(lambda z, t: softmax(z) - np.eye(4)[t], loss=detached)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda z, t: z * t, ["the loss must be one scalar tensor"]),
        (
            lambda z, t: z.sum().item(),
            ["the loss must be one scalar tensor"],
        ),
        (lambda z, t: torch.tensor(1.0), ["the loss does not depend on z"]),
        (
            lambda z, t: torch.ones(1, requires_grad=True).sum(),
            ["the loss does not depend on z"],
        ),
        (
            lambda z, t: torch.sqrt((z - z).sum()),
            ["autograd's gradient is nan"],
        ),
        (lambda t: t * 1.0, ["the loss does not take z"]),
    ],
)
def test_a_loss_without_a_gradient_is_refused(loss, words):
    with fails(*words):
        derive(lambda z, t: np.zeros(4), loss=loss)


def test_gradients_by_other_arguments_and_unused_samplers():
    both = {"z": real(), "p": distribution(3)}
    gradient(
        "By p",
        lambda z, p: z * (p**2).sum(),
        lambda z, p: 2 * z * p,
        wrt="p",
        **both,
    )
    gradient("Scalar", lambda z: z**3, lambda z: 3 * z**2, z=real())
    gradient(
        "Matrix", lambda z: (z**2).sum() / 2, lambda z: z, z=reals(2, 3)
    )
    with fails("y is drawn, but nothing in this check uses it"):
        gradient(
            "Unused", lambda z: z**3, lambda z: 3 * z**2, z=real(), y=real()
        )


# --- Published numbers --------------------------------------------------------------------------


def test_published_numbers_of_every_library_pass(shown):
    values = [1.31326168, 0.12692801]
    published(
        "CE",
        "1.3133 0.1269",
        source="[docs](https://example.org)",
        place="p. 1",
        by_hand=values,
        losslib=np.array([values], dtype=np.float32),
        pytorch=torch.tensor(values, requires_grad=True),
    )
    markdown, plain, record = shown[0]
    assert "| printed | by hand | `losslib` | PyTorch | held |" in markdown
    assert (
        "| 1.3133 0.1269 | 1.3133 0.1269 | 1.3133 0.1269 | 1.3133 0.1269 | ✓ |"
        in markdown
    )
    assert plain.endswith("✓ 2 numbers equal to every printed digit.")
    assert record["source"] == "[docs](https://example.org), p. 1"
    assert record["points"] == 2


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("-0.0000", 1e-9),
        ("0.0000", -1e-9),
        (".50", 0.5),
        ("+2", 2.2),
        ("1.3e-05", 1.3312e-5),
        ("inf", math.inf),
        ("nan", math.nan),
        ("0.5000", torch.tensor(0.5, dtype=torch.bfloat16)),
    ],
)
def test_numbers_are_compared_as_they_are_printed(printed, value):
    published(
        "Number", printed, source="nobody", place="p. 1", by_hand=value
    )


@pytest.mark.parametrize(
    ("printed", "value", "words"),
    [
        (
            "1.3133 0.1269",
            [1.3133, 0.1270],
            ["column by_hand, number 2: printed 0.1269, got 0.12"],
        ),
        (
            "1.3134",
            1.31326168,
            ["number 1: printed 1.3134, got 1.3133 (1.31326"],
        ),
        ("1.31", -1.31, ["printed 1.31, got -1.31"]),
        ("1.31", math.nan, ["printed 1.31, got nan"]),
        ("1.3e-05", 1.3e-6, ["printed 1.3e-05, got 1.3e-06"]),
        (
            "1.31 2.5",
            [1.31],
            ["column by_hand: 1 numbers where 2 are printed"],
        ),
        ("", [], ["a row of what was printed holds no number"]),
    ],
)
def test_a_wrong_digit_is_refused(printed, value, words):
    with fails("Number: ", *words):
        published(
            "Number", printed, source="nobody", place="p. 1", by_hand=value
        )


def test_published_rows_by_name(shown):
    rows = {"mean": "0.50", "|sum|": "1.00 2.00"}
    values = {"mean": 0.5, "|sum|": [1, 2]}
    published(
        "Rows",
        rows,
        source="nobody",
        place="p. 1",
        by_hand=values,
        numpy=values.get,
    )
    assert (
        "| \\|sum\\| | 1.00 2.00 | 1.00 2.00 | 1.00 2.00 | ✓ |"
        in shown[0][0]
    )
    with fails(
        "Rows: row |sum|, column numpy, number 2: printed 2.00, got 3.00"
    ):
        published(
            "Rows",
            rows,
            source="nobody",
            place="p. 1",
            numpy=values | {"|sum|": [1, 3]},
        )
    with fails("Rows: a column has the rows ['mean'] where"):
        published(
            "Rows", rows, source="nobody", place="p. 1", numpy={"mean": 0.5}
        )
    with fails("Rows: a column must give a value for each of the rows"):
        published(
            "Rows", rows, source="nobody", place="p. 1", numpy=[0.5, 1, 2]
        )


def test_published_needs_a_column_of_computed_numbers():
    with fails("there is no column"):
        published("None", "1.0", source="nobody", place="p. 1")
    with pytest.raises(
        TypeError, match="a column holds computed numbers, not the text"
    ):
        published(
            "Text", "1.0", source="nobody", place="p. 1", by_hand=["1.0"]
        )
    with pytest.raises(ValueError, match="'one' is not a number"):
        published("Word", "one", source="nobody", place="p. 1", by_hand=1.0)


# --- Refutations --------------------------------------------------------------------------------


def kl(p, q):
    return float((p * log(p / q)).sum())


def symmetric(**changes):
    options = {
        "source": "a slip",
        "holds": lambda p, q: abs(kl(p, q) - kl(q, p)) < 1e-9,
        "says": "Only $D(p, q) \\ge 0$ holds.",
        "truth": lambda p, q: kl(p, q) >= -1e-15,
        "edge": [{"p": [0.5, 0.25, 0.25], "q": [0.25, 0.5, 0.25]}],
        "p": distribution(3),
        "q": distribution(3),
    } | changes
    refutes("KL is symmetric", **options)


def test_a_false_claim_is_refuted(shown):
    symmetric(
        erratum=3,
        show={"$D(p,q)$": kl, "$D(q,p)$": lambda p, q: kl(q, p)},
        edge=[
            {"p": [0.5, 0.25, 0.25], "q": [0.25, 0.25, 0.5]},
            {"p": [0.5, 0.4, 0.1]},
            {"p": [0.5, 0.4, 0.1], "q": [0.4, 0.5, 0.1]},
        ],
    )
    markdown, plain, record = shown[0]
    assert (
        "> **Claim** (a slip; erratum 3; wrong): “KL is symmetric”"
        in markdown
    )
    assert "> **What is so:** Only $D(p, q) \\ge 0$ holds." in markdown
    assert "what is so held at 300 random points" in plain
    assert record["detail"]["kind"] == "wrong"
    assert record["detail"]["erratum"] == 3
    assert record["points"] == 303


def test_edges_are_tried_first_and_shown_with_four_decimals(shown):
    refutes(
        "A square exceeds its root",
        source="a slip",
        kind="trap",
        holds=lambda x: x**2 > x,
        says="Not in the unit interval.",
        show=lambda x: {
            "$x^2$": x**2,
            "minus": -0.0,
            "list": np.array([1.23456, 2]),
        },
        x=real(),
        edge=[{"x": 2.0}, {"x": 1 / 3}],
    )
    words = "Counter-example: x = 0.3333; x^2 = 0.1111; minus = 0.0000; list = [1.2346, 2.0000]"
    assert words in shown[0][1]
    assert shown[0][2]["points"] == 302


def test_a_claim_that_holds_everywhere_cannot_be_refuted():
    with fails(
        "KL is symmetric: the claim held at all 301 points: strike it"
    ):
        symmetric(holds=lambda p, q: kl(p, q) >= -1e-15, truth=None)


def test_a_false_truth_is_refused():
    with fails("KL is symmetric: what is said instead is false at p = ["):
        symmetric(truth=lambda p, q: kl(p, q) >= 0.01)


def test_a_predicate_gives_one_bool_and_no_exception():
    with fails("the claim must give one bool, not"):
        symmetric(holds=lambda p, q: p == q)
    with fails("what is so must give one bool, not 1.0"):
        symmetric(truth=lambda p, q: 1.0)
    with fails("the claim fails at p = [", "IndexError"):
        symmetric(holds=lambda p, q: p[3] > 0)
    with fails("the claim takes r, which no sampler draws"):
        symmetric(holds=lambda p, r: True)
    with fails("r is drawn, but nothing in this check uses it"):
        symmetric(r=real())


def test_a_claim_may_be_refuted_by_an_exception(shown):
    def claim(call, expected=TypeError):
        refutes(
            "It takes it",
            source="a slip",
            says="It does not.",
            raises=(expected, call),
        )

    claim(lambda: torch.nn.BCELoss(ignore_index=0))
    assert "**Counter-example:** the call raises `TypeError`" in shown[0][0]
    with fails("the call raised no TypeError: strike the claim"):
        claim(lambda: torch.nn.BCELoss())
    with fails("KeyError was raised, not TypeError"):
        claim(lambda: {}["missing"])


def test_a_claim_needs_one_kind_of_refutation():
    with pytest.raises(TypeError, match="one of holds and raises"):
        refutes("Nothing", source="nobody", says="nothing")
    with pytest.raises(
        TypeError, match="show needs the counter-example of holds"
    ):
        refutes(
            "It",
            source="nobody",
            says="no",
            raises=(KeyError, dict),
            show=dict,
        )
    with pytest.raises(
        ValueError,
        match="kind must be one of wrong, incomplete, outdated, trap",
    ):
        symmetric(kind="silly")


def test_a_claim_about_one_case_is_tried_once(shown):
    refutes(
        "2 < 1",
        source="a slip",
        says="It is larger.",
        holds=lambda: 2 < 1,
        never="two numbers keep their order",
    )
    assert shown[0][2]["points"] == 1
    assert "It holds nowhere: two numbers keep their order" in shown[0][0]


def test_a_claim_that_never_holds_is_refused():
    """Its predicate may be one that nobody's claim can pass."""
    with fails("the claim held at none of 301 points", "say why it cannot"):
        symmetric(holds=lambda p, q: False)
    with fails("is said to hold nowhere (why not), but held at"):
        refutes(
            "Positive", source="a slip", says="no", holds=lambda x: x > 0,
            never="why not", x=real(),
        )  # fmt: skip


def test_published_needs_the_place():
    with fails("Number: place must say where nobody prints the numbers"):
        published("Number", "1", source="nobody", place=" ", by_hand=1)


# --- Samplers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "valid"),
    [
        (logits(4), lambda x: x.shape == (4,)),
        (label(3), lambda x: isinstance(x, int) and 0 <= x < 3),
        (
            distribution(4),
            lambda x: (
                x.shape == (4,) and abs(x.sum() - 1) < 1e-12 and x.min() > 0
            ),
        ),
        (
            joint(2, 3),
            lambda x: x.shape == (2, 3) and abs(x.sum() - 1) < 1e-12,
        ),
        (
            stochastic(2, 3),
            lambda x: x.shape == (2, 3) and np.allclose(x.sum(1), 1),
        ),
        (real(), lambda x: isinstance(x, float)),
        (reals(2, 3), lambda x: x.shape == (2, 3)),
        (positive(), lambda x: x > 0),
        (unit(), lambda x: 0 < x < 1),
        (integer(1, 3), lambda x: isinstance(x, int) and 1 <= x <= 3),
        (choice(-1.0, 1.0), lambda x: x in (-1.0, 1.0)),
    ],
)
def test_samplers_draw_what_they_say(sampler, valid):
    rng = np.random.default_rng(0)
    draws = [sampler.draw(rng) for _ in range(100)]
    assert all(valid(draw) for draw in draws)
    assert len({str(draw) for draw in draws}) > 1


def test_integers_and_choices_reach_both_ends():
    rng = np.random.default_rng(0)
    assert {integer(1, 3).draw(rng) for _ in range(100)} == {1, 2, 3}
    assert {choice("a", "b").draw(rng) for _ in range(100)} == {"a", "b"}


# --- What the reader sees -----------------------------------------------------------------------


def test_markdown_of_a_derivation(shown):
    margins()
    assert shown[0][0] == (
        "**Margins**\n\n"
        "$$\n"
        "\\begin{aligned}\n"
        "& -\\log p_t \\\\\n"
        "& = \\log\\sum - z_t && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{of a quotient}}} \\\\\n"
        "& = \\log\\sum e^{z_k-z_t} && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{pull in}}} \\\\\n"
        "& \\ge \\max_k(z_k-z_t) && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{the largest $k$}}}\n"
        "\\end{aligned}\n"
        "$$ (eq-margins)\n\n"
        "<small>✓ 3 steps held at 300 random points: $z$ 5 logits (normal, sd 2); "
        "$t$ a label among 5 classes. Equal sides agree to 1e-9.</small>\n"
    )


def test_terminal_text_of_a_derivation(capsys):
    margins()
    assert capsys.readouterr().out == (
        "Margins\n"
        "      -\\log p_t\n"
        "    = \\log\\sum - z_t          ✓ of a quotient\n"
        "    = \\log\\sum e^{z_k-z_t}    ✓ pull in\n"
        "    ≥ \\max_k(z_k-z_t)         ✓ the largest k\n"
        "✓ 3 steps held at 300 random points: z 5 logits (normal, sd 2); "
        "t a label among 5 classes. Equal sides agree to 1e-9.\n"
    )


def test_long_reasons_are_broken_and_escaped():
    reason = "the weight $w_k = \\frac{1}{n}$ is taken out & shared by 100% of classes #1 to n_0"
    rows = _words.tex_rows(reason)
    assert len(rows) > 1
    assert r"\text{the weight $w_k = \frac{1}{n}$ is taken out" in rows[0]
    assert r"\&" in "".join(rows)
    assert r"100\%" in "".join(rows)
    assert r"\#1" in "".join(rows)
    assert r"n\_0" in "".join(rows)
    assert all(row.count("{") == row.count("}") for row in rows)


@pytest.mark.parametrize(
    ("name", "tex"),
    [
        ("z", "z"),
        ("tau", r"\tau"),
        ("p_t", "p_{t}"),
        ("gap", r"\mathrm{gap}"),
        ("eps", r"\varepsilon"),
        ("ell", r"\ell"),
        ("lambda_", r"\lambda"),
    ],
)
def test_symbols(name, tex):
    assert _words.symbol(name) == tex


def test_summary_counts_what_was_checked(shown):
    with pytest.raises(CheckFailed, match="nothing was checked"):
        summary()
    margins()
    margins()
    published(
        "Pi is |3.14|",
        "3.14",
        source="Archimedes",
        place="p. 1",
        numpy=np.pi,
    )
    summary()
    markdown, plain, record = shown[-1]
    assert record is None
    assert "| derivation | Margins | 300 points |" in markdown
    assert "| published | Pi is \\|3.14\\| | 1 number |" in markdown
    assert markdown.endswith(
        "2 checks held: 1 derivation, 1 set of published numbers.\n"
    )
    assert "2 checks held" in plain


def test_two_runs_give_the_same_bytes(shown):
    for _ in range(2):
        margins()
        symmetric()
    assert json.dumps(shown[:2]) == json.dumps(shown[2:])


def test_a_notebook_shows_checks_and_the_ledger_reads_them(tmp_path):
    code = [
        "from equalsign import *",
        'derivation("Twice", start("2x", lambda x: 2 * x), equals("x+x", lambda x: x + x),'
        ' label="eq-twice", x=real())',
        'published("Half", "0.50", source="nobody", place="p. 1", by_hand=0.5)',
        "summary()",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in code]
    )
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    nbformat.write(notebook, tmp_path / "twice.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")

    data = notebook.cells[1].outputs[0].data
    assert data["text/markdown"].startswith(
        "**Twice**\n\n$$\n\\begin{aligned}\n& 2x "
    )
    assert data["text/plain"].startswith("Twice\n")

    records = ledger(tmp_path)
    assert [record["chapter"] for record in records] == ["twice", "twice"]
    assert [record["statement"] for record in records] == ["Twice", "Half"]
    assert records[0]["label"] == "eq-twice"
    assert (
        ledger(tmp_path / "empty.ipynb", tmp_path / "twice.ipynb")
        == records
    )
    with pytest.raises(FileNotFoundError, match="there is no"):
        ledger(tmp_path / "absent")
