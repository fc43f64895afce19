# SPDX-License-Identifier: BSD-3-Clause
"""Medians, spreads, the table on the terminal and the JSON file."""

import json
import os
import platform
import statistics


def summary(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values),
            "values": values}


def ratio(ours, theirs):
    """Of values that were measured one right after the other."""
    return summary([a / b for a, b in zip(ours["values"], theirs["values"]) if b])


def number(value):
    """Three significant digits."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def spread(entry):
    return f"{number(entry['median'])} ({number(entry['low'])}–{number(entry['high'])})"


def table(rows, stream):
    """Rows of strings; the first is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip(), file=stream)
        if index == 0:
            print("  " + "  ".join("-" * width for width in widths), file=stream)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def write_json(path, result):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
        file.write("\n")
