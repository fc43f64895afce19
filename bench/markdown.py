#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/markdown.py RUN.json: what throughput.sh has written, as tables for a document."""

import json
import sys

import aims
import report


def table(rows):
    """Rows of strings; the first is the heading."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines)


def ratio_rows(first, names, results):
    """The figures of `first` divided by those of others."""
    found = [[f"{first} divided by", *names]]
    for name, entry in results.items():
        cells = [report.spread(entry["ratios"][kind])
                 if entry["ratios"].get(kind, {}).get("values") else "–" for kind in names]
        if set(cells) != {"–"}:
            found.append([name, *cells])
    return found


def scenario(done):
    results = done["results"]
    there = [name for name in done["backends"]
             if any(name in entry["backends"] for entry in results.values())]
    others = [name for name in there
              if any(entry["ratios"].get(name, {}).get("values") for entry in results.values())]
    parts = [f"### {done['about'][0].upper()}{done['about'][1:]}",
             table(report.rows(there, results))]
    if others:
        # The generator is compared without chnet.
        first = "chnet" if "chnet" in there else there[0]
        parts.append(table(ratio_rows(first, others, results)))
    if all("workload" in entry for entry in results.values()):
        parts += [table(rows) for rows in (report.cpu_rows(there, results),
                                           report.load_rows(there, results)) if len(rows) > 1]
    return parts


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        run = json.load(file)
    parts = [f"{run['processor']}, {run['processors']} processors, kernel {run['kernel']}; "
             f"{run['repetitions']} repetitions of {run['seconds']:g} s, interleaved: "
             "median (lowest–highest).",
             table(aims.rows(run["scenarios"]))]
    for done in run["scenarios"].values():
        parts += scenario(done)
    print("\n\n".join(parts))


main()
