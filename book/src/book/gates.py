"""The gates of the book: what must be true of its notebooks and pages so that it cannot lie.

A gate takes notebooks, pages or paths, and returns messages for people; none means that it passes.
A message says where, what is wrong, and what to do. ``test_gates.py`` runs them.
"""

import ast
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import yaml
from matplotlib.colors import to_hex, to_rgb

from book.figures import READABLE, contrast
from book.refresh import KERNELSPEC
from book.sphinx.map import REGIONS
from equalsign import RECORD_TYPE

CHECKS = ("derivation", "gradient", "published", "refutes", "finding")
LINES = (
    "equals",
    "at_least",
    "at_most",
    "tends_to",
    "by_definition",
    "library",
)
BY_CODE = 20
"""Of so many lines of formulas at most one may run by code beside its TeX."""

OURS = ("losslib", "equalsign", "book")

# Three rooms, one name; these rooms have no sisters.
BACK_MATTER = {
    "differences",
    "errata",
    "ledger",
    "checks",
    "benchmarks",
    "notation",
    "bibliography",
}
FLOORS = {
    "__init__",
    "_array",
    "_checks",
    "_chunks",
    "_classes",
    "_vectors",
}
OTHER_TESTS = {
    "array", "checks", "classes", "docstrings", "elementwise", "errors", "everywhere", "extremes",
    "peers", "registry",
}  # fmt: skip
# Families whose module and tests stand, but whose chapter is still to come; each leaves this list
# when its chapter lands (a test fails if one stays).
CHAPTER_TO_COME = {"vocabulary"}
# Files for people and tools, which are not pages of the book.
NOT_PAGES = {"README", "CONTRIBUTING", "CHANGELOG"}

# Which errata each chapter must refute, with a run (the numbers of the errata list).
ERRATA = {
    "objective": (9, 10),
    "information": (1, 2, 3, 4, 5, 6, 7, 8),
    "logits": (11, 12, 13),
    "multiclass": (14, 15, 16, 17),
    "binary": (18, 19, 20, 21, 22, 23, 24),
    "multilabel": (25, 26),
    "focal": (27, 28),
    "margin": (29, 30, 31, 32, 33),
    "angular": (34,),
    "divergence": (36,),
    "counts": (35,),
}


# --- Chapters ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call of something of ours, in the source of a cell."""

    name: str  # such as "equalsign.derivation"
    node: ast.Call
    direct: bool  # runs whenever the cell runs: not in a function, a loop or a branch

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]

    def is_check(self) -> bool:
        return self.name.startswith("equalsign.") and self.last in CHECKS

    def keyword(self, name: str) -> ast.expr | None:
        return next(
            (k.value for k in self.node.keywords if k.arg == name), None
        )


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook, which knows how to point at itself."""

    chapter: str
    number: int
    node: Any
    names: dict[str, str]

    @property
    def code(self) -> bool:
        return self.node.cell_type == "code" and bool(
            self.node.source.strip()
        )

    @property
    def outputs(self) -> list[Any]:
        return self.node.get("outputs", [])

    @property
    def records(self) -> list[dict[str, Any]]:
        return [
            o.data[RECORD_TYPE]
            for o in self.outputs
            if RECORD_TYPE in o.get("data", {})
        ]

    @cached_property
    def tree(self) -> ast.Module | None:
        try:
            return ast.parse(self.node.source)
        except SyntaxError:
            return None

    @cached_property
    def calls(self) -> list[Call]:
        found = (
            list(_calls(self.tree, self.names))
            if self.code and self.tree
            else []
        )
        return sorted(
            found, key=lambda call: (call.node.lineno, call.node.col_offset)
        )

    def says(self, problem: str, remedy: str | None = None) -> str:
        lines = self.node.source.strip().splitlines()
        first = lines[0][:60] if lines else "empty"
        remedy = (
            remedy
            or f"run `make refresh NB={self.chapter}`, read the diff, and commit it"
        )
        return (
            f"chapters/{self.chapter}.ipynb, cell {self.number} (it begins {first!r}): "
            f"{problem}; {remedy}"
        )


@dataclass(frozen=True)
class Chapter:
    """A notebook and its name."""

    name: str
    nb: Any
    text: str | None = None  # the file as stored

    @classmethod
    def read(cls, path: Path) -> "Chapter":
        text = path.read_text(encoding="utf-8")
        return cls(path.stem, nbformat.v4.reads(text), text)

    @cached_property
    def cells(self) -> list[Cell]:
        names = _imported_names(self.nb.cells)
        return [
            Cell(self.name, i, c, names)
            for i, c in enumerate(self.nb.cells, start=1)
        ]

    @property
    def code_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.code]

    @property
    def markdown(self) -> str:
        return "\n\n".join(
            c.node.source
            for c in self.cells
            if c.node.cell_type == "markdown"
        )

    def says(self, problem: str, remedy: str | None = None) -> str:
        remedy = (
            remedy
            or f"run `make refresh NB={self.name}`, read the diff, and commit it"
        )
        return f"chapters/{self.name}.ipynb: {problem}; {remedy}"


def chapters(root: Path) -> list[Chapter]:
    """Read every notebook of the book."""
    return [
        Chapter.read(path)
        for path in sorted((root / "chapters").glob("*.ipynb"))
    ]


def _imported_names(cells: Iterable[Any]) -> dict[str, str]:
    """Map the names that a notebook gives to what it imports from our packages."""
    names = {}
    for cell in cells:
        if cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (
                node.module or ""
            ).startswith(OURS):
                for item in node.names:
                    if item.name == "*":
                        names |= _exported(str(node.module))
                    else:
                        names[item.asname or item.name] = (
                            f"{node.module}.{item.name}"
                        )
            elif isinstance(node, ast.Import):
                for item in node.names:
                    if item.name.startswith(OURS):
                        top = item.name.partition(".")[0]
                        names[item.asname or top] = (
                            item.name if item.asname else top
                        )
    return names


def _exported(module: str) -> dict[str, str]:
    """Map the names that `from module import *` gives to where they come from."""
    found = import_module(module)
    homes = {
        name: getattr(getattr(found, name), "__module__", None) or module
        for name in found.__all__
    }
    return {
        name: f"{'equalsign' if home.startswith('equalsign.') else home}.{name}"
        for name, home in homes.items()
    }


_INDIRECT = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If,
    ast.IfExp, ast.Try, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def _calls(
    node: ast.AST, names: dict[str, str], direct: bool = True
) -> Iterator[Call]:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        first, dot, rest = name.partition(".")
        if first in names:
            yield Call(names[first] + dot + rest, node, direct)
    direct = direct and not isinstance(node, _INDIRECT)
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, names, direct)


def _text(output: Any) -> str:
    """All that an output says, figures included."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join(output.get("traceback", []))
    data = output.get("data", {})
    return "\n".join(
        v if isinstance(v, str) else json.dumps(v) for v in data.values()
    )


# --- Every cell has run, and nothing went wrong -----------------------------------------------


def executed(chapter: Chapter) -> list[str]:
    """Every code cell has run, in order, from a clean start; what must show something has."""
    messages = []
    for count, cell in enumerate(chapter.code_cells, start=1):
        stored = cell.node.get("execution_count")
        if stored is None:
            messages.append(cell.says("it has not been executed"))
        elif stored != count:
            messages.append(
                cell.says(
                    f"it was executed as [{stored}], but a clean run makes it [{count}]"
                )
            )
        showing = {
            call.last for call in cell.calls if call.direct and _shows(call)
        }
        if showing and stored is not None and not cell.outputs:
            messages.append(
                cell.says(
                    f"it calls {', '.join(sorted(showing))} but has no output"
                )
            )
    return messages


def _shows(call: Call) -> bool:
    return (
        call.is_check()
        or call.name == "equalsign.summary"
        or call.name
        in (
            "book.figures.show",
            "book.figures.slider",
            "book.figures.source",
            "book.plots.panels",
            "book.plots.plot",
        )
    )


def plain_python(chapter: Chapter) -> list[str]:
    """Cells are plain Python: these gates read them."""
    return [
        cell.says(
            "it is not plain Python",
            "write it without magics (%, !) and trailing ?",
        )
        for cell in chapter.code_cells
        if cell.tree is None
    ]


def no_errors(chapter: Chapter) -> list[str]:
    """No cell has failed, and none has warned."""
    messages = []
    for cell in chapter.code_cells:
        for output in cell.outputs:
            if output.output_type == "error":
                problem = f"it failed with {output.get('ename')}: {output.get('evalue')}"
                remedy = "mend it (an error that is meant is caught and printed), then run "
            elif output.output_type == "stream" and output.name == "stderr":
                problem = (
                    f"it wrote to stderr: {output.text.strip()[:200]!r}"
                )
                remedy = "mend what it warns of, then run "
            else:
                continue
            messages.append(
                cell.says(
                    problem, f"{remedy}`make refresh NB={chapter.name}`"
                )
            )
    return messages


_SKIPS = {
    "nbval-skip", "nbval-ignore-output", "nbval-raises-exception", "raises-exception",
    "skip-execution",
}  # fmt: skip
_SKIP_COMMENT = re.compile(
    r"^\s*#\s*(NBVAL_(?:SKIP|IGNORE_OUTPUT|RAISES_EXCEPTION)|PYTEST_VALIDATE_IGNORE_OUTPUT)",
    re.M,
)


def no_skips(chapter: Chapter) -> list[str]:
    """Nothing is left out of the run or of the comparison without a reason."""
    messages = []
    for cell in chapter.cells:
        tags = sorted(
            _SKIPS.intersection(cell.node.metadata.get("tags", ()))
        )
        comments = _SKIP_COMMENT.findall(cell.node.source)
        if (tags or comments) and not str(
            cell.node.metadata.get("reason", "")
        ).strip():
            messages.append(
                cell.says(
                    f"{', '.join(tags + comments)} keeps it from the tests, without a reason",
                    'remove that, or say why in the cell\'s metadata: "reason": "..."',
                )
            )
    return messages


# --- Every check has left its record ----------------------------------------------------------


def checks_recorded(chapter: Chapter) -> list[str]:
    """A chapter checks something, and ends with what it checked."""
    records = [record for cell in chapter.cells for record in cell.records]
    if not records:
        return [
            chapter.says(
                "it records no check",
                "show its claims with derivation, gradient, published or refutes "
                "(equalsign), "
                f"then run `make refresh NB={chapter.name}`",
            )
        ]
    remedy = 'end it with a heading "What was checked here" and a cell that calls summary()'
    sums = [
        cell
        for cell in chapter.cells
        if any(c.name == "equalsign.summary" for c in cell.calls)
    ]
    heads = [
        cell.number
        for cell in chapter.cells
        if cell.node.cell_type == "markdown"
        and re.search(
            r"^#+ What was checked here\s*$", cell.node.source, re.M
        )
    ]
    if not heads or not sums or sums[-1].number < heads[-1]:
        return [chapter.says("it does not say what was checked", remedy)]
    messages = [
        cell.says(
            "it checks something after summary()",
            "move it before the summary",
        )
        for cell in chapter.cells
        if cell.records and cell.number > sums[-1].number
    ]
    count = len(
        {(record["kind"], record["statement"]) for record in records}
    )
    shown = "".join(map(_text, sums[-1].outputs))
    if not re.search(rf"\b{count} checks? held", shown):
        messages.append(
            sums[-1].says(f"it does not count the chapter's {count} checks")
        )
    return messages


def findings_stressed(chapter: Chapter) -> list[str]:
    """Every finding has been tried on seeds and settings that its page has not seen."""
    return [
        cell.says(
            f"the finding {record['statement']!r} has no current record of a stress run",
            f"run `make findings NB={chapter.name}`; what does not hold there is reworded or taken "
            f"out; then run `make refresh NB={chapter.name}`",
        )
        for cell in chapter.cells
        for record in cell.records
        if record["kind"] == "finding" and not record["detail"]["holds"]
    ]


def no_loose_findings(book: Iterable[Chapter], root: Path) -> list[str]:
    """Every stored stress run belongs to a finding, and each finding has a label of its own."""
    labels = Counter(
        record["label"]
        for chapter in book
        for cell in chapter.cells
        for record in cell.records
        if record["kind"] == "finding"
    )
    stored = {path.stem for path in (root / "chapters/findings").glob("*")}
    return [
        f"chapters/findings/{name}.json belongs to no finding of the book: remove it"
        for name in sorted(stored - set(labels))
    ] + [
        f"{count} findings have the label {label}: give each its own"
        for label, count in labels.items()
        if count > 1
    ]


def every_line_ran(chapter: Chapter) -> list[str]:
    """Every check in the source has its record, and a derivation's record all of its lines."""
    messages = []
    for cell in chapter.code_cells:
        free = list(cell.records)
        for call in (call for call in cell.calls if call.is_check()):
            if not call.direct:
                messages.append(
                    cell.says(
                        f"it calls {call.last} inside a function, a loop or a branch",
                        "write each check as a call of its own, so that each is seen to run",
                    )
                )
                continue
            statement = (
                _literal(call.node.args[0]) if call.node.args else None
            )
            record = next(
                (
                    r
                    for r in free
                    if r["kind"] == call.last
                    and statement in (None, r["statement"])
                ),
                None,
            )
            if record is None:
                title = f" {statement!r}" if statement else ""
                messages.append(
                    cell.says(
                        f"its {call.last}{title} has left no record of a run"
                    )
                )
                continue
            free.remove(record)
            if call.last == "derivation":
                messages += [
                    cell.says(problem)
                    for problem in _stale_lines(call, record)
                ]
    return messages


def _stale_lines(call: Call, record: dict[str, Any]) -> list[str]:
    """Compare the lines of a derivation in the source with those of its record."""
    title = f"the derivation {record['statement']!r}"
    lines = call.node.args[1:]
    if any(isinstance(line, ast.Starred) for line in lines):
        return [f"{title} takes its lines from a list: write them out"]
    if len(lines) != len(record["lines"]):
        return [
            f"{title} has {len(lines)} lines, of which {len(record['lines'])} have run"
        ]
    problems = []
    for number, (line, stored) in enumerate(
        zip(lines, record["lines"], strict=True), start=1
    ):
        shown = _shown_line(line)
        if shown is not None and shown != stored["tex"]:
            problems.append(
                f"line {number} of {title} shows {shown}, but what ran was {stored['tex']}"
            )
    for name in ("where", "ranges"):
        given = call.keyword(name)
        said = given.elts if isinstance(given, ast.List) else []
        if [_literal(tex) for tex in said] != record["detail"][name]:
            problems.append(
                f"the list {name} of {title} is not the one that ran"
            )
    return problems


def _shown_line(line: ast.expr) -> str | None:
    """Give what a line of a derivation shows: its TeX, or the code of library(...)."""
    if not isinstance(line, ast.Call):
        return _literal(line)
    first = line.args[0] if line.args else None
    if isinstance(first, ast.Lambda):
        return ast.unparse(first.body)
    return _literal(first) if first else None


def mostly_from_tex(book: Iterable[Chapter]) -> list[str]:
    """At most one line in twenty of the book's derivations runs by code beside its TeX."""
    lines: Counter[str] = Counter()
    for chapter in book:
        for cell in chapter.cells:
            for record in cell.records:
                if record["kind"] == "derivation":
                    for how in ("from_tex", "by_definition", "by_code"):
                        lines[how] += record["detail"][how]
    if lines["by_code"] * BY_CODE <= lines.total():
        return []
    return [
        f"{lines['by_code']} of {lines.total()} displayed lines run by code: write formulas that "
        f"run from their TeX, until at most one line in {BY_CODE} has by= or start="
    ]


def _literal(node: ast.expr) -> str | None:
    """Give the text of a string that stands in the source as it is."""
    return (
        node.value
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        else None
    )


def errata_refuted(chapter: Chapter) -> list[str]:
    """The errata that belong to a chapter are refuted in it, by a run."""
    found = {
        str(record["detail"].get("erratum"))
        for cell in chapter.cells
        for record in cell.records
        if record["kind"] == "refutes"
    }
    return [
        chapter.says(
            f"erratum {number} is not refuted in it",
            f"add a cell with `refutes(..., erratum={number})`, "
            f"then run `make refresh NB={chapter.name}`",
        )
        for number in ERRATA.get(chapter.name, ())
        if str(number) not in found
    ]


def errata_numbered(
    book: Iterable[Chapter],
) -> dict[str, dict[str, list[str]]]:
    """Give the claims that are refuted under each number of the errata, by chapter."""
    told: dict[str, dict[str, list[str]]] = {}
    for chapter in book:
        for cell in chapter.cells:
            for record in cell.records:
                number = record["detail"].get("erratum")
                if record["kind"] == "refutes" and number:
                    claims = told.setdefault(str(number), {})
                    claims.setdefault(chapter.name, []).append(
                        record["statement"]
                    )
    return told


def errata_keep_their_numbers(
    told: Mapping[str, Any], kept: Mapping[str, Any], where: str
) -> list[str]:
    """Each number of the errata says what it said when it was first given; new ones come behind."""
    messages = [
        f"erratum {number} was {kept[number]}, and is {told.get(number)}: a number is cited, so it "
        f"stays. Give another claim another number; the same one in other words, in {where}"
        for number in kept
        if told.get(number) != kept[number]
    ]
    last = max(map(int, kept), default=0)
    return messages + [
        f"erratum {number} is new: write it in {where}, with the number {last + k}"
        for k, number in enumerate(
            sorted(set(told) - set(kept), key=int), 1
        )
    ]


def refutations_shown(chapter: Chapter) -> list[str]:
    """A counter-example shows the numbers that disagree, not only where they do."""
    return [
        cell.says(
            "a claim is refuted without the numbers that disagree",
            "give `refutes` both, by name: `show={...}`, "
            f"then run `make refresh NB={chapter.name}`",
        )
        for cell in chapter.code_cells
        for call in cell.calls
        if call.name == "equalsign.refutes"
        and {"holds", "show"} & {word.arg for word in call.node.keywords}
        == {"holds"}
    ]


# --- Markdown ---------------------------------------------------------------------------------


@dataclass
class Directive:
    """A MyST directive: its name, what follows on its line, and its options."""

    name: str
    argument: str
    options: dict[str, str]


_FENCE = re.compile(r"^\s*(?P<mark>`{3,}|~{3,}|:{3,})\s*(?P<info>.*?)\s*$")
_OPTION = re.compile(r"^\s*:([\w-]+):\s*(.*)$")
_CODE_DIRECTIVES = {
    "code", "code-block", "code-cell", "literalinclude", "raw", "eval-rst", "mermaid",
}  # fmt: skip


def split_markdown(text: str) -> tuple[str, list[Directive]]:
    """Separate what is read as prose (maths included) from code and from directives."""
    prose: list[str] = []
    directives: list[Directive] = []
    open_marks: list[str] = []
    code: str | None = None  # the fence of the code block that we are in
    options = yaml_block = False  # whether options may follow
    for line in re.sub(r"<!--.*?-->", "", text, flags=re.S).splitlines():
        fence = _FENCE.match(line)
        mark, info = (fence["mark"], fence["info"]) if fence else ("", "")
        if code:
            if fence and not info and mark.startswith(code):
                code = None
        elif options and (yaml_block or line.strip() == "---"):
            yaml_block = yaml_block ^ (line.strip() == "---")
            options = yaml_block
            key, _, value = line.partition(":")
            directives[-1].options[key.strip()] = value.strip()
        elif options and (match := _OPTION.match(line)):
            directives[-1].options[match[1]] = match[2]
        elif (
            fence
            and not info
            and open_marks
            and mark.startswith(open_marks[-1])
        ):
            open_marks.pop()
            options = False
        elif fence and (match := re.match(r"\{([\w:.-]+)\}\s*(.*)", info)):
            directives.append(Directive(match[1], match[2], {}))
            options = True
            if match[1] in _CODE_DIRECTIVES:
                code = mark
            else:
                open_marks.append(mark)
                prose.append(
                    "" if match[1].startswith("glue") else match[2]
                )
        elif fence and not mark.startswith(":"):
            code = mark
        elif not line.lstrip().startswith("% "):
            options = False
            prose.append(line)
    return _without_code_spans("\n".join(prose)), directives


def _without_code_spans(text: str) -> str:
    def keep_role(match: re.Match[str]) -> str:
        hidden = match["role"] is None or match["role"].startswith(
            ("glue", "cite", "code")
        )
        return " " if hidden else re.sub(r"<[^<>]*>\s*$", "", match["body"])

    span = r"(?:\{(?P<role>[\w:.-]+)\})?(?P<ticks>`+)(?P<body>[^`].*?)(?<!`)(?P=ticks)(?!`)"
    return re.sub(span, keep_role, text, flags=re.S)


# --- Every number in a sentence is produced ---------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number as written: its value, and the place of its last digit."""

    text: str
    value: Decimal
    place: int  # -4 for four decimals
    decimals: int  # as written, before an exponent
    cut: bool  # an ellipsis follows: the digits go on

    def rounds(self, other: "Number") -> bool:
        """Whether this is `other` correctly rounded (or, before an ellipsis, cut off)."""
        if other.place > self.place:
            return False
        unit = Decimal(1).scaleb(self.place)
        if (
            self.cut
            and other.value.quantize(unit, ROUND_DOWN) == self.value
        ):
            return True
        return 2 * abs(other.value - self.value) <= unit


_NUMBER = re.compile(
    r"""(?<![\d.])
    (?P<sign>[-−])?
    (?P<whole>\d{1,3}(?:,\d{3})++|\d*+)\.(?P<decimals>\d++)(?!\.\d)
    (?:e(?P<e>[+-]?\d+)|\s*(?:\\times|\\cdot|×|·)\s*10\^\{?(?P<power>[-−]?\d+)\}?)?
    (?P<cut>\s*(?:…|\.\.\.|\\l?dots))?""",
    re.X | re.I,
)
_BINARY = re.compile(
    r"(?:[\d)\]}]|(?<![\\A-Za-z])[A-Za-z]+)$"
)  # what a minus may stand behind
_NOT_NUMBERS = re.compile(
    r"\]\([^()\s]*\)|https?://[^\s)>]+|\barXiv:\s*\d{4}\.\d{4,5}(?:v\d+)?|\b10\.\d{4,}/\S+",
    re.I,
)


def numbers(text: str) -> list[Number]:
    """Find the numbers with decimals: signed, with thousands, in plain text or TeX."""
    text = (
        _NOT_NUMBERS.sub(" ", text).replace(r"\!", "").replace("{,}", ",")
    )
    text = re.sub(r"(?<=\d)(?:\\,|[\u2009\u202f])(?=\d{3}(?!\d))", "", text)
    found = []
    for match in _NUMBER.finditer(text):
        minus = match["sign"] and not _BINARY.search(text[: match.start()])
        exponent = int(
            (match["e"] or match["power"] or "0").replace("−", "-")
        )
        digits = (
            f"{match['whole'].replace(',', '') or '0'}.{match['decimals']}"
        )
        value = Decimal(f"{'-' if minus else ''}{digits}").scaleb(exponent)
        decimals = len(match["decimals"])
        found.append(
            Number(
                match[0].strip()
                if minus
                else match[0].lstrip("-−").strip(),
                value,
                exponent - decimals,
                decimals,
                bool(match["cut"]),
            )
        )
    return found


def produced(chapter: Chapter) -> list[Number]:
    """Collect the numbers that the outputs of a chapter show and that nobody typed as a text."""
    found = []
    for cell in chapter.code_cells:
        typed = [
            _squeeze(form)
            for text in _literals(cell)
            for form in (text, _bare(text))
        ]
        for output in cell.outputs:
            for text in _computed(output):
                text = _squeeze(text)
                for words in typed:
                    text = re.sub(
                        rf"(?<![\d.]){re.escape(words)}(?!\d)", " ", text
                    )
                found += numbers(text)
    return found


def _literals(cell: Cell) -> list[str]:
    """Give the strings with a number in the source of a cell, but for those that are checked."""
    checked = {
        id(node)
        for call in cell.calls
        if call.name == "equalsign.published"
        for argument in call.node.args[1:2]
        for node in ast.walk(argument)
    }
    strings = {
        node.value
        for node in ast.walk(cell.tree or ast.Module([], []))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in checked
        and any(number.decimals >= 3 for number in numbers(node.value))
    }
    return sorted(strings, key=len, reverse=True)


def _computed(output: Any) -> Iterator[str]:
    """Give the texts of an output in which a run may have put numbers."""
    if output.output_type == "stream":
        if output.name == "stdout":
            yield output.text
        return
    data = output.get("data", {})
    record = data.get(RECORD_TYPE)
    if record:
        yield from _strings(record["detail"])
    if "text/plain" in data:
        yield data["text/plain"]
    else:
        yield data.get("text/markdown", "")
    yield from (
        v
        for k, v in data.items()
        if k.startswith("application/papermill.record/text")
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str | int | float):
        yield str(value)
    elif isinstance(value, dict):
        yield from (
            text for item in value.values() for text in _strings(item)
        )
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


def _typed(cell: Cell) -> list[str]:
    """Give the texts that an author typed into the calls that display them."""
    texts = []
    for call in cell.calls:
        if not call.name.startswith(
            ("equalsign.", "book.figures.", "book.plots.")
        ):
            continue
        arguments = [
            *enumerate(call.node.args),
            *((k.arg, k.value) for k in call.node.keywords),
        ]
        for place, node in arguments:
            # The numbers of others: printed (which is checked), quoted, or in a reference; and
            # those of a definition, which runs.
            if place in ("source", "label", "where") or (
                call.last,
                place,
            ) in (
                ("published", 1),
                ("refutes", 0),
            ):
                continue
            texts += _typed_strings(node)
    return texts


def _typed_strings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(
        node, ast.JoinedStr | ast.BinOp | ast.Dict | ast.List | ast.Tuple
    ):
        for child in ast.iter_child_nodes(node):
            yield from _typed_strings(child)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    """Strip the marks that a terminal is not shown."""
    return re.sub(r"\*\*|[$]|</?small>", "", text)


def numbers_produced(chapter: Chapter) -> list[str]:
    """Every number of three or more decimals in a text is what an output shows, rounded."""
    known = produced(chapter)
    messages = []
    for cell in chapter.cells:
        if cell.node.cell_type == "markdown":
            texts = [split_markdown(cell.node.source)[0]]
        else:
            texts = _typed(cell)
        for number in _unproduced("\n".join(texts), known):
            messages.append(
                cell.says(
                    _of_no_output(number, known),
                    _number_remedy(chapter.name),
                )
            )
    return messages


def page_numbers_produced(path: Path, book: Iterable[Chapter]) -> list[str]:
    """The same for a page that is no notebook: some chapter shows the number."""
    known = [number for chapter in book for number in produced(chapter)]
    prose = split_markdown(path.read_text(encoding="utf-8"))[0]
    return [
        f"{path.name}: {_of_no_output(number, known)}; print it in the chapter that it comes from, "
        "or take it out of the sentence"
        for number in _unproduced(prose, known)
    ]


def _unproduced(text: str, known: list[Number]) -> list[Number]:
    return [
        n
        for n in numbers(text)
        if n.decimals >= 3 and not any(n.rounds(k) for k in known)
    ]


def _of_no_output(number: Number, known: list[Number]) -> str:
    turned = Number(
        number.text,
        -number.value,
        number.place,
        number.decimals,
        number.cut,
    )
    hint = (
        " (one shows it with the other sign)"
        if any(turned.rounds(k) for k in known)
        else ""
    )
    return f"no output shows the number {number.text}{hint}"


def _number_remedy(name: str) -> str:
    return (
        "print it in a code cell with at least as many decimals (or mend the sentence), "
        f"then run `make refresh NB={name}`"
    )


# --- One book: its table of contents, its rooms -----------------------------------------------


def toc_files(root: Path) -> list[str]:
    """Give the files that ``_toc.yml`` lists, in order, without their suffixes."""

    def files(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (
                node[key] for key in ("root", "file") if key in node
            )
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                yield from files(item)

    return list(
        files(
            yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
        )
    )


def pages(root: Path) -> list[Path]:
    """Find the files that are pages of the book."""
    found = [
        *root.glob("*.md"),
        *root.glob("*.ipynb"),
        *(root / "chapters").rglob("*"),
        *(root / "api").rglob("*"),
    ]
    return sorted(
        path
        for path in found
        if path.suffix in (".md", ".ipynb", ".rst")
        and path.stem not in NOT_PAGES
        and ".ipynb_checkpoints" not in path.parts
    )


def toc_complete(root: Path) -> list[str]:
    """Every page is in the table of contents once, and every entry has its page."""
    listed = Counter(toc_files(root))
    present = {
        path.relative_to(root).with_suffix("").as_posix()
        for path in pages(root)
    }
    return [
        *(
            f"{name} is not in _toc.yml: add `- file: {name}` where it belongs, or remove the page"
            for name in sorted(present - set(listed))
        ),
        *(
            f"_toc.yml lists {name}, but there is no such page: write it, or remove the entry"
            for name in sorted(set(listed) - present)
        ),
        *(
            f"_toc.yml lists {name} {count} times: keep one"
            for name, count in listed.items()
            if count > 1
        ),
    ]


def rooms_agree(root: Path) -> list[str]:
    """A chapter, its module and its tests bear one name, and the contents list it."""
    rooms = {
        "chapters/{}.ipynb": {
            p.stem for p in (root / "chapters").glob("*.ipynb")
        }
        - BACK_MATTER,
        "losslib/{}.py": {p.stem for p in (root / "losslib").glob("*.py")}
        - FLOORS,
        "tests/losslib/test_{}.py": {
            p.stem.removeprefix("test_")
            for p in (root / "tests/losslib").glob("test_*.py")
        }
        - OTHER_TESTS,
        "the entry chapters/{} of _toc.yml": {
            name.removeprefix("chapters/")
            for name in toc_files(root)
            if name.startswith("chapters/")
        }
        - BACK_MATTER,
    }
    names = sorted(set().union(*rooms.values()))
    pages = [room for room in rooms if "chapters/" in room]
    landed = CHAPTER_TO_COME.intersection(*(rooms[room] for room in pages))
    for room in pages:
        rooms[room] |= CHAPTER_TO_COME & rooms["losslib/{}.py"]
    return [
        f"{name} has its chapter; take it out of CHAPTER_TO_COME in book/src/book/gates.py"
        for name in sorted(landed)
    ] + [
        f"{name} has no {room.format(name)}: {_room_remedy(name, room, pages)}"
        for name in names
        for room, present in rooms.items()
        if name not in present
    ]


def functions_are_told(root: Path) -> list[str]:
    """Every public function of a module is named in a cell of its chapter."""
    public = re.findall(
        r'"(\w+)"', (root / "losslib/__init__.py").read_text("utf-8")
    )
    messages = []
    for chapter in chapters(root):
        module = root / "losslib" / f"{chapter.name}.py"
        if not module.is_file():
            continue
        told = "\n".join(cell.node.source for cell in chapter.cells)
        messages += [
            f"losslib.{node.name} is named in no cell of its chapter, "
            f"chapters/{chapter.name}.ipynb; say there what it is for"
            for node in ast.parse(module.read_text("utf-8")).body
            if isinstance(node, ast.FunctionDef)
            and node.name in public
            and not re.search(rf"\b{node.name}\b", told)
        ]
    return messages


def _room_remedy(name: str, room: str, pages: list[str]) -> str:
    """Say what to do about a name that one of the rooms lacks."""
    rule = "a chapter, its module and its tests bear one name"
    if room in pages:
        return (
            f"{rule}. Write the chapter, chapters/{name}.ipynb, and its line in _toc.yml; while it "
            "is to come, list the family in CHAPTER_TO_COME of book/src/book/gates.py. A floor is "
            "listed in FLOORS there, and a test file of several modules in OTHER_TESTS"
        )
    return (
        f"{rule}. Write it; or, if {name} is no family, list its page in BACK_MATTER, its module "
        "in FLOORS, or its test file in OTHER_TESTS of book/src/book/gates.py"
    )


def chapter_rows(root: Path) -> list[str]:
    """Give the table of the chapters, a row each: their part and their title, in order."""
    contents = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    return [
        f"| {part['caption'].removeprefix('Part ').partition('.')[0]} "
        f"| [{title_of(root / entry['file'])}]({entry['file']}.ipynb) |"
        for part in contents["parts"]
        if part.get("numbered")
        for entry in part["chapters"]
    ]


def title_of(page: Path) -> str:
    """Give the title of a chapter."""
    return re.search(
        r"^# (.+)", Chapter.read(page.with_suffix(".ipynb")).markdown, re.M
    )[1]


def lists_agree(root: Path) -> list[str]:
    """README lists the chapters of the contents, and the map of the cover has a place for each."""
    text = (root / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| [IVX]+ \| .*\|$", text, re.M)
    expected = chapter_rows(root)
    messages = []
    if rows != expected:
        messages.append(
            "README.md: the table under *What is in it* is not that of _toc.yml and the titles; "
            "its rows are:\n" + "\n".join(expected)
        )
    places = {name for region in REGIONS for _, name in region.places}
    messages += [
        f"{name} is in _toc.yml, but has no place on the map of the cover: give it one in "
        "REGIONS of book/src/book/sphinx/map.py"
        for name in re.findall(
            r"chapters/(\w+)\.ipynb", "\n".join(expected)
        )
        if name not in places
    ]
    return messages


_INSTALLS = re.compile(
    r"\bpip3?\s+install\b[^\n`#\x22]*?(?<![\w./-])losslib(?![\w./-])"
)


def installs_ours(paths: Iterable[Path], root: Path) -> list[str]:
    """Nobody is told to install another package: on the public index, the name is taken."""
    return [
        f"{path.relative_to(root)}, line {number}: {match[0]!r} installs somebody else's package; "
        "from a checkout, `pip install .` brings losslib (the distribution is losses-from-entropy)"
        for path in paths
        for number, line in enumerate(_lines(path), start=1)
        for match in _INSTALLS.finditer(line)
    ]


def _lines(path: Path) -> list[str]:
    """Give the lines of a file; those of a picture or of a file that has gone are none."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return []


# --- The same on every machine ----------------------------------------------------------------

_MACHINE = {
    "a path of one machine": re.compile(
        r"(?<![\w./:-])/(?:home|root|tmp|work|Users|private|var|usr|opt|mnt)/[\w.-]+"
        r"|\b[A-Z]:\\+Users\b|site-packages|dist-packages|(?<!\w)\.venv\b"
    ),
    "an address in memory": re.compile(r"\b(?:at )?0x[0-9a-f]{6,}\b", re.I),
}
_TIMES = re.compile(
    r"\bwall time\b|\bCPU times\b|\d\s?(?:it|s)/(?:it|s)\b|\b\d+\.\d+ ?(?:[nµmu]?s|sec(?:onds)?)\b",
    re.I,
)
_REGISTRIES = re.compile(
    r"\bpypi\.org|\bpythonhosted\.org|\bregistry\.npmjs\.org|\bregistry\.yarnpkg\.com"
    r"|\b(?:deb|security)\.debian\.org|\barchive\.ubuntu\.com|\bconda\.anaconda\.org"
    r"|\bindex\.crates\.io|\bproxy\.golang\.org|\bdownload\.pytorch\.org/whl",
    re.I,
)


def no_machine(chapter: Chapter) -> list[str]:
    """Nothing in a notebook tells on which machine it ran, or how fast."""
    messages = []
    for cell in chapter.cells:
        outputs = [_text(output) for output in cell.outputs]
        for what, pattern in _MACHINE.items():
            for match in pattern.finditer(
                "\n".join([cell.node.source, *outputs])
            ):
                messages.append(
                    cell.says(
                        f"it shows {what}, {match[0]!r}",
                        _noise_remedy(chapter.name),
                    )
                )
        for output in cell.outputs:
            if "image/svg+xml" not in output.get("data", {}) and (
                match := _TIMES.search(_text(output))
            ):
                messages.append(
                    cell.says(
                        f"it shows a time, {match[0]!r}",
                        _noise_remedy(chapter.name),
                    )
                )
    return messages


def _noise_remedy(name: str) -> str:
    return f"print only what every machine prints alike, then run `make refresh NB={name}`"


def no_registries(paths: Iterable[Path], root: Path) -> list[str]:
    """No file names the host of a package registry: installers know theirs."""
    return [
        f"{path.relative_to(root)}, line {number}: it names the package registry "
        f"{match[0]}; leave the host to the settings of the reader's installer"
        for path in paths
        for number, line in enumerate(_lines(path), start=1)
        for match in _REGISTRIES.finditer(line)
    ]


def tracked_files(root: Path) -> list[Path]:
    """Give the files under version control or about to be; without git, all that are not built."""
    run = subprocess.run(
        [
            "git",
            "-C",
            str(root),
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode == 0:
        return sorted(
            {root / name for name in run.stdout.split("\0") if name}
        )
    hidden = re.compile(r"\.(?!ci|github|git\w)|_build$|__pycache__$")
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and not any(map(hidden.match, path.relative_to(root).parts))
    )


def normalised(chapter: Chapter) -> list[str]:
    """A notebook is stored as `make refresh` stores it, so that a diff shows what changed."""
    problems = []
    metadata = dict(chapter.nb.metadata)
    if metadata.get("kernelspec") != KERNELSPEC:
        problems.append(
            f"its kernelspec is {dict(metadata.get('kernelspec', {}))}"
        )
    extra = set(metadata) - {"kernelspec", "language_info"}
    if extra or set(metadata.get("language_info", {})) - {"name"}:
        problems.append(
            "its metadata says more than the kernel and the language"
        )
    ids = Counter(cell.node.get("id") for cell in chapter.cells)
    if ids.pop(None, 0):
        problems.append("cells have no id")
    problems += [
        f"the id {name!r} stands at {n} cells"
        for name, n in ids.items()
        if n > 1
    ]
    if (
        chapter.text is not None
        and chapter.text != nbformat.v4.writes(chapter.nb) + "\n"
    ):
        problems.append("its file is not laid out as nbformat writes it")
    messages = [chapter.says(problem) for problem in problems]
    for cell in chapter.cells:
        for key in ("execution", "ExecuteTime", "collapsed", "scrolled"):
            if key in cell.node.metadata:
                messages.append(cell.says(f"its metadata holds {key!r}"))
        streams = [o.get("name") for o in cell.outputs]
        if any(a is not None and a == b for a, b in pairwise(streams)):
            messages.append(
                cell.says("it holds one stream in several pieces")
            )
    return messages


# --- Figures ----------------------------------------------------------------------------------


def figures_described(chapter: Chapter) -> list[str]:
    """Every figure is an SVG with an alternative text, a summary of its data and a caption.

    One that moves has a still picture beside it, which is held to the same.
    """
    remedy = (
        "display it with book.plots.plot or book.figures.show(figure, alt, caption), "
        f"then run `make refresh NB={chapter.name}`"
    )
    messages = []
    for cell in chapter.code_cells:
        for index, output in enumerate(cell.outputs):
            data = output.get("data", {})
            raster = [
                kind for kind in data if re.match(r"image/(?!svg)", kind)
            ]
            if raster or "data:image/" in data.get("text/html", ""):
                messages.append(
                    cell.says("it shows a raster image", remedy)
                )
            moving = re.search(
                r"<(?:svg|script|canvas|input|iframe)\b",
                data.get("text/html", ""),
            )
            if moving and "image/svg+xml" not in data:
                messages.append(
                    cell.says(
                        "its moving figure has no still picture",
                        "display it with book.figures.slider, "
                        f"then run `make refresh NB={chapter.name}`",
                    )
                )
            if "image/svg+xml" not in data:
                continue
            alt, *summary = data.get("text/plain", "").splitlines()
            if not re.match(r"Figure: \S+ \S+ \S", alt):
                messages.append(
                    cell.says("its figure has no alternative text", remedy)
                )
            elif not any(line.startswith("  ") for line in summary):
                messages.append(
                    cell.says(
                        "its figure has no summary of its data", remedy
                    )
                )
            following = cell.outputs[index + 1 : index + 2]
            if not following or "text/markdown" not in following[0].get(
                "data", {}
            ):
                messages.append(
                    cell.says("its figure has no caption", remedy)
                )
    return messages


_TYPE = re.compile(
    r'<!--(?P<text>(?:(?!-->).)*)-->\s*<g style="(?P<style>[^"]*)"',
    re.DOTALL,
)


def _on_white(style: str) -> str:
    """Give the colour in which type of an SVG's style is seen on white, its opacity counted."""
    given = dict(re.findall(r"([\w-]+): *([^;]+)", style))
    opacity = float(given.get("opacity", 1))
    rgb = to_rgb(given.get("fill", "black"))
    return to_hex([1 - opacity * (1 - channel) for channel in rgb])


def figures_legible(chapter: Chapter) -> list[str]:
    """Type in a figure is dark enough to be read on white."""
    return [
        cell.says(
            f"its figure writes {match['text'].strip()!r} in {color}, of which the contrast with "
            f"white is {contrast(color):.1f}",
            "give the text the colour book.figures.legible(color), and no alpha, "
            f"then run `make refresh NB={chapter.name}`",
        )
        for cell in chapter.code_cells
        for output in cell.outputs
        for match in _TYPE.finditer(
            output.get("data", {}).get("image/svg+xml", "")
        )
        if contrast(color := _on_white(match["style"])) < READABLE
    ]


def images(text: str) -> list[tuple[str, str]]:
    """Give the target and the alternative text of each image in Markdown."""
    prose, directives = split_markdown(text)
    return [
        *(
            (m[2], m[1])
            for m in re.finditer(r"!\[([^\]]*)\]\(([^)\s]*)", prose)
        ),
        *(
            (_attribute(m[0], "src"), _attribute(m[0], "alt"))
            for m in re.finditer(
                r"<(?:img|script|iframe|video)\b[^>]*>", prose, re.I
            )
        ),
        *(
            (d.argument, d.options.get("alt", ""))
            for d in directives
            if d.name in ("image", "figure")
        ),
    ]


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf"\b{name}\s*=\s*[\"']([^\"']*)", tag, re.I)
    return match[1] if match else ""


def images_are_ours(text: str, where: str) -> list[str]:
    """Images in the text are files of the book, and say what they show."""
    messages = []
    for target, alt in images(text):
        if re.match(r"(?:https?:)?//", target):
            messages.append(
                f"{where}: the image {target} comes from another host; draw it in a cell with "
                "book.figures.show, or put a file of our own into _static"
            )
        if not alt.strip():
            messages.append(
                f"{where}: the image {target} has no alternative text; say what it shows"
            )
    return messages


def own_images(chapter: Chapter) -> list[str]:
    """The same for each text of a notebook; pasted images are not files of the book."""
    messages = []
    for cell in chapter.cells:
        where = f"chapters/{chapter.name}.ipynb, cell {cell.number}"
        shown = [
            data["text/markdown"]
            for data in (output.get("data", {}) for output in cell.outputs)
            if "text/markdown" in data
        ]
        texts = (
            shown if cell.node.cell_type == "code" else [cell.node.source]
        )
        messages += [
            message
            for text in texts
            for message in images_are_ours(text, where)
        ]
        if cell.node.get("attachments"):
            messages.append(
                cell.says(
                    "an image is pasted into it",
                    "draw it with book.figures.show",
                )
            )
    return messages


# --- Shape ------------------------------------------------------------------------------------


def one_title(chapter: Chapter) -> list[str]:
    """A chapter has one title, and begins with it."""
    titles = re.findall(r"^# .+", split_markdown(chapter.markdown)[0], re.M)
    if len(titles) == 1 and re.match(
        r"(?:\([\w-]+\)=\s*)?# ", chapter.nb.cells[0].source
    ):
        return []
    return [
        chapter.says(
            f"it has {len(titles)} titles",
            "begin it with one line `# Title`, and use ## and ### below",
        )
    ]


def short_enough(chapter: Chapter, most: int = 3500) -> list[str]:
    """A chapter is read in under an hour; formulas are not counted."""
    prose = re.sub(
        r"\$\$.*?\$\$|\$[^$]*\$", "", chapter.markdown, flags=re.S
    )
    words = len(prose.split())
    if words <= most:
        return []
    return [
        chapter.says(
            f"it has {words} words",
            f"say it in at most {most}: take out what is said twice, or split it",
        )
    ]


def no_control_characters(chapter: Chapter) -> list[str]:
    r"""No output holds what a backslash made of TeX in a string that is not raw."""
    return [
        cell.says(
            f"its output holds the control character {found[0]!r}",
            'write TeX in raw strings: r"\\rangle"',
        )
        for cell in chapter.cells
        if (
            found := re.findall(
                r"[\x00-\x08\x0b-\x1a\x1c-\x1f]",
                "".join(map(_text, cell.outputs)),
            )
        )
    ]


def short_question(chapter: Chapter, most: int = 120) -> list[str]:
    """The opening question is short."""
    prose = split_markdown(chapter.markdown)[0]
    opening, *sections = re.split(r"^##+ .*$", re.sub(r"^.*?^# .*?$", "", prose, flags=re.M | re.S),
                                  flags=re.M)  # fmt: skip
    text = opening if opening.strip() or not sections else sections[0]
    words = [
        word
        for word in re.sub(r"\$[^$]*\$", "x", text).split()
        if re.search(r"\w", word)
    ]
    if len(words) <= most:
        return []
    return [
        chapter.says(
            f"its opening question has {len(words)} words",
            f"ask it in at most {most}, before the first ## heading",
        )
    ]


def exercises_solved(chapter: Chapter, least: int = 4) -> list[str]:
    """A chapter has exercises, each with its solution."""
    directives = [
        directive
        for cell in chapter.cells
        if cell.node.cell_type == "markdown"
        for directive in split_markdown(cell.node.source)[1]
    ]
    labels = [
        d.options.get("label")
        for d in directives
        if d.name in ("exercise", "exercise-start")
    ]
    solved = {
        d.argument
        for d in directives
        if d.name in ("solution", "solution-start")
    }
    messages = []
    if len(labels) < least:
        messages.append(
            chapter.says(
                f"it has {len(labels)} exercises",
                f"write at least {least}, with the directives exercise and solution",
            )
        )
    messages += [
        chapter.says(
            f"the exercise {label or 'without a label'} has no solution",
            "give it a `:label:`, and write a solution directive with that label",
        )
        for label in labels
        if label is None or label not in solved
    ]
    messages += [
        chapter.says(
            f"the code after the solution of {last.argument} stands outside of it, unfolded",
            "put it between solution-start and solution-end",
        )
        for cell, after in pairwise(chapter.cells)
        if cell.node.cell_type == "markdown"
        and after.node.cell_type == "code"
        for last in split_markdown(cell.node.source)[1][-1:]
        if last.name == "solution"
        and cell.node.source.rstrip().endswith(("```", ":::"))
    ]
    return messages
