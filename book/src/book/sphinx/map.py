# ruff: noqa: D101, D102, D103, E501 -- hooks have the names Sphinx gives them; a message stays on one line, to be searched for
"""The map on the cover: identity (M), and every loss of the book as a reading of it.

``{lossmap}`` draws it twice, once for a wide and once for a narrow page; the style sheet shows one
of them. A chapter that is in the book is a link; one that is still to come has a dashed border.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from docutils import nodes
from docutils.parsers.rst import Directive


@dataclass(frozen=True)
class Region:
    title: str
    reading: str  # which reading of (M) the losses of this region are
    places: tuple[tuple[str, str], ...]  # what is written, and the chapter


REGIONS = (
    Region("I  Foundations", "(M) itself, term by term", (
        ("objective", "objective"), ("entropy, KL", "information"), ("softmax, logits", "logits"),
    )),
    Region("II  Classification", "p is the label, z the scores", (
        ("cross-entropy", "multiclass"), ("binary, BCE", "binary"), ("many labels", "multilabel"),
        ("rare classes", "imbalance"), ("focal", "focal"), ("label smoothing", "smoothing"), ("wrong labels", "noise"),
        ("margins, hinge", "margin"), ("on the sphere", "angular"),
    )),
    Region("III  Regression and counts", "a KL inside one family", (
        ("squared, Huber", "regression"), ("Poisson, Gamma", "counts"),
    )),
    Region("IV  Divergences, distances", "other ways to be far apart", (
        ("KL and relatives", "divergence"), ("distances", "distance"), ("transport", "transport"),
    )),
    Region("V  Pairs, ranks, sequences", "outcomes are pairs, orders, paths", (
        ("pairs, triplets", "similarity"), ("ranking", "ranking"), ("contrastive", "contrastive"), ("CTC", "ctc"),
    )),
    Region("VI  Losses of today", "(M) with a teacher, a prior, a latent", (
        ("distillation", "distillation"), ("preference", "preference"), ("ELBO, diffusion", "generative"),
        ("Dice, overlap", "overlap"), ("large vocabulary", "vocabulary"),
    )),
)  # fmt: skip

DESCRIPTION = (
    "Identity (M) stands in the middle: the log-sum-exp of the scores z is the mean score under p, plus the entropy of p, "
    "plus the KL divergence from p to softmax of z. Six regions surround it, each with the reading of (M) that gives its losses. "
)


class MapNode(nodes.General, nodes.Element):
    pass


class LossMap(Directive):
    def run(self):
        return [MapNode()]


def _pill(x, y, width, text, href):
    inner = (
        f'<rect x="{x}" y="{y}" width="{width}" height="30" rx="15"/>'
        f'<text x="{x + width / 2}" y="{y + 20}" text-anchor="middle">{escape(text)}</text>'
    )
    if href:
        return f'<a class="map-place" href="{escape(href)}">{inner}</a>'
    return f'<g class="map-place to-come">{inner}</g>'


def _identity(cx, y, width, lines):
    height = 20 + 27 * len(lines)
    rows = "".join(
        f'<text class="map-identity" x="{cx}" y="{y + 33 + 27 * i}" text-anchor="middle">{line}</text>'
        for i, line in enumerate(lines)
    )
    return f'<rect class="map-centre" x="{cx - width / 2}" y="{y}" width="{width}" height="{height}" rx="10"/>{rows}'


def _svg(kind, width, height, body, ident):
    return (
        f'<svg class="loss-map loss-map-{kind}" viewBox="-1 -1 {width + 2} {height + 2}" role="group" '
        f'aria-labelledby="{ident}-title {ident}-desc">'
        f'<title id="{ident}-title">Map of the losses around identity (M)</title><desc id="{ident}-desc">{escape(DESCRIPTION)}</desc>'
        f"{body}</svg>"
    )


_SUM = (
    '<tspan font-style="normal">log Σ</tspan> '
    + "e"
    + '<tspan dy="-7" font-size="13">z</tspan><tspan dy="7">\u200b</tspan>'
)
_RIGHT = '⟨p, z⟩ + H(p) + <tspan font-style="normal">KL</tspan>(p ‖ <tspan font-style="normal">softmax</tspan> z)'


def wide(href) -> str:
    """Three regions above (M), three below."""
    width, pill, gap, column = 700, 108, 6, 239
    spokes, parts = [], []
    top_bottom, centre, bottom_top = 232, 268, 352
    for index, region in enumerate(REGIONS):
        row, col = divmod(index, 3)
        x = col * column
        mid = x + (2 * pill + gap) / 2
        rows = (len(region.places) + 1) // 2
        block = 52 + 36 * rows
        y = top_bottom - block if row == 0 else bottom_top + 28
        if row == 0:
            spokes.append(
                f'<path d="M350 {centre} C350 {centre - 22} {mid} {centre - 6} {mid} {top_bottom + 2}"/>'
            )
        else:
            spokes.append(
                f'<path d="M350 {centre + 47} C350 {bottom_top + 8} {mid} {bottom_top - 10} {mid} {bottom_top + 22}"/>'
            )
        parts.append(
            f'<text class="map-region" x="{mid}" y="{y + 14}" text-anchor="middle">{escape(region.title)}</text>'
        )
        parts.append(
            f'<text class="map-reading" x="{mid}" y="{y + 34}" text-anchor="middle">{escape(region.reading)}</text>'
        )
        for place, (text, name) in enumerate(region.places):
            r, c = divmod(place, 2)
            alone = place == len(region.places) - 1 and c == 0
            px = mid - pill / 2 if alone else x + c * (pill + gap)
            parts.append(_pill(px, y + 48 + 36 * r, pill, text, href(name)))
    body = (
        f'<g class="map-spokes">{"".join(spokes)}</g>'
        + _identity(350, centre, 430, [f"{_SUM} = {_RIGHT}"])
        + "".join(parts)
    )
    return _svg(
        "wide", width, bottom_top + 28 + 48 + 36 * 3, body, "map-wide"
    )


def narrow(href) -> str:
    """(M) on top, a trunk on the left, the regions along it."""
    width, pill, gap, left = 350, 156, 8, 24
    parts, branches = [], []
    y = 112
    for region in REGIONS:
        branches.append(
            f'<path d="M8 {y - 26} V{y + 4} Q8 {y + 9} 18 {y + 9}"/>'
        )
        parts.append(
            f'<text class="map-region" x="{left}" y="{y + 14}">{escape(region.title)}</text>'
        )
        parts.append(
            f'<text class="map-reading" x="{left}" y="{y + 34}">{escape(region.reading)}</text>'
        )
        for place, (text, name) in enumerate(region.places):
            r, c = divmod(place, 2)
            parts.append(
                _pill(
                    left + c * (pill + gap),
                    y + 46 + 36 * r,
                    pill,
                    text,
                    href(name),
                )
            )
        end = y + 46 + 36 * ((len(region.places) + 1) // 2) + 22
        if region is not REGIONS[-1]:
            branches.append(f'<path d="M8 {y} V{end}"/>')
        y = end
    body = (
        f'<g class="map-spokes">{"".join(branches)}</g>'
        + _identity(175, 4, 346, [f"{_SUM} =", _RIGHT])
        + "".join(parts)
    )
    return _svg("narrow", width, y, body, "map-narrow")


def visit_map(translator, node):
    builder = translator.builder
    here = builder.current_docname

    def href(name):
        docname = f"chapters/{name}"
        return (
            builder.get_relative_uri(here, docname)
            if docname in builder.env.found_docs
            else None
        )

    translator.body.append(
        '<figure class="loss-map-figure">' + wide(href) + narrow(href)
    )
    translator.body.append(
        "<figcaption>The losses around identity (M). A solid outline is a chapter you can open; a dashed one is planned.</figcaption></figure>"
    )


def depart_map(translator, node):
    pass
