# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a run as one SVG file: a panel for each line of the tables, in it a bar for each
back end (the median) with a line from the lowest to the highest. Each panel has its own scale, which
begins at zero."""

from xml.sax.saxutils import escape

import report

COLUMNS, WIDTH, GAP = 3, 420, 24
BAR, TITLE, HEADING = 16, 26, 40
LABEL, VALUE = 104, 130  # room for the name before a bar and the figures behind it
OURS, OTHERS, LIMITS = "#c8501e", "#5b7ea4", "#b9bec4"


def _colour(name):
    if name.startswith(("chnet", "against")):
        return OURS
    return LIMITS if name.startswith("limit") else OTHERS


def _text(x, y, text, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _bar(x, y, name, figure, scale):
    middle = y + BAR / 2
    low, median, high = (x + LABEL + figure[key] * scale for key in ("low", "median", "high"))
    return [
        _text(x + LABEL - 6, middle + 4, name, 'text-anchor="end"'),
        f'<rect x="{x + LABEL:.1f}" y="{y + 2:.1f}" width="{max(0, median - x - LABEL):.1f}" '
        f'height="{BAR - 4}" fill="{_colour(name)}"/>',
        f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 3:.1f}v6'
        f'M{high:.1f} {middle - 3:.1f}v6" stroke="#222" fill="none"/>',
        _text(high + 6, middle + 4, report.spread(figure), 'fill="#444"')]


def _panel(x, y, name, entry):
    there = {kind: figure for kind, figure in entry["backends"].items() if figure["values"]}
    top = max((figure["high"] for figure in there.values()), default=0) or 1
    scale = (WIDTH - LABEL - VALUE) / top
    title = f"{name}, {entry['unit']}" if entry["unit"] else name
    parts = [_text(x, y + 14, title, 'font-weight="bold"')]
    for index, (kind, figure) in enumerate(there.items()):
        parts += _bar(x, y + TITLE - 6 + index * BAR, kind, figure, scale)
    return parts


def _panel_height(entry):
    return TITLE + len(entry["backends"]) * BAR + 10


def svg(scenarios, caption):
    """The whole file, of {name: {about, results}}."""
    parts, y = [], 34
    for scenario in scenarios.values():
        parts.append(_text(GAP, y + 22, scenario["about"], 'font-size="15"'))
        y += HEADING
        entries = list(scenario["results"].items())
        for first in range(0, len(entries), COLUMNS):
            row = entries[first:first + COLUMNS]
            for column, (name, entry) in enumerate(row):
                parts += _panel(GAP + column * (WIDTH + GAP), y, name, entry)
            y += max(_panel_height(entry) for _, entry in row)
    width = GAP + COLUMNS * (WIDTH + GAP)
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + GAP}" '
            'font-family="sans-serif" font-size="11">')
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>',
                      _text(GAP, 24, caption, 'fill="#444"'), *parts, "</svg>", ""])
