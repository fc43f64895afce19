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
    values = [a / b for a, b in zip(ours["values"], theirs["values"]) if b]
    return summary(values) if values else {"values": []}


def number(value):
    """Three significant digits."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def spread(entry):
    if len(entry["values"]) == 1:
        return number(entry["median"])
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


# ---- of answers: {workload: {back end: [answers]}}

_KEPT = ("idle_percent", "backend_cpu_percent", "worker_cpu_percent", "generator_cpu_percent",
         "stolen_percent", "wire_cpu_percent", "client_cpu_percent", "server_cpu_percent",
         "retransmits", "wrong", "foreign", "lost")


def _figure(runs, field):
    figure = summary([one[field] for one in runs])
    for more in _KEPT:
        values = [one[more] for one in runs if more in one]
        if values:
            figure[more] = summary(values)
    return figure


def summarise(scenario, answers):
    """{name: {unit, backends: {name: summary}, ratios: {name: summary}}}; chnet's figures divided by
    those of each other back end."""
    result = {}
    for workload in scenario.workloads:
        for field in workload.fields if workload.name in answers else ():
            runs = answers[workload.name]
            there = {kind.name: _figure(runs[kind.name], field)
                     for kind in scenario.kinds if kind.name in runs}
            ratios = {kind: ratio(there["chnet"], figure) for kind, figure in there.items()
                      if kind != "chnet" and "chnet" in there}
            result[workload.label(field)] = {"workload": workload.name, "unit": workload.unit,
                                             "backends": there, "ratios": ratios}
    return result


def summarise_rest(figures):
    """The same of {back end: [{name: figure}]}."""
    result = {}
    for kind, runs in figures.items():
        for name in runs[0]:
            entry = result.setdefault(name, {"unit": "", "backends": {}, "ratios": {}})
            entry["backends"][kind] = summary([one[name] for one in runs])
    return result


def rows(kinds, results):
    """Of the table of figures."""
    found = [["median (lowest–highest)", *kinds]]
    for name, entry in results.items():
        there = entry["backends"]
        label = f"{name}, {entry['unit']}" if entry["unit"] else name
        found.append([label, *(spread(there[kind]) if kind in there else "–" for kind in kinds)])
    return found


def show(scenario, kinds, results, stream):
    """The figures, then chnet's divided by those of others, measured one right after the other."""
    table(rows([kind.name for kind in kinds], results), stream)
    others = [kind.name for kind in kinds if kind.name != "chnet"]
    if len(others) == len(kinds) or not others:
        return
    found = [["chnet divided by", *others]]
    for name, entry in results.items():
        found.append([name, *(spread(entry["ratios"][kind]) if entry["ratios"].get(kind, {}).get(
            "values") else "–" for kind in others)])
    print(file=stream)
    table(found, stream)
    print(file=stream)
    names = [kind.name for kind in kinds]
    table(cpu_rows(names, results), stream)
    load = load_rows(names, results)
    if len(load) > 1:
        print(file=stream)
        table(load, stream)


def _load(figure):
    """What was busy on the other processor, in percent of it."""
    if "idle_percent" in figure:
        return f"generator {number(100 - figure['idle_percent']['median'])}"
    parts = [f"{name} {number(figure[key]['median'])}" for name, key in (
        ("client", "client_cpu_percent"), ("server", "server_cpu_percent"),
        ("wire", "wire_cpu_percent")) if key in figure]
    return ", ".join(parts) or "–"


def load_rows(names, results):
    """What loaded the other processor; one line for each workload that fills it."""
    found = {}
    for entry in results.values():
        cells = [_load(entry["backends"][name]) if name in entry["backends"] else "–"
                 for name in names]
        if any(cell != "–" for cell in cells):
            found.setdefault(entry["workload"], cells)
    return [["the other processor, % of it", *names],
            *([name, *cells] for name, cells in found.items())]


def cpu_rows(names, results):
    """What the back ends' own threads took; one line for each workload."""
    there = [name for name in names if any(
        "backend_cpu_percent" in entry["backends"].get(name, {}) for entry in results.values())]
    found = {}
    for entry in results.values():
        cells = [entry["backends"].get(kind, {}).get("backend_cpu_percent") for kind in there]
        found.setdefault(entry["workload"], [spread(cell) if cell else "–" for cell in cells])
    return [["processor time, % of a core", *there],
            *([name, *cells] for name, cells in found.items())]


def faults(results):
    """What must not be, whatever the speed."""
    found = []
    for name, entry in results.items():
        for kind, figure in entry["backends"].items():
            if figure.get("wrong", {}).get("high", 0):
                found.append(f"{kind}, {name}: frames came wrong, untranslated or out of order")
            if figure.get("lost", {}).get("high", 0):
                found.append(f"{kind}, {name}: frames or round trips were lost")
            if "workload" in entry and not figure["low"] > 0:
                found.append(f"{kind}, {name}: nothing arrived")
    return found


_LIMIT = "the generator was idle for less than a tenth of the time, and may have been the limit"
_OTHERS = "others took its processor, so this is not its best"


def starved(figure):
    """Whether a back end that polls got less than its processor in some repetition."""
    return figure.get("backend_cpu_percent", {}).get("low", 100) < 80


def warn(kinds, results, stream):
    """What would make the figures doubtful; of each line of the tables who it is about."""
    polling = {kind.name for kind in kinds if kind.polls}
    doubts = {_LIMIT: {}, _OTHERS: {}}
    for fault in faults(results):
        print(f"  {fault}", file=stream)
    for entry in results.values():
        for kind, figure in entry["backends"].items():
            where = entry.get("workload", "")
            if kind != "limit-generator" and figure.get("idle_percent", {}).get("low", 100) < 10:
                doubts[_LIMIT].setdefault(where, {})[kind] = None
            if kind in polling and starved(figure):
                doubts[_OTHERS].setdefault(where, {})[kind] = None
    for why, about in doubts.items():
        if about:
            print(f"  {why}:", file=stream)
        for where, names in about.items():
            print(f"    {where}: {', '.join(names)}", file=stream)
