#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""make.py PROGRAM VERSION FRAME: a manual page on standard output.

Verbs, options and examples are taken from the program's own --help, so that the page cannot say
anything else; the file FRAME has the rest of the text, with a line `@verbs` or `@options` where they
belong.
"""
import re
import subprocess
import sys


def helped(*command):
    return subprocess.run([*command, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.splitlines()


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def sections(lines):
    """(text before the first heading, {heading: its lines})."""
    found, name = {"": []}, ""
    for line in lines:
        heading = re.fullmatch(r"([A-Z][a-z]+):", line)
        if heading:
            name = heading[1]
            found[name] = []
        else:
            found[name].append(line)
    return found


def entries(lines):
    """[(what, [text])] of a list in which what is explained begins at column 2."""
    found = []
    for line in lines:
        if re.match(r"  \S", line):
            what, text = _split(line)
            found.append((what, [text] if text else []))
        elif line.strip() and found:
            found[-1][1].append(line.strip())
    return found


def _split(line):
    """(what, text): two blanks or column 26 stand between them."""
    body = line[2:]
    match = re.search(r"\s{2,}", body)
    if match:
        return body[:match.start()], body[match.end():]
    if len(line) > 26 and line[25] == " ":
        return line[2:25].strip(), line[26:]
    return body.strip(), ""


def options(lines):
    for what, text in entries(lines):
        print(f".TP\n.B {escape(what)}")
        print(escape(" ".join(text)))


def verb(program, words):
    lines = helped(program, *words)
    found = sections(lines)
    if "Verbs" in found:
        for what, _ in entries(found["Verbs"]):
            verb(program, [*words, what])
        return
    usage = found[""][0].removeprefix("Usage: ")
    print(f".SS {escape(usage)}")
    for line in found[""][1:]:
        print(escape(line) if line else ".PP")
    options(found.get("Options", []))
    if "Examples" in found:
        print(".PP\nExamples:\n.PP\n.nf")
        for line in found["Examples"]:
            print(escape(line))
        print(".fi")


def main(program, version, frame):
    with open(frame, encoding="utf-8") as text:
        for line in text.read().splitlines():
            if line == "@verbs":
                for what, _ in entries(sections(helped(program))["Verbs"]):
                    verb(program, [what])
            elif line == "@options":
                # The list ends with the first empty line behind the first option.
                lines, body = helped(program), []
                for shown in lines:
                    if re.match(r"  --", shown) or (body and shown.startswith("    ")):
                        body.append(shown)
                    elif body and not shown.strip():
                        break
                options(body)
            elif not line.startswith('.\\"'):
                print(line.replace("@version", version))


if __name__ == "__main__":
    main(*sys.argv[1:])
