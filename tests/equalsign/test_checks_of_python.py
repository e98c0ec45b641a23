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

from equalsign import (
    CheckFailed,
    _records,
    _words,
    accounts,
    at_least,
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


def margins():
    derivation(
        "Margins",
        r"-\log\frac{e^{z_t}}{\sum_ke^{z_k}}",
        equals(r"\log\sum_ke^{z_k}-z_t", "of a quotient"),
        equals(r"\log\sum_ke^{z_k-z_t}", "pull in"),
        at_least(r"\max_k(z_k-z_t)", "the largest $k$"),
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
    rows = _words.tex_rows(tends_to("a", **options).convergence())
    assert words in rows[0]


# --- Gradients ----------------------------------------------------------------------------------


WHERE = (r"\hat y=\mathrm{softmax}(z)", r"\ell=-\log\hat y_t")
SLOPE = r"\frac{\partial\ell}{\partial z_k}=\hat y_k-[k=t]"


def loss(z, t):
    return F.cross_entropy(z, t)


def derive(tex=SLOPE, loss=loss, where=WHERE, **more):
    sizes = {"n": integer(2, 5), "z": logits("n"), "t": label("n")}
    gradient("CE", loss, tex, where=where, **(sizes | more))


def test_a_gradient_near_the_edge_of_its_domain_passes(shown):
    gradient(
        "Logarithm",
        lambda q: torch.log(q),
        r"\frac1q",
        wrt="q",
        edge=[{"q": 3e-6}],
        q=unit(),
    )


def test_a_true_gradient_passes(shown):
    derive(
        label="eq-gradient",
        words="The target is pulled up by $1-p_t$.",
        edge=[
            {"n": 4, "z": [300, 0, 0, -300], "t": 1},
            {"n": 4, "z": [0, 0, 0, -np.inf], "t": 2},
        ],
    )
    markdown, plain, record = shown[0]
    assert record["points"] == 102
    assert record["detail"]["wrt"] == "z"
    assert record["label"] == "eq-gradient"
    assert record["lines"] == [
        {
            "relation": "=",
            "tex": SLOPE,
            "reason": "The target is pulled up by $1-p_t$.",
        }
    ]
    assert "$$ (eq-gradient)\n" in markdown
    assert (
        r"\checkmark\ \text{autograd}\quad\checkmark\ \text{differences}"
        in markdown
    )
    assert r"\text{where }\hat y=\mathrm{softmax}(z)" in markdown
    assert "both sides to 25 digits at ten" in plain
    assert plain.endswith("The target is pulled up by 1-p_t.")


@pytest.mark.parametrize("tex", ["W_{ij}}=d_ix_j", "W_{ji}}=d_jx_i"])
def test_the_axes_are_those_below_the_derivative(tex, shown):
    gradient(
        "A bilinear form",
        lambda d, W, x: d @ W @ x,
        r"\frac{\partial\ell}{\partial " + tex,
        wrt="W",
        where=[r"\ell=d^\top Wx"],
        points=3,
        n=integer(2, 4),
        m=integer(5, 6),
        d=reals("n"),
        x=reals("m"),
        W=reals("n", "m"),
    )
    assert "; both sides to 25 digits at all of them." in shown[0][1]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_transposed_gradient_of_a_square_matrix_is_refused(sign):
    with fails("the derived gradient is ["):
        gradient(
            "A bilinear form",
            lambda d, W, x: sign * (x @ W @ d),
            r"d_jx_i=\frac{\partial\ell}{\partial W_{ji}}"
            if sign > 0
            else r"-\frac{\partial\ell}{\partial W_{ji}}=-d_jx_i",
            wrt="W",
            where=[r"\ell=d^\top Wx"],
            n=integer(3, 3),
            d=reals("n"),
            x=reals("n"),
            W=reals("n", "n"),
        )


def test_a_gradient_of_one_side_says_nothing_of_two(shown):
    gradient(
        "A square", lambda q: q * q, "2w", where=["w=q"], wrt="q", q=real()
    )
    assert "both sides" not in shown[0][1]


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        (r"\frac{\partial\ell}{\partial z_k}=\hat y_k+[k=t]", ["does not hold"]),
        (r"[k=t]-\hat y_k", ["the derived gradient is [", "but autograd's is [", "at n = "]),
        (r"\hat y_k-[k=t-1]", ["the derived gradient is [", "but autograd's is ["]),
        (r"(\hat y_k-[k=t])(1+10^{-7})", ["the derived gradient is [", "but autograd's is ["]),
        (r"\sum_k\hat y_k", ["the derived gradient has shape ()"]),
        (r"\frac{\partial\ell}{\partial z_k}=\cos(z_k)t", ["^"]),
    ],
)  # fmt: skip
def test_a_wrong_gradient_is_refused(tex, words):
    where = WHERE if "ell" in tex else WHERE[:1]
    with fails("CE", *words):
        derive(tex, where=where)


def test_differences_see_a_gradient_that_autograd_is_made_to_believe():
    def detached(z, t):
        return F.cross_entropy(z, t) + (z**2).sum().detach()

    with fails("but central differences give ["):
        derive(r"\hat y_k-[k=t]", loss=detached, where=WHERE[:1])


def test_a_gradient_that_bends_fast_meets_differences_of_two_steps():
    # One step is off by (3000 h)^2/6, five times the tolerance.
    gradient(
        "A fast wave",
        lambda z: torch.sin(3000 * z) / 3000,
        r"\cos(3000z)",
        z=real(),
    )


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
        derive(r"\hat y_k-[k=t]", loss=loss, where=WHERE[:1])


def test_a_displayed_loss_that_is_not_the_one_differentiated_is_refused():
    with fails("autograd's is"):
        derive(loss=lambda z, t: 2 * F.cross_entropy(z, t))


def test_gradients_by_other_arguments_and_unused_samplers():
    gradient(
        "By p",
        lambda z, p: z * (p**2).sum(),
        r"2zp_k",
        wrt="p",
        z=real(),
        p=distribution(3),
    )
    gradient("Scalar", lambda z: z**3, "3z^2", z=real())
    gradient("Matrix", lambda z: (z**2).sum() / 2, "z", z=reals(2, 3))
    with fails("y is drawn, but nothing in this check uses it"):
        gradient("Unused", lambda z: z**3, "3z^2", z=real(), y=real())


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


def test_what_is_shown_and_kept_of_published_numbers(shown):
    published(
        "Rows",
        {"zero": "0.00", "two": "1.0  -2"},
        source="a book",
        place="p. 1",
        losslib={"zero": -1e-9, "two": (1, -2)},
        own_code=lambda row: {"zero": 0.0, "two": [0.99, -2.4]}[row],
    )
    markdown, plain, record = shown[0]
    assert markdown == (
        "**Rows** (a book, p. 1)\n\n"
        "| what | printed | `losslib` | own code | held |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| zero | 0.00 | 0.00 | 0.00 | ✓ |\n"
        "| two | 1.0 -2 | 1.0 -2 | 1.0 -2 | ✓ |\n\n"
        "<small>✓ 3 numbers equal to every printed digit.</small>\n"
    )
    assert plain == (
        "Rows (a book, p. 1)\n"
        "  what  printed  losslib  own code  held\n"
        "  zero  0.00     0.00     0.00      ✓\n"
        "  two   1.0 -2   1.0 -2   1.0 -2    ✓\n"
        "✓ 3 numbers equal to every printed digit."
    )
    assert record == {
        "kind": "published",
        "statement": "Rows",
        "label": None,
        "source": "a book, p. 1",
        "lines": [],
        "points": 3,
        "detail": {
            "columns": ["losslib", "own_code"],
            "printed": {"zero": "0.00", "two": "1.0  -2"},
        },
    }


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


def test_what_is_shown_and_kept_of_a_refutation(shown):
    for needs, more, foot in (
        ({}, "", "refuted"),
        (
            {
                "kind": "outdated",
                "erratum": 2,
                "truth": lambda x: x == x,
                "never": "a number is itself",
            },
            ". It holds nowhere: a number is itself",
            "refuted; what is so held at 5 random points: $x$ a real number "
            "(normal, sd 2); and at 2 hand-picked points",
        ),
    ):
        refutes(
            "A number is not itself",
            source="a slip",
            says="$x=x$.",
            holds=lambda x, never="never" in needs: not never and x == 1,
            edge=[{"x": 1.0}, {"x": 2.0}],
            points=5,
            show={"$2x$": lambda x: 2 * x},
            x=real(),
            **needs,
        )
        markdown, plain, record = shown.pop()
        at = 1.0 if needs else 2.0
        origin = "a slip; erratum 2; outdated" if needs else "a slip; wrong"
        rows = [
            f"**Claim** ({origin}): “A number is not itself”",
            f"**Counter-example:** $x$ = {at:.4f}; $2x$ = {2 * at:.4f}{more}",
            "**What is so:** $x=x$.",
            f"<small>✓ {foot}.</small>",
        ]
        assert markdown == "> " + "\n>\n> ".join(rows) + "\n"
        for mark in ("**", "$", "<small>", "</small>"):
            rows = [row.replace(mark, "") for row in rows]
        assert plain.split("\n") == rows
        assert record == {
            "kind": "refutes",
            "statement": "A number is not itself",
            "label": None,
            "source": "a slip",
            "lines": [],
            "points": 7,
            "detail": {
                "kind": needs.get("kind", "wrong"),
                "erratum": needs.get("erratum"),
                "says": "$x=x$.",
                "example": f"$x$ = {at:.4f}; $2x$ = {2 * at:.4f}{more}"[
                    : None if not needs else 27
                ],
                "never": needs.get("never"),
            },
        }


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
    draws = [sampler.at(rng, {}) for _ in range(100)]
    assert all(valid(draw) for draw in draws)
    assert len({str(draw) for draw in draws}) > 1


def test_integers_and_choices_reach_both_ends():
    rng = np.random.default_rng(0)
    assert {integer(1, 3).at(rng, {}) for _ in range(100)} == {1, 2, 3}
    assert {choice("a", "b").at(rng, {}) for _ in range(100)} == {"a", "b"}


# --- What the reader sees -----------------------------------------------------------------------


def test_markdown_of_a_derivation(shown):
    margins()
    assert shown[0][0] == (
        "**Margins**\n\n"
        "$$\n"
        "\\begin{aligned}\n"
        "& -\\log\\frac{e^{z_t}}{\\sum_ke^{z_k}} \\\\\n"
        "& = \\log\\sum_ke^{z_k}-z_t && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{of a quotient}}} \\\\\n"
        "& = \\log\\sum_ke^{z_k-z_t} && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{pull in}}} \\\\\n"
        "& \\ge \\max_k(z_k-z_t) && \\checkmark \\\\\n"
        "& \\quad{\\small\\rlap{\\text{the largest $k$}}}\n"
        "\\end{aligned}\n"
        "$$ (eq-margins)\n\n"
        "<small>✓ 3 steps held at 300 random points: $z$ 5 logits (normal, sd 2); "
        "$t$ a label among 5 classes. Equal sides agree to 1e-9, and at ten points to 25 digits. "
        "Line 4 comes nearest, to 3.1e-03, at $z$ = [-1.0903, 5.9385, -0.3702, -1.8739, -5.0395], "
        "$t$ = 2.</small>\n"
    )


def test_terminal_text_of_a_derivation(capsys):
    margins()
    assert capsys.readouterr().out == (
        "Margins\n"
        "      -\\log\\frac{e^{z_t}}{\\sum_ke^{z_k}}\n"
        "    = \\log\\sum_ke^{z_k}-z_t    ✓ of a quotient\n"
        "    = \\log\\sum_ke^{z_k-z_t}    ✓ pull in\n"
        "    ≥ \\max_k(z_k-z_t)          ✓ the largest k\n"
        "✓ 3 steps held at 300 random points: z 5 logits (normal, sd 2); "
        "t a label among 5 classes. Equal sides agree to 1e-9, and at ten points to 25 digits. "
        "Line 4 comes nearest, to 3.1e-03, at z = [-1.0903, 5.9385, -0.3702, -1.8739, -5.0395], "
        "t = 2.\n"
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
        ("epsilon", r"\varepsilon"),
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
        "2 checks held: 1 derivation, 1 set of published numbers. "
        "Of 4 lines of derivations, 4 ran from their TeX.\n"
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
        'derivation("Twice", "2x", equals("x+x"),'
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
