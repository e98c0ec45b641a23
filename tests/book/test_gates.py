"""The book cannot lie silently: the gates on its notebooks and pages, and a fault for each gate."""

import io
import json
from decimal import Decimal
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from book import gates
from book.figures import legible
from book.gates import Chapter, numbers, split_markdown
from equalsign import RECORD_TYPE

ROOT = Path(__file__).resolve().parents[2]
BOOK = gates.chapters(ROOT)
LOSSES = [
    chapter for chapter in BOOK if chapter.name not in gates.BACK_MATTER
]
PAGES = [path for path in gates.pages(ROOT) if path.suffix == ".md"]

EVERY_NOTEBOOK = [
    gates.plain_python,
    gates.executed,
    gates.no_errors,
    gates.no_skips,
    gates.every_line_ran,
    gates.refutations_shown,
    gates.findings_stressed,
    gates.numbers_produced,
    gates.no_machine,
    gates.normalised,
    gates.figures_described,
    gates.figures_legible,
    gates.own_images,
    gates.one_title,
    gates.no_control_characters,
]
EVERY_LOSS = [
    gates.checks_recorded,
    gates.errata_refuted,
    gates.short_question,
    gates.short_enough,
    gates.exercises_solved,
]


def passes(messages: list[str]) -> None:
    """Fail with what the gate says, and nothing else."""
    if messages:
        pytest.fail("\n".join(["", *messages]), pytrace=False)


# --- The book passes --------------------------------------------------------------------------


def test_the_book_has_the_chapters_of_the_errata():
    passes(
        [
            f"chapters/{name}.ipynb is missing: the gates on its errata would pass in silence"
            for name in gates.ERRATA
            if name not in {chapter.name for chapter in BOOK}
        ]
    )


@pytest.mark.parametrize(
    "gate", EVERY_NOTEBOOK, ids=lambda gate: gate.__name__
)
@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_notebook(gate, chapter):
    passes(gate(chapter))


@pytest.mark.parametrize("gate", EVERY_LOSS, ids=lambda gate: gate.__name__)
@pytest.mark.parametrize(
    "chapter", LOSSES, ids=lambda chapter: chapter.name
)
def test_chapter(gate, chapter):
    passes(gate(chapter))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page):
    text = page.read_text(encoding="utf-8")
    passes(
        gates.page_numbers_produced(page, BOOK)
        + gates.images_are_ours(text, page.name)
    )


def test_contents():
    passes(gates.toc_complete(ROOT))


def test_three_rooms_one_name():
    passes(gates.rooms_agree(ROOT))


def test_a_function_has_its_place_in_a_chapter():
    passes(gates.functions_are_told(ROOT))


def test_the_book_runs_from_its_tex():
    passes(gates.mostly_from_tex(BOOK))


def test_no_loose_findings():
    passes(gates.no_loose_findings(BOOK, ROOT))


def test_no_registry_is_named():
    passes(gates.no_registries(gates.tracked_files(ROOT), ROOT))


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_a_number_out_of_nowhere_fails_in_every_chapter(chapter):
    known = gates.produced(chapter)
    invented = next(
        text
        for text in (f"0.{digits}" for digits in range(1234, 10000, 1111))
        if not any(numbers(text)[0].rounds(number) for number in known)
    )
    nb = nbformat.from_dict(chapter.nb)
    nb.cells = [*nb.cells, new_markdown_cell(f"The loss is {invented}.")]
    messages = gates.numbers_produced(Chapter(chapter.name, nb))
    assert [
        message
        for message in messages
        if f"the number {invented};" in message
    ]


# --- A small notebook that passes, and its faults ---------------------------------------------

SETUP = "from equalsign import derivation, equals, library, published, refutes, summary"
DERIVATION = r"""derivation(
    "A square completed",
    r"x^2+2x",
    equals(r"(x+1)^2-1", "binomial formula"),
    x=real(),
)"""


def record(
    kind="derivation", statement="A square completed", lines=(), **detail
):
    return {
        "kind": kind,
        "statement": statement,
        "label": None,
        "source": None,
        "lines": [
            {"relation": "=", "tex": tex, "reason": ""} for tex in lines
        ],
        "points": 300,
        "detail": detail,
    }


def displayed(text, check=None, **more):
    data = {"text/markdown": text, "text/plain": text, **more}
    return new_output(
        "display_data", data | ({RECORD_TYPE: check} if check else {})
    )


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def code(source, *outputs, **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def toy(*cells, run=True) -> Chapter:
    """Make a chapter named toy, all of whose cells have run."""
    nb = new_notebook(cells=list(cells))
    nb.metadata = {
        "kernelspec": gates.KERNELSPEC,
        "language_info": {"name": "python"},
    }
    for count, cell in enumerate(
        (c for c in nb.cells if c.cell_type == "code"), start=1
    ):
        cell.execution_count = count if run else None
    return Chapter("toy", nb)


def derived(
    source=DERIVATION,
    lines=("x^2+2x", "(x+1)^2-1"),
    where=(),
    ranges=(),
    **how,
):
    counts = {
        "from_tex": len(lines),
        "by_definition": 0,
        "by_code": 0,
    } | how
    check = record(
        lines=lines, where=list(where), ranges=list(ranges), **counts
    )
    return code(source, displayed("A square completed ✓", check))


def whole() -> list:
    """Give the cells of a chapter that passes every gate."""
    exercises = "\n\n".join(
        f"```{{exercise}}\n:label: ex-{i}\nWhy?\n```\n\n```{{solution}} ex-{i}\nSo.\n```"
        for i in range(4)
    )
    return [
        new_markdown_cell(
            "# Focal\n\nWhy is the loss stuck at $0.6931$?\n\n## At a glance"
        ),
        code(SETUP),
        derived(),
        code("print(log(2))", printed("0.693147\n")),
        new_markdown_cell(exercises),
        new_markdown_cell("## What was checked here"),
        code("summary()", displayed("1 check held: 1 derivation.")),
    ]


def says(messages: list[str], *pieces: str) -> None:
    """Check that there is one message, and that it says where, what, and what to do."""
    assert len(messages) == 1, messages
    for piece in pieces:
        assert piece in messages[0], messages[0]


REFRESH = "make refresh NB=toy"


def test_a_whole_chapter_passes():
    for gate in EVERY_NOTEBOOK + EVERY_LOSS:
        assert gate(toy(*whole())) == []


def test_a_cell_that_has_not_run():
    chapter = toy(*whole())
    chapter.nb.cells[3].execution_count = None
    says(
        gates.executed(chapter),
        "cell 4",
        "print(log(2))",
        "not been executed",
        REFRESH,
    )


def test_cells_that_ran_out_of_order():
    chapter = toy(*whole())
    chapter.nb.cells[3].execution_count = 7
    says(gates.executed(chapter), "cell 4", "[7]", "[3]", REFRESH)


def test_a_check_without_output():
    cells = whole()
    cells[2].outputs = []
    says(
        gates.executed(toy(*cells)),
        "cell 3",
        "derivation",
        "no output",
        REFRESH,
    )


@pytest.mark.parametrize("call", ["show", "slider", "source"])
def test_a_figure_without_output(call):
    cells = [
        code("from book import figures as style"),
        code(f'style.{call}(fig, "a", "b")'),
    ]
    says(gates.executed(toy(*cells)), "cell 2", f"calls {call}", REFRESH)


def test_magic():
    says(
        gates.plain_python(toy(code("%timeit f()"))),
        "cell 1",
        "without magics",
    )


def test_an_error():
    failed = new_output(
        "error",
        ename="CheckFailed",
        evalue="line 2 does not hold",
        traceback=[],
    )
    says(
        gates.no_errors(toy(code("f()", failed))),
        "cell 1",
        "CheckFailed: line 2 does not hold",
        REFRESH,
    )


def test_a_warning():
    chapter = toy(
        code("f()", printed("RuntimeWarning: overflow", "stderr"))
    )
    says(
        gates.no_errors(chapter),
        "cell 1",
        "RuntimeWarning: overflow",
        REFRESH,
    )


@pytest.mark.parametrize(
    "cell",
    [
        code("f()", tags=["nbval-skip"]),
        code("f()", tags=["nbval-ignore-output"]),
        code("f()", tags=["raises-exception"]),
        code("f()", tags=["skip-execution"], reason=" "),
        code("# NBVAL_IGNORE_OUTPUT\nf()"),
    ],
)
def test_a_skip_without_a_reason(cell):
    says(
        gates.no_skips(toy(cell)),
        "cell 1",
        "without a reason",
        '"reason"',
    )


def test_a_skip_with_a_reason():
    cell = code("f()", tags=["nbval-skip"], reason="needs a camera")
    assert gates.no_skips(toy(cell)) == []


def test_no_check():
    says(
        gates.checks_recorded(toy(code("1 + 1"))),
        "records no check",
        "derivation",
        REFRESH,
    )


def test_no_summary():
    says(
        gates.checks_recorded(toy(*whole()[:-2])),
        "What was checked here",
        "summary()",
    )


def test_a_check_after_the_summary():
    chapter = toy(*whole(), derived())
    says(
        gates.checks_recorded(chapter),
        "cell 8",
        "after summary()",
        "move it",
    )


def test_a_stale_summary():
    cells = whole()
    cells[-1].outputs = [displayed("2 checks held: 2 derivation.")]
    says(gates.checks_recorded(toy(*cells)), "cell 7", "1 checks", REFRESH)


def test_a_derivation_without_record():
    cells = [
        code(SETUP),
        code(DERIVATION, displayed("A square completed ✓")),
    ]
    says(
        gates.every_line_ran(toy(*cells)),
        "cell 2",
        "'A square completed'",
        "no record",
        REFRESH,
    )


def test_a_line_that_has_not_run():
    cells = [code(SETUP), derived(lines=["x^2+2x"])]
    says(
        gates.every_line_ran(toy(*cells)),
        "cell 2",
        "has 2 lines, of which 1",
        REFRESH,
    )


def test_a_flipped_sign_in_a_line():
    cells = [code(SETUP), derived(DERIVATION.replace("^2-1", "^2+1"))]
    says(
        gates.every_line_ran(toy(*cells)),
        "cell 2",
        "line 2",
        "(x+1)^2+1",
        REFRESH,
    )


def test_a_call_of_the_library_is_shown_as_it_ran():
    source = DERIVATION.replace(
        "    x=real(),",
        "    library(lambda x: square(x + 1) - 1),\n    x=real(),",
    )
    lines = ["x^2+2x", "(x+1)^2-1", "square(x + 1) - 1"]
    assert (
        gates.every_line_ran(toy(code(SETUP), derived(source, lines))) == []
    )
    stale = [*lines[:2], "square(x + 1)"]
    says(
        gates.every_line_ran(toy(code(SETUP), derived(source, stale))),
        "line 3",
        "square(x + 1) - 1",
        REFRESH,
    )


@pytest.mark.parametrize("name", ["where", "ranges"])
def test_a_definition_that_is_not_the_one_that_ran(name):
    source = DERIVATION.replace(
        "    x=real(),", f'    {name}=["a=x+1"],\n    x=real(),'
    )
    same = derived(source, **{name: ["a=x+1"]})
    assert gates.every_line_ran(toy(code(SETUP), same)) == []
    other = derived(source, **{name: ["a=x-1"]})
    says(
        gates.every_line_ran(toy(code(SETUP), other)),
        f"the list {name}",
        "not the one that ran",
        REFRESH,
    )


def test_too_many_lines_by_code():
    few = toy(code(SETUP), derived(from_tex=19, by_code=1))
    assert gates.mostly_from_tex([few]) == []
    many = toy(code(SETUP), derived(from_tex=18, by_code=1))
    says(
        gates.mostly_from_tex([few, many]),
        "2 of 39",
        "by code",
        "one line in 20",
    )


def test_lines_from_a_list():
    cells = [
        code(SETUP),
        derived('derivation("A square completed", *lines)'),
    ]
    says(gates.every_line_ran(toy(*cells)), "cell 2", "write them out")


@pytest.mark.parametrize(
    "source",
    ["def f():\n    {}", "if seldom:\n    {}", "for _ in []:\n    {}"],
)
def test_a_check_that_may_not_run(source):
    cell = code(
        source.format('published("Pi", "3.14", source="a", numpy=pi)')
    )
    says(
        gates.every_line_ran(toy(code(SETUP), cell)),
        "cell 2",
        "published inside",
        "its own",
    )


@pytest.mark.parametrize(
    "call", ['refutes("c", says="s")', 'published("c", "1")']
)
def test_another_check_without_record(call):
    other = displayed("", record("gradient", "c"))
    chapter = toy(code(SETUP), code(call, other))
    says(
        gates.every_line_ran(chapter),
        "cell 2",
        call.partition("(")[0],
        "no record",
        REFRESH,
    )


def test_checks_by_another_name_are_seen():
    setup = "import equalsign\nimport equalsign as v"
    calls = 'v.published("a", "1")\nequalsign.published("b", "1")\nnp.gradient(x)'
    messages = gates.every_line_ran(toy(code(setup), code(calls)))
    assert len(messages) == 2


def test_an_erratum_that_is_not_refuted():
    cell = code("", displayed("", record("refutes", "c", erratum=9)))
    chapter = Chapter("objective", toy(cell).nb)
    says(
        gates.errata_refuted(chapter),
        "erratum 10",
        "refutes(",
        "make refresh NB=objective",
    )


def test_a_refutation_that_shows_no_numbers():
    head = (
        "from equalsign import refutes\nrefutes('c', source='s', says='x', "
    )
    bare = code(f"{head}holds=lambda x: x > 0, x=real())")
    says(gates.refutations_shown(toy(bare)), "disagree", "show={...}")
    for rest in ("holds=f, show=g, x=real())", "raises=(TypeError, f))"):
        passes(gates.refutations_shown(toy(code(head + rest))))


def test_every_erratum_of_the_parts_that_stand_has_one_place():
    assert sorted(
        n for some in gates.ERRATA.values() for n in some
    ) == list(range(1, 37))


KEPT = "tests/book/errata.json"


def kept_errata():
    return json.loads((ROOT / KEPT).read_text(encoding="utf-8"))


def test_errata_keep_their_numbers():
    kept = kept_errata()
    passes(
        gates.errata_keep_their_numbers(
            gates.errata_numbered(BOOK), kept, KEPT
        )
    )
    # 37 is struck, and tells no claim
    assert {*kept, "37"} == {str(n) for n in range(1, len(kept) + 2)}
    assert len(kept) >= 60


def test_the_page_of_errata_has_their_anchors():
    (page,) = (c for c in BOOK if c.name == "errata")
    text = "\n".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in page.nb.cells
        for output in cell.get("outputs", [])
    )
    for number, claims in kept_errata().items():
        first = next(iter(claims.values()))[0]
        assert f"(erratum-{number})=\n**{number}.** *{first}*" in text


def test_errata_that_change_their_numbers():
    kept = kept_errata()

    def say(told):
        return gates.errata_keep_their_numbers(told, kept, KEPT)

    passes(say(kept))
    swapped = kept | {"38": kept["39"], "39": kept["38"]}
    one, other = say(swapped)
    says([one], "erratum 38 was", "stays", KEPT)
    says([other], "erratum 39 was")
    gone = {number: kept[number] for number in kept if number != "61"}
    says(say(gone), "erratum 61 was", "is None")
    says(say(kept | {"70": {"ctc": ["c"]}}), "70 is new", "the number 62")


# --- Numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a loss of 0.6931, or 0.693.", ["0.6931", "0.693"]),
        (
            r"$\approx-0.7688$, $-.7688$, −0.5",
            ["-0.7688", "-0.7688", "-0.5"],
        ),
        (
            r"$1-0.6931$, $p_t-0.25$, 0.1–0.25, $e^{x}-0.5$",
            ["0.6931", "0.25", "0.1", "0.25", "0.5"],
        ),
        (r"1,234.567 and $1{,}234.567$ and $1\,234.567$", ["1234.567"] * 3),
        (r"$1.234\times10^{-5}$, 1.234e-5", ["0.00001234"] * 2),
        (r"$0.693\,147$", ["0.693147"]),
        ("version 2.13.0, 1.10.123, and 3 of 4.", []),
        (
            "arXiv:1708.02002, [x](https://a.b/1708.02002), doi 10.1109/5.771073",
            [],
        ),
    ],
)
def test_numbers_are_read(text, values):
    assert [number.value for number in numbers(text)] == [
        Decimal(value) for value in values
    ]


def prose_and_output(prose, output="0.693147 -0.7688 1234.5678 0.5"):
    return toy(code("print(x)", printed(output)), new_markdown_cell(prose))


@pytest.mark.parametrize(
    "prose",
    [
        "0.6931, $0.693$, 0.693147, and 0.69314…",
        "$(-0.7688, 1{,}234.568)$",
        "Two decimals are free: 0.12.",
        "`0.1234` is code.\n\n```python\n0.1234\n```\n",
        "{glue:text}`x:.4f`",
        "```{figure} a.svg\n:width: 0.1234\n```\n",
        "<!-- 0.1234 -->",
    ],
)
def test_a_number_that_an_output_shows(prose):
    assert gates.numbers_produced(prose_and_output(prose)) == []


@pytest.mark.parametrize(
    ("prose", "number"),
    [
        ("The loss is 0.1234.", "0.1234"),
        (r"$$L \approx 0.1234$$", "0.1234"),
        ("{math}`0.1234`", "0.1234"),
        ("```{admonition} 0.1234\nSee.\n```", "0.1234"),
        (":::{note}\n:class: tip\nA 0.1234.\n:::", "0.1234"),
        ("0.6932", "0.6932"),  # not the nearest
        ("0.6931471", "0.6931471"),  # more digits than are known
        ("0.500", "0.500"),  # only 0.5 was printed
        ("-0.6931", "-0.6931"),
        ("1,234.569", "1,234.569"),
        ("$0.694$…", "0.694"),
        (r"$0.692\ldots$", r"0.692\ldots"),
    ],
)
def test_a_number_out_of_nowhere(prose, number):
    messages = gates.numbers_produced(prose_and_output(prose))
    says(
        messages,
        "cell 2",
        f"no output shows the number {number}",
        "print it",
        REFRESH,
    )


def test_a_wrong_sign_is_pointed_out():
    says(
        gates.numbers_produced(prose_and_output("0.7688")),
        "with the other sign",
    )


def test_a_number_typed_into_a_caption_is_prose():
    setup = code("from book import figures as style")
    words = "The loss is 0.1234."
    drawn = figure(f"Figure: {words}\n  line: 2 points")
    cell = code(
        f'style.show(fig, "{words}", "{words}")', drawn, displayed(words)
    )
    messages = gates.numbers_produced(
        toy(setup, cell, new_markdown_cell("So 0.1234."))
    )
    assert len(messages) == 3
    assert "cell 2" in messages[0]
    assert "cell 3" in messages[2]


def test_a_number_in_a_definition_runs():
    source = DERIVATION.replace(
        "    x=real(),", '    where=["a=0.1234x"],\n    x=real(),'
    )
    cells = [code(SETUP), derived(source, where=["a=0.1234x"])]
    assert gates.numbers_produced(toy(*cells)) == []
    said = derived(DERIVATION.replace("binomial formula", "about 0.1234"))
    says(gates.numbers_produced(toy(code(SETUP), said)), "0.1234")


def test_a_number_of_a_false_claim_proves_nothing():
    source = 'refutes("Stuck at 0.1234?", says="No: at 0.6931.", source="A", holds=f)'
    check = record(
        "refutes",
        "Stuck at 0.1234?",
        says="No: at 0.6931.",
        example="x = 0.6931",
    )
    shown = displayed(
        "Stuck at 0.1234? (A) x = 0.6931 No: at 0.6931.", check
    )
    prose = new_markdown_cell("0.1234")
    says(
        gates.numbers_produced(
            toy(code(SETUP), code(source, shown), prose)
        ),
        "cell 3",
        "0.1234",
    )


def test_a_published_number_is_produced():
    source = 'published("Pi", "3.1416", source="A", numpy=pi)'
    shown = displayed(
        "Pi (A) 3.1416 3.1416",
        record("published", "Pi", printed={"": "3.1416"}),
    )
    chapter = toy(
        code(SETUP), code(source, shown), new_markdown_cell("3.1416")
    )
    assert gates.numbers_produced(chapter) == []


def test_a_number_on_a_page(tmp_path):
    page = tmp_path / "index.md"
    page.write_text("It is 0.6931, not 0.1234.")
    says(
        gates.page_numbers_produced(page, [prose_and_output("")]),
        "index.md",
        "0.1234",
        "print it",
    )


def test_markdown_is_split():
    text = "````{note} A\n---\nclass: 0.1234\n---\nB\n```python\nC\n```\nD\n````\n{term}`E <f>` `G`"
    prose, (note,) = split_markdown(text)
    assert prose.split() == ["A", "B", "D", "E"]
    assert note.options["class"] == "0.1234"


# --- Findings ---------------------------------------------------------------------------------


def found(holds, label="fi-toy"):
    check = record("finding", "It is so", holds=holds) | {"label": label}
    return code("1", displayed("It is so ✓", check))


def test_a_finding_without_a_current_stress_run():
    passes(gates.findings_stressed(toy(found(["16 other seeds"]))))
    says(
        gates.findings_stressed(toy(found([]))),
        "the finding 'It is so' has no current record",
        "make findings NB=toy",
    )


def test_stored_runs_and_findings_agree(tmp_path):
    (tmp_path / "chapters/findings").mkdir(parents=True)
    for name in ("fi-toy", "fi-gone"):
        (tmp_path / f"chapters/findings/{name}.json").write_text("{}")
    loose, twice = gates.no_loose_findings(
        [toy(found([]), found([]))], tmp_path
    )
    says([loose], "fi-gone.json belongs to no finding", "remove it")
    says([twice], "2 findings have the label fi-toy")


# --- Contents and rooms -----------------------------------------------------------------------


@pytest.fixture
def house(tmp_path):
    """Build a book of one chapter, whose rooms agree."""
    for name in (
        "chapters/toy.ipynb",
        "losslib/toy.py",
        "tests/losslib/test_toy.py",
        "index.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "_toc.yml").write_text(
        "root: index\nparts:\n- chapters:\n  - file: chapters/toy\n"
    )
    assert gates.toc_complete(tmp_path) == gates.rooms_agree(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "extra.md",
        "chapters/extra.md",
        "chapters/extra.ipynb",
        "api/extra.rst",
    ],
)
def test_a_page_that_is_not_in_the_contents(house, name):
    (house / name).parent.mkdir(exist_ok=True)
    (house / name).write_text("")
    says(
        gates.toc_complete(house),
        name.partition(".")[0],
        "not in _toc.yml",
        "- file:",
    )


def test_an_entry_without_page(house):
    (house / "chapters/toy.ipynb").unlink()
    says(gates.toc_complete(house), "lists chapters/toy", "no such page")


def test_an_entry_twice(house):
    with (house / "_toc.yml").open("a") as toc:
        toc.write("  - file: chapters/toy\n")
    says(gates.toc_complete(house), "2 times", "keep one")


@pytest.mark.parametrize(
    "name",
    ["chapters/toy.ipynb", "losslib/toy.py", "tests/losslib/test_toy.py"],
)
def test_a_room_without_sister(house, name):
    (house / name).unlink()
    says(gates.rooms_agree(house), f"toy has no {name}", "gates.py")


def test_a_chapter_to_come(house, monkeypatch):
    """A listed family needs no chapter yet; its module and its tests it needs."""
    monkeypatch.setattr(gates, "CHAPTER_TO_COME", {"ranking"})
    (house / "losslib/ranking.py").write_text("")
    says(
        gates.rooms_agree(house),
        "ranking has no tests/losslib/test_ranking.py",
    )
    (house / "tests/losslib/test_ranking.py").write_text("")
    passes(gates.rooms_agree(house))
    (house / "chapters/ranking.ipynb").write_text("")
    with (house / "_toc.yml").open("a") as toc:
        toc.write("  - file: chapters/ranking\n")
    says(gates.rooms_agree(house), "ranking has its chapter", "take it out")


def test_a_function_that_its_chapter_leaves_out(house):
    (house / "losslib/__init__.py").write_text('__all__ = ["toy_loss"]\n')
    (house / "losslib/toy.py").write_text("def toy_loss(): ...\n")
    for source, told in [("`toy_loss`", True), ("toy_loss_2", False)]:
        cells = [nbformat.v4.new_markdown_cell(source)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        nbformat.write(notebook, house / "chapters/toy.ipynb")
        found = gates.functions_are_told(house)
        if told:
            passes(found)
        else:
            says(found, "losslib.toy_loss is named in no cell")


def test_a_room_that_the_contents_lack(house):
    (house / "_toc.yml").write_text("root: index\n")
    says(gates.rooms_agree(house), "toy has no", "_toc.yml")


# --- Machines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("/home/someone/book/x.py", "a path"),
        ("File /tmp/ipykernel_1/x.py", "a path"),
        (r"C:\Users\me", "a path"),
        ("lib/python3.11/site-packages/torch", "a path"),
        ("<function f at 0x7f0123456789>", "an address"),
        ("Wall time: 3 s", "a time"),
        ("took 1.25 ms", "a time"),
    ],
)
def test_an_output_that_tells_on_the_machine(text, what):
    says(
        gates.no_machine(toy(code("f()", printed(text)))),
        "cell 1",
        f"shows {what}",
        REFRESH,
    )


def test_a_path_in_the_source():
    says(
        gates.no_machine(toy(code('open("/root/x")'))),
        "cell 1",
        "a path of one machine",
    )


@pytest.mark.parametrize(
    "text", ["1/2 and/work/x", "https://a.b/home/x", "in 5 steps", "a/tmp"]
)
def test_an_output_that_tells_nothing(text):
    assert gates.no_machine(toy(code("f()", printed(text)))) == []


def test_a_registry(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "numpy\n--index-url https://" + "pypi" + ".org/simple\n"
    )
    says(
        gates.no_registries([path], tmp_path),
        "requirements.txt, line 2",
        "reader's installer",
    )


def test_files_are_found_without_git(tmp_path):
    for name in ("README.md", ".ci/run", ".venv/x.py", "_build/x.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = [
        path.relative_to(tmp_path).as_posix()
        for path in gates.tracked_files(tmp_path)
    ]
    assert found == [".ci/run", "README.md"]


# --- Normalised -------------------------------------------------------------------------------


def test_timings():
    chapter = toy(code("f()", execution={"iopub.execute_input": "2026"}))
    says(gates.normalised(chapter), "cell 1", "'execution'", REFRESH)


def test_another_kernel():
    chapter = toy()
    chapter.nb.metadata.kernelspec = {
        "name": "my-env",
        "display_name": "x",
        "language": "python",
    }
    says(gates.normalised(chapter), "my-env", REFRESH)


def test_more_metadata():
    chapter = toy()
    chapter.nb.metadata.language_info["version"] = "3.11.2"
    says(gates.normalised(chapter), "metadata", REFRESH)


def test_an_id_twice():
    chapter = toy(code("a"), code("b"))
    chapter.nb.cells[1].id = chapter.nb.cells[0].id
    says(gates.normalised(chapter), "stands at 2 cells", REFRESH)


def test_no_id():
    chapter = toy(code("a"))
    del chapter.nb.cells[0]["id"]
    says(gates.normalised(chapter), "no id", REFRESH)


def test_a_stream_in_pieces():
    chapter = toy(code("f()", printed("a"), printed("b")))
    says(gates.normalised(chapter), "cell 1", "several pieces", REFRESH)


def test_another_layout(tmp_path):
    path = tmp_path / "toy.ipynb"
    nbformat.write(toy(*whole()).nb, path)
    assert gates.normalised(Chapter.read(path)) == []
    path.write_text(path.read_text().replace("\n ", "\n  "))
    says(gates.normalised(Chapter.read(path)), "laid out", REFRESH)


# --- Figures ----------------------------------------------------------------------------------

ALT = "Figure: The gap closes as tau falls\n  line: 9 points"


def figure(plain=ALT, kind="image/svg+xml"):
    return new_output("display_data", {kind: "<svg/>", "text/plain": plain})


def test_a_figure_that_passes():
    cell = code(
        "show(fig, alt, caption)", figure(), displayed("It closes.")
    )
    assert gates.figures_described(toy(cell)) == []


def test_a_moving_figure_that_passes():
    moving = figure()
    moving.data["text/html"] = '<svg></svg><input type="range">'
    cell = code("slider(name)", moving, displayed("It closes."))
    assert gates.figures_described(toy(cell)) == []


@pytest.mark.parametrize("tag", ["svg", "script", "canvas", "iframe"])
def test_a_moving_figure_without_still_picture(tag):
    moving = new_output("display_data", {"text/html": f"<p><{tag}>"})
    says(
        gates.figures_described(toy(code("draw()", moving))),
        "cell 1",
        "no still picture",
        "book.figures.slider",
        REFRESH,
    )


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        (
            [figure("<Figure size 640x480>"), displayed("It closes.")],
            "no alternative text",
        ),
        (
            [figure("Figure: The gap closes"), displayed("It closes.")],
            "no summary",
        ),
        ([figure()], "no caption"),
        ([figure(kind="image/png")], "a raster image"),
    ],
)
def test_a_figure_that_lacks_something(outputs, what):
    chapter = toy(code("plt.show()", *outputs))
    says(
        gates.figures_described(chapter),
        "cell 1",
        what,
        "book.figures.show",
        REFRESH,
    )


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"color": "#E69F00"}, "#e69f00"),
        ({"color": "#E69F00", "bbox": {"ec": "black"}}, "#e69f00"),
        ({"color": "#E69F00", "clip_on": True}, "#e69f00"),
        ({"alpha": 0.4}, "#999999"),
        ({"color": legible("#E69F00"), "alpha": 0.5}, "#ceb680"),
    ],
)
def test_type_in_a_figure_that_is_too_light(options, seen):
    drawn = plt.figure()
    axes = drawn.add_subplot(title="black", xlabel="axis")
    axes.text(0.2, 0.5, "too light", **options)
    axes.text(0.5, 0.5, "well", color=legible("#E69F00"))
    axes.text(0.5, 0.2, r"$\alpha$", color=legible("#56B4E9"))
    svg = io.StringIO()
    drawn.savefig(svg, format="svg")
    plt.close(drawn)
    shown = figure()
    shown.data["image/svg+xml"] = svg.getvalue()
    says(
        gates.figures_legible(toy(code("show(fig, alt, caption)", shown))),
        "cell 1",
        f"'too light' in {seen}",
        "legible(color)",
        REFRESH,
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("![a map](https://a.b/c.png)", "another host"),
        ('<img src="//a.b/c.png" alt="a map">', "another host"),
        ("```{figure} https://a.b/c.png\n:alt: a map\n```", "another host"),
        ("![](_static/map.svg)", "no alternative text"),
        ("```{image} _static/map.svg\n```", "no alternative text"),
    ],
)
def test_an_image_in_the_text(text, what):
    says(gates.own_images(toy(new_markdown_cell(text))), "cell 1", what)


def test_an_image_in_an_output():
    cell = code("show()", displayed("![a map](https://a.b/c.png)"))
    says(gates.own_images(toy(cell)), "cell 1", "another host")


def test_a_pasted_image():
    cell = new_markdown_cell(
        "![a map](attachment:a)", attachments={"a": {"image/png": "x"}}
    )
    says(gates.own_images(toy(cell)), "cell 1", "pasted")


# --- Shape ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["## Focal", "# Focal\n\n# More"])
def test_titles(text):
    says(gates.one_title(toy(new_markdown_cell(text))), "titles", "# Title")


@pytest.mark.parametrize(
    "head", ["# Focal\n\n", "# Focal\n\n## The question\n\n"]
)
def test_a_long_question(head):
    chapter = toy(
        new_markdown_cell(head + "why " * 121 + "\n\n## Next\n\nmore")
    )
    says(gates.short_question(chapter), "121 words", "at most 120")


def test_a_long_chapter():
    text = "# Focal\n\n" + "word $a formula$ " * 3500
    says(gates.short_enough(toy(new_markdown_cell(text))), "3502 words")
    passes(
        gates.short_enough(toy(new_markdown_cell(text[: len(text) // 2])))
    )


def test_tex_in_a_string_that_is_not_raw():
    cells = whole()
    cells[3] = code("print(log(2))", printed("\rangle\n"))
    says(gates.no_control_characters(toy(*cells)), r"'\r'", "raw strings")


def test_few_exercises():
    cells = whole()
    cells[4].source = cells[4].source.partition(
        "```{exercise}\n:label: ex-3"
    )[0]
    says(gates.exercises_solved(toy(*cells)), "3 exercises", "at least 4")


def test_an_exercise_without_solution():
    cells = whole()
    cells[4].source = cells[4].source.replace("{solution} ex-2", "{note}")
    says(gates.exercises_solved(toy(*cells)), "ex-2", "no solution")


def test_a_solution_whose_code_shows():
    *cells, last = whole()
    cells = [*cells[:5], new_code_cell("1 + 1"), *cells[5:], last]
    says(gates.exercises_solved(toy(*cells)), "ex-3", "solution-start")
