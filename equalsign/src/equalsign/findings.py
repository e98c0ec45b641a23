"""A statement about an experiment, tried on seeds that the page has not seen.

A page shows a few runs, and concludes. Whether the conclusion is the experiment's or the luck of
those runs is found out by :func:`stress`: sixteen other seeds, and then each declared setting moved
while the others stay. What it finds is stored beside the notebooks, and the page says it.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from equalsign._base import CheckFailed, about
from equalsign._digest import digest
from equalsign._records import display_check, keep_record
from equalsign._words import counted, markdown_table, text_columns, unmarked

Results = Mapping[str, Any]

FACTORS = {
    "steps": (4.0,),
    "rate": (1 / 3, 3.0),
    "penalty": (0.1, 10.0),
}
"""By what the usual settings are multiplied when they are moved."""

OTHER_SEEDS = 16
ERRORS = 2.0
"""How many standard errors an effect must be away from what would make the statement false."""

_WORDS = {
    0.1: "a tenth of",
    1 / 3: "a third of",
    3.0: "three times",
    4.0: "four times",
    10.0: "ten times",
}
_stress: Path | None = None
# Once for all findings that speak of one experiment.
_runs: dict[tuple[str, int, tuple[tuple[str, Any], ...]], Results] = {}


def finding(
    statement: str,
    experiment: Callable[..., Results],
    /,
    *,
    effect: Callable[[Results], float],
    of: str,
    label: str,
    seeds: int = 8,
    vary: Sequence[str] | Mapping[str, Sequence[float]] = (),
    within: float | None = None,
    **settings: Any,
) -> None:
    r"""State what an experiment shows, and try it on other seeds and settings.

    The statement holds where the mean effect over the seeds is above 0 by two standard errors; with
    `within`, where it is nearer to 0 than that by two standard errors.

    Parameters
    ----------
    statement : str
        What is concluded, in words.
    experiment : callable
        A function of a ``seed`` and of named settings, which have defaults; it gives named results.
    effect : callable
        How far the results of one seed are on the side of the statement; paired by seed where it
        is a difference.
    of : str
        What the effect is, in words and with its unit.
    label : str
        A name that no other finding of the book has; the record of :func:`stress` is stored by it.
    seeds : int
        How many seeds the page runs: 0, 1, 2, ….
    vary : sequence of str, or dict of sequence of float
        The settings that the statement does not depend on: ``"steps"`` (four times), ``"rate"`` (a
        third, three times) and ``"penalty"`` (a tenth, ten times), or others with their factors.
    within : float, optional
        The size of effect that is said not to be reached, in either direction.
    **settings
        Settings of the experiment that are not their defaults.

    Raises
    ------
    CheckFailed
        If the statement does not hold on the seeds of the page, or, under :func:`stress`, anywhere
        that was tried.
    ValueError
        If a setting to vary is none of the experiment's, or there are fewer than two seeds.

    Examples
    --------
    >>> import numpy as np
    >>> def noisy(seed, steps=100):
    ...     rng = np.random.default_rng(seed)
    ...     return {"mean": rng.normal(1.0, 0.1, steps).mean()}
    >>> finding("The mean is above one half", noisy, effect=lambda r: r["mean"] - 0.5,
    ...         of="mean less 0.5", label="fi-mean", vary=["steps"])
    Finding: The mean is above one half
      tried on              effect  error
      8 seeds of this page  0.494   0.004  ✓
    effect: mean less 0.5. Not yet tried on other seeds.
    """
    if seeds < 2:
        raise ValueError(f"seeds must be at least 2, got {seeds}")
    factors = _factors(experiment, vary, settings)
    with about(statement):
        tried = {
            f"{seeds} seeds of this page": _measure(
                experiment, effect, range(seeds), settings
            )
        }
        _check(tried, within)
        key = _key(statement, experiment, effect, factors, within, settings)
        if _stress is not None:
            _try_elsewhere(
                other_seeds(statement),
                label,
                key,
                experiment,
                effect,
                factors,
                within,
                settings,
            )
        stored = _stored(label, key)
    tried |= {
        name: (row["effect"], row["error"]) for name, row in stored.items()
    }
    first, error = next(iter(tried.values()))
    record = keep_record(
        "finding",
        statement,
        name=label,
        points=seeds,
        detail={
            "seeds": seeds,
            "effect": _shown(first, error),
            "error": _shown(error, error),
            "of": of,
            "axes": sorted(factors),
            "holds": list(tried)[1:],
            "digest": key,
        },
    )
    _display(statement, of, within, tried, record)


@contextmanager
def stress(folder: Path) -> Iterator[None]:
    """Have every finding tried on other seeds and settings meanwhile, and store what is found.

    Parameters
    ----------
    folder : Path
        Where the records lie, one file a finding. A record that is current is not made again.
    """
    global _stress
    before, _stress = _stress, folder
    try:
        yield
    finally:
        _stress = before


def other_seeds(statement: str, count: int = OTHER_SEEDS) -> list[int]:
    """Return the seeds on which a statement is tried: none of a page, and others for other words.

    Examples
    --------
    >>> len(set(other_seeds("a") + other_seeds("b")))
    32
    """
    start = int.from_bytes(sha256(statement.encode()).digest()[:3], "big")
    return [1_000_000 + start * count + i for i in range(count)]


def _factors(
    experiment: Callable[..., Results],
    vary: Sequence[str] | Mapping[str, Sequence[float]],
    settings: Mapping[str, Any],
) -> dict[str, tuple[Any, tuple[float, ...]]]:
    """Return, for each setting to vary, its value here and the factors."""
    parameters = inspect.signature(experiment).parameters
    found = {}
    for name in vary:
        if name in settings:
            value = settings[name]
        elif name in parameters:
            value = parameters[name].default
        else:
            raise ValueError(
                f"vary: {name} is no setting of the experiment, which has {', '.join(parameters)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(
                f"vary: {name} must be a number to be multiplied, got {value!r}"
            )
        given = (
            vary[name] if isinstance(vary, Mapping) else FACTORS.get(name)
        )
        if given is None:
            raise ValueError(
                f"vary: {name} has no usual factors (those have {', '.join(FACTORS)}); give them"
            )
        found[name] = (value, tuple(given))
    return found


def _measure(
    experiment: Callable[..., Results],
    effect: Callable[[Results], float],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
) -> tuple[float, float]:
    """Return the mean effect over the seeds, and its standard error."""
    code = digest(experiment)
    effects = []
    for seed in seeds:
        key = (code, seed, tuple(sorted(settings.items())))
        if key not in _runs:
            _runs[key] = experiment(seed=seed, **settings)
        effects.append(float(effect(_runs[key])))
    if not all(map(math.isfinite, effects)):
        raise CheckFailed(f"an effect is no finite number: {effects}")
    error = np.std(effects, ddof=1) / math.sqrt(len(effects))
    return float(np.mean(effects)), float(error)


def _check(
    tried: Mapping[str, tuple[float, float]], within: float | None
) -> None:
    for name, (effect, error) in tried.items():
        if not _holds(effect, error, within):
            least = f"within {within:g}" if within else "above 0"
            raise CheckFailed(
                f"on {name} the effect is {effect:.4g} with a standard error of {error:.2g}, which "
                f"is not {least} by {ERRORS:g} of them"
            )


def _holds(effect: float, error: float, within: float | None) -> bool:
    if within is None:
        return effect > ERRORS * error
    return abs(effect) + ERRORS * error < within


def _key(statement: str, experiment: Any, effect: Any, *rest: Any) -> str:
    """Return what a record must match to be current: the words, the code and the settings."""
    text = repr((statement, digest(experiment, effect), *rest))
    return sha256(text.encode()).hexdigest()[:16]


def _try_elsewhere(
    seeds: Sequence[int],
    label: str,
    key: str,
    experiment: Callable[..., Results],
    effect: Callable[[Results], float],
    factors: Mapping[str, tuple[Any, tuple[float, ...]]],
    within: float | None,
    settings: Mapping[str, Any],
) -> None:
    """Try a statement on other seeds and settings, and store what was found."""
    if _stored(label, key):
        return
    places: dict[str, Mapping[str, Any]] = {
        f"{len(seeds)} other seeds": settings
    }
    for name, (value, multiples) in factors.items():
        for factor in multiples:
            moved = type(value)(value * factor)
            words = _WORDS.get(factor, f"{factor:g} times")
            places[f"{words} the {name}"] = {**settings, name: moved}
    tried = {}
    for words, moved_settings in places.items():
        tried[words] = _measure(experiment, effect, seeds, moved_settings)
        _check({words: tried[words]}, within)
    assert _stress is not None
    _stress.mkdir(parents=True, exist_ok=True)
    rows = {
        words: {"effect": _shown(*row), "error": _shown(row[1], row[1])}
        for words, row in tried.items()
    }
    text = json.dumps({"key": key, "seeds": seeds, "tried": rows}, indent=1)
    _file(label).write_text(text + "\n", encoding="utf-8")


def _file(label: str) -> Path:
    return (_stress or Path("findings")) / f"{label}.json"


def _stored(label: str, key: str) -> dict[str, Any]:
    """Return where the statement was tried already; nothing if its record is of other code."""
    if not _file(label).exists():
        return {}
    record = json.loads(_file(label).read_text(encoding="utf-8"))
    found: dict[str, Any] = record["tried"] if record["key"] == key else {}
    return found


def _shown(value: float, error: float) -> float:
    """Round a value to the first digit of its error; nothing is 0, not -0."""
    if error == 0 or not math.isfinite(error):
        return float(f"{value:.3g}")
    return round(value, -math.floor(math.log10(error))) + 0.0


def _display(
    statement: str,
    of: str,
    within: float | None,
    tried: Mapping[str, tuple[float, float]],
    record: Mapping[str, Any],
) -> None:
    rows = [
        [name, f"{_shown(*row):g}", f"{_shown(row[1], row[1]):g}", "✓"]
        for name, row in tried.items()
    ]
    heads = ["tried on", "effect", "error", ""]
    foot = f"effect: {of}"
    if within is not None:
        foot += f"; it stays within {within:g} of 0"
    foot += ". " + (
        f"✓ held in all {counted(len(rows), 'place')} that were tried."
        if len(rows) > 1
        else "Not yet tried on other seeds."
    )
    markdown = (
        f"**Finding:** {statement}\n\n{markdown_table(heads, rows)}\n\n"
        f"<small>{foot}</small>\n"
    )
    table = text_columns([["", *heads], *(["", *row] for row in rows)])
    display_check(
        markdown,
        f"Finding: {unmarked(statement)}\n{table}\n{unmarked(foot)}",
        record,
    )
