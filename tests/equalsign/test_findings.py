"""Findings: what holds on other seeds and settings passes, what does not is refused."""

import cmath
import json
import linecache
import math
import os
import re
import subprocess
import sys
import textwrap
from collections import OrderedDict
from functools import lru_cache, partial

import nbformat
import numpy as np
import pytest

from equalsign import CheckFailed, finding, findings, stress
from equalsign._digest import digest
from equalsign.findings import other_seeds


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(findings, "_runs", {})


def noisy(seed, steps=100, rate=1.0, level=1.0):
    rng = np.random.default_rng(seed)
    return {"mean": rate * rng.normal(level, 0.1, steps).mean()}


def state(experiment=noisy, **changes):
    options = {
        "effect": lambda r: r["mean"] - 0.5,
        "of": "mean less 0.5",
        "label": "fi-toy",
    }
    statement = changes.pop("statement", "The mean is above one half")
    finding(statement, experiment, **(options | changes))


def stressed(*args, **options):
    with stress(findings.Path("findings")):
        state(*args, **options)


def test_what_holds_is_shown_with_its_error(capsys):
    state()
    said = capsys.readouterr().out
    assert "8 seeds of this page  0.494   0.004  ✓" in said
    assert "Not yet tried on other seeds" in said


def test_an_effect_of_the_wrong_sign_is_refused():
    with pytest.raises(
        CheckFailed, match=r"above one half: on 8 seeds.*not above 0"
    ):
        state(effect=lambda r: 0.5 - r["mean"])


def test_an_effect_within_two_errors_is_refused():
    with pytest.raises(CheckFailed, match="not above 0 by 2 of"):
        state(effect=lambda r: r["mean"] - 1, seeds=4)


def test_no_effect_beyond_a_size():
    state(effect=lambda r: r["mean"] - 1, within=0.1)
    with pytest.raises(CheckFailed, match=r"not within 0\.01"):
        state(effect=lambda r: r["mean"] - 1, within=0.01)


def test_a_small_effect_below_zero_rounds_to_zero(capsys):
    state(
        lambda seed: -0.001 + (seed % 2) / 5 - 0.1,
        effect=lambda r: r,
        within=1,
    )
    assert (
        "8 seeds of this page  0       0.04   ✓" in capsys.readouterr().out
    )


def test_a_nan_is_no_effect():
    with pytest.raises(CheckFailed, match="no finite number"):
        state(effect=lambda r: float("nan"))


def lucky(seed, steps=100):
    """The effect is there on the seeds of the page, and reversed on all others."""
    return {"mean": (1.0 if seed < 8 else 0.0) + 1e-3 * (seed % 5)}


def brief(seed, steps=100):
    """The effect is there at first, and gone after four times the steps."""
    return {"mean": (1.0 if steps < 200 else 0.0) + 1e-3 * (seed % 5)}


def test_an_effect_that_other_seeds_reverse_is_refused():
    state(lucky)
    with pytest.raises(
        CheckFailed, match="on 16 other seeds the effect is -0"
    ):
        stressed(lucky)


def test_an_effect_that_more_steps_undo_is_refused():
    stressed(brief)
    with pytest.raises(
        CheckFailed, match="on four times the steps the effect"
    ):
        stressed(brief, vary=["steps"], statement="It stays above one half")


def test_the_record_says_where_it_holds(capsys):
    vary = {"steps": (4,), "rate": (0.6, 3.0)}
    stressed(vary=vary)
    capsys.readouterr()
    state(vary=vary)
    said = capsys.readouterr().out
    for place in ("16 other", "four times the steps", "0.6 times the rate"):
        assert place in said
    assert "held in all 5 places" in said


def test_what_is_shown_and_kept_of_a_finding(monkeypatch):
    shown = []
    monkeypatch.setattr(
        findings, "display_check", lambda *parts: shown.append(parts)
    )
    stressed()
    shown.clear()
    state()
    ((markdown, plain, kept),) = shown
    key = json.loads(findings.Path("findings/fi-toy.json").read_text())[
        "key"
    ]
    assert markdown.startswith(
        "**Finding:** The mean is above one half\n\n| tried on | effect |"
    )
    assert plain.startswith(
        "Finding: The mean is above one half\n  tried on "
    )
    assert "| 8 seeds of this page | 0.494 | 0.004 | ✓ |" in markdown
    assert kept["kind"] == "finding"
    assert kept["label"] == "fi-toy"
    assert kept["points"] == 8
    assert kept["detail"] == {
        "seeds": 8,
        "effect": 0.494,
        "error": 0.004,
        "of": "mean less 0.5",
        "axes": [],
        "holds": ["16 other seeds"],
        "digest": key,
    }


def test_what_is_small_on_the_page_must_be_small_elsewhere():
    with pytest.raises(
        CheckFailed, match=r"on four times the steps.*not within 0\.1"
    ):
        stressed(
            lambda seed, steps=100: steps / 100 - 1 + 1e-3 * (seed % 5),
            effect=lambda r: r,
            within=0.1,
            vary=["steps"],
        )


def test_a_third_of_the_rate_is_tried_too():
    """With a third of the rate the mean is a third, below one half."""
    with pytest.raises(CheckFailed, match="on a third of the rate"):
        stressed(vary=["rate"])


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "In other words"},
        {"effect": lambda r: r["mean"] - 0.4},
        {"level": 1.1},
        {"within": 2.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_of_something_else_is_not_current(change, capsys):
    stressed()
    state()
    assert "held in all 2 places" in capsys.readouterr().out
    state(**change)
    assert "Not yet tried" in capsys.readouterr().out


def test_a_current_record_is_not_made_again():
    stressed()
    path = findings.Path("findings/fi-toy.json")
    record = json.loads(path.read_text())
    record["tried"]["16 other seeds"]["effect"] = 7.0
    path.write_text(json.dumps(record))
    stressed()
    assert json.loads(path.read_text()) == record


def test_seeds_are_those_of_the_statement():
    assert other_seeds("a") == other_seeds("a")
    assert not set(other_seeds("a")) & set(other_seeds("b"))
    assert min(other_seeds("a")) > 1000


def test_a_setting_that_the_experiment_lacks():
    with pytest.raises(ValueError, match="vary: width is no setting"):
        state(vary=["width"])
    with pytest.raises(
        ValueError, match="vary: level has no usual factors"
    ):
        state(vary=["level"])
    with pytest.raises(ValueError, match="seeds must be at least 2"):
        state(seeds=1)
    stressed(vary={"level": (2,)})


SHIFT = np.array([1.0, 2.0])


def helper(x):
    return x + SHIFT


def calls(x):
    return helper(x) * 2


def test_a_digest_sees_what_is_called_and_read(monkeypatch):
    before = digest(calls)
    assert digest(calls) == before
    monkeypatch.setitem(globals(), "SHIFT", np.array([1.0, 2.5]))
    assert digest(calls) != before
    monkeypatch.setitem(globals(), "SHIFT", np.array([1.0, 2.0 + 1e-12]))
    assert digest(calls) == before
    monkeypatch.setitem(globals(), "helper", lambda x: x - SHIFT)
    assert digest(calls) != before


def test_a_digest_does_not_see_a_variable_of_the_same_name(monkeypatch):
    def loops(count):
        for elsewhere in range(count):  # noqa: B007
            count += 1
        return count

    before = digest(loops)
    monkeypatch.setitem(globals(), "elsewhere", 7)
    assert digest(loops) == before


def test_a_digest_does_not_see_what_an_inner_function_closes_over(
    monkeypatch,
):
    def outer(elsewhere):
        def inner():
            return elsewhere + SHIFT

        return inner()

    monkeypatch.setitem(globals(), "SHIFT", 1.0)
    monkeypatch.setitem(globals(), "elsewhere", 7)
    before = digest(outer)
    monkeypatch.setitem(globals(), "elsewhere", 8)
    assert digest(outer) == before
    monkeypatch.setitem(globals(), "SHIFT", 2.0)
    assert digest(outer) != before


def test_a_digest_tells_functions_of_libraries_apart():
    special = pytest.importorskip("scipy.special")

    def loss(x):
        return squash(x)

    squash = special.expit
    before = digest(loss)
    squash = special.erf
    assert digest(loss) != before


def test_a_digest_sees_functions_in_containers_and_partial_ones():
    def scaled(x, factor=1.0):
        return factor * x

    def shifted(x, factor=1.0):
        return factor + x

    def made(losses):
        return lambda x: [loss(x) for loss in losses.values()]

    digests = [
        digest(made(losses))
        for losses in (
            {"one": scaled},
            {"one": shifted},
            {"one": (scaled, 2.0)},
            {"one": (shifted, 2.0)},
            {"one": partial(scaled, factor=2.0)},
            {"one": partial(scaled, factor=3.0)},
            {"one": partial(shifted, factor=2.0)},
        )
    ]
    assert len(set(digests)) == len(digests)
    assert digest(made({"one": scaled})) == digests[0]


def test_a_digest_takes_a_module_by_its_name():
    torch = pytest.importorskip("torch")

    def loss(x):
        return torch.exp(torch.tensor(x))

    assert digest(loss) == digest(loss)


def test_a_digest_sees_through_modules_and_closures():
    import losslib
    from losslib import objective

    def loss(x):
        return losslib.mse_loss(x, x)

    before = digest(loss)
    reduce = objective.reduce
    try:
        from losslib import regression

        regression.reduce = lambda *a, **k: 0.0
        assert digest(loss) != before
    finally:
        regression.reduce = reduce
    assert digest(loss) == before

    def made(k):
        return lambda x: x * k

    assert digest(made(1)) != digest(made(2))


def reads(value):
    """Return the digest of a function that reads a value."""
    return digest(lambda: value)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, True, None, "1", b"1", 1.5, 1.50001],
        ["ab", ["a", "b"], ["ab"], ("a", ["b"], "c"), [], {}],
        [{"a": 1}, {"a": 2}, {"b": 1}, {"a": {"b": 1}}],
        [{1, 2}, {1, 3}, {"a", "b"}],
        [np.array([1, 2]), np.array([1, 3]), np.array([[1, 2]])],
        [np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.ones((1, 2))],
        [np.array([True, False]), np.array([True, True])],
        [np.float32(0.5), np.float32(0.25), np.int64(3), np.int64(4)],
        [np.array([1j, 2j]), np.array([1j, 3j]), np.array([1 + 1j, 2j])],
        [1j, 2j, 1 + 1j, np.complex64(3j)],
        [math, np, dict, list, range(2), object()],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_a_digest_tells_values_apart(values):
    digests = [reads(value) for value in values]
    assert len(set(digests)) == len(values)
    assert digests == [reads(value) for value in values]
    assert len({reads([value]) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "as_good_as"),
    [
        (0.1 + 0.2, 0.3),
        (np.array([0.1 + 0.2, 1]), np.array([0.3, 1])),
        (np.float32([0.1, 0.2]), np.array([0.1, 0.2])),
        (np.array([0.3j]), np.array([(0.1 + 0.2) * 1j])),
        ([0.1 + 0.2, {"a": 0.3}], [0.3, {"a": 0.1 + 0.2}]),
    ],
)
def test_a_digest_sees_six_digits_of_every_float(value, as_good_as):
    assert reads(value) == reads(as_good_as)


def test_a_digest_sees_the_values_of_tensors():
    torch = pytest.importorskip("torch")
    one = torch.tensor([1.0, 2.0], requires_grad=True)
    assert reads(one) == reads(np.array([1.0, 2.0]))
    assert reads(one) != reads(torch.tensor([1.0, 3.0]))
    assert reads(torch.tensor([1, 2])) != reads(torch.tensor([1, 3]))


CELL = """
from math import exp
{values}
def loss(x, scale={default}):
    return exp(x) * scale * len(NAMES)
"""


def cell(monkeypatch, name="<cell 1>", values="NAMES = ['a']", **changes):
    """Define a function as a notebook does: in a cell, which is no file."""
    text = CELL.format(values=values, **({"default": "2.0"} | changes))
    lines = text.splitlines(keepends=True)
    monkeypatch.setitem(
        linecache.cache, name, (len(text), None, lines, name)
    )
    scope = {}
    exec(compile(text, name, "exec"), scope)
    return scope["loss"]


def test_a_digest_sees_what_a_cell_defines(monkeypatch):
    first = digest(cell(monkeypatch))
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert digest(cell(monkeypatch, "<cell 2>")) == first
    assert digest(cell(monkeypatch, default="3.0")) != first
    assert digest(cell(monkeypatch, values="NAMES = ['b']")) != first
    function = cell(monkeypatch)
    monkeypatch.delitem(linecache.cache, "<cell 1>")
    with pytest.raises(ValueError, match="source of loss cannot be read"):
        digest(function)


def test_a_digest_depends_on_neither_addresses_nor_the_order_of_sets():
    """Both are others in another process, and a record is to be current in each."""

    def made():
        def half(x):
            return x / 2

        def loss(x, by=half, *, more=(half, 3)):
            return by(x)

        return loss

    one, other = made(), made()
    assert digest(one) == digest(other)
    first, second = {0, 8}, {8, 0}
    assert list(first) != list(second)  # equal, yet in another order
    assert reads(first) == reads(second)
    assert reads(frozenset(first)) == reads(frozenset(second))


def test_a_digest_sees_what_is_taken_by_default():
    def made(one, two):
        def loss(x, by=one, *, more=two):
            return by + more

        return loss

    def half(x):
        return x / 2

    def twice(x):
        return x * 2

    digests = [
        digest(made(*pair))
        for pair in [
            (1, 2), (3, 2), (1, 3), (half, 2), (twice, 2), (1, half),
            (1, twice), ([half, 1], 2), ([half, 2], 2),
        ]
    ]  # fmt: skip
    assert len(set(digests)) == len(digests)


def test_a_digest_does_not_see_names_comments_and_docstrings():
    def one(x):
        """Say something."""

        def inner(y):
            """Say more."""
            return y

        return inner(x)

    def other(x):  # a comment
        def inner(y):
            return y

        return inner(x)

    def third(x):
        "Only this."

    def fourth(x):
        pass

    assert digest(one) == digest(other)
    assert digest(third) == digest(fourth) != digest(one)


def test_a_digest_sees_through_decorators():
    @lru_cache
    def one(x):
        return x + 1

    @lru_cache(
        maxsize=2,
    )
    def two(x):
        return x + 2

    @lru_cache
    def same(x):
        return x + 1

    assert digest(one) == digest(same) != digest(two)


def test_a_digest_tells_a_lambda_from_what_stands_around_it():
    # fmt: off
    def around(f=lambda x: x + 1): return f(2)
    # fmt: on
    def other(f=None):
        return f(3)

    inner = around.__defaults__[0]
    assert digest(inner) == digest(lambda x: x + 1)
    assert digest(inner) != digest(lambda x: x + 2)
    assert len({digest(f) for f in (inner, around, other)}) == 3


def test_a_digest_of_functions_that_call_each_other():
    def down(n):
        return up(n - 1) if n else 0

    def up(n):
        return down(n - 1) if n else 1

    both = digest(down)
    assert digest(down, up) == digest(down, up)
    assert both != digest(lambda n: 0)


def test_a_digest_does_not_look_into_libraries(monkeypatch):
    def short(x):
        return textwrap.shorten(x, 9), shorten(x, 9), join(x, x)

    shorten, join = textwrap.shorten, os.path.join
    before = digest(short)
    monkeypatch.setattr(textwrap, "TextWrapper", lambda: None)
    assert digest(short) == before
    shorten = textwrap.indent
    assert digest(short) != before


@pytest.mark.parametrize(
    "pair",
    [(math.exp, cmath.exp), (dict.fromkeys, OrderedDict.fromkeys)],
    ids=["of two modules", "of two classes"],
)
def test_a_digest_tells_built_in_functions_of_one_name_apart(pair):
    one, other = pair
    assert digest(one) == digest(one) != digest(other)


def test_a_digest_sees_modules_of_modules_of_ones_own(monkeypatch):
    import losslib.regression

    def loss(x):
        if x is None:  # what is not there is no matter of the digest
            return losslib.absent + str(x).strip().absent
        return losslib.regression.mse_loss(x, x)

    before = digest(loss)
    monkeypatch.setattr(losslib.regression, "mse_loss", lambda x, y: x)
    assert digest(loss) != before


def test_a_digest_reads_the_file_as_it_is_now(tmp_path):
    path = tmp_path / "own.py"
    text = "def loss(x):\n    return x + %s\n"
    found = []
    for number in (1, 25):
        path.write_text(text % number)
        scope = {}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        found.append(digest(scope["loss"]))
    assert found[0] != found[1]


def test_a_digest_sees_functions_deep_in_containers():
    def made(held):
        return lambda x: held

    def half(x):
        return x / 2

    def twice(x):
        return x * 2

    digests = {
        digest(made(held))
        for f in (half, twice)
        for held in ([f], (f,), {"a": f}, [{"a": [1, f]}], ["b", (dict, f)])
    }
    # a list and a tuple are as good as each other
    assert len(digests) == 8


def test_a_notebook_is_stressed(tmp_path):
    source = """import numpy as np
from equalsign import finding

def noisy(seed, steps=100):
    return {"mean": np.random.default_rng(seed).normal(1.0, 0.1, steps).mean()}
"""
    call = (
        'finding("High", noisy, effect=lambda r: r["mean"] - %s, of="m",'
        ' label="fi-nb", vary=["steps"])'
    )
    for level, code in (("0.5", 0), ("1.5", 1)):
        cells = [
            nbformat.v4.new_code_cell(s) for s in (source, call % level)
        ]
        path = tmp_path / "toy.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        done = subprocess.run(
            [sys.executable, "-m", "equalsign", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
    assert "toy.ipynb: High: on 8 seeds" in done.stderr
    record = json.loads((tmp_path / "findings/fi-nb.json").read_text())
    assert list(record["tried"]) == [
        "16 other seeds",
        "four times the steps",
    ]
