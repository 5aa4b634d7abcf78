#!/usr/bin/env python3
"""What of the sources the tests have run: lines and branches, and the lines that nothing has run.

  report.py BUILD PROFILES [--all]

BUILD is a build directory by clang with -fprofile-instr-generate -fcoverage-mapping, PROFILES the directory
of what its programs have written (LLVM_PROFILE_FILE). Why a line is not run stands in the file `reasons`
beside this one; lines without a reason are listed (--all: those with one, too). It fails when fewer lines
were run than FLOOR: then tests were left out, or what counts is broken.

A line of reasons: a pattern of files, and a regular expression that is looked for in the line that was not
run or, for the lines of a run, in the four above its first; separated by two spaces or more.
Reasons are headings, in the lines with # above.
"""

import collections
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

FLOOR = 90.0  # percent of lines
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.dirname(os.path.dirname(HERE))


def exported(build, profiles):
    """What llvm-cov tells of each file of src: {"src/x.c": (lines, branches, segments)}."""
    raw = glob.glob(os.path.join(profiles, "*.profraw"))
    if not raw:
        sys.exit("no profiles in %s" % profiles)
    programs = [os.path.join(build, "src/beacond")]
    programs += [path for path in glob.glob(os.path.join(build, "tests/*/*"))
                 if os.access(path, os.X_OK) and os.path.isfile(path) and b"\x7fELF" == open(path, "rb").read(4)]
    with tempfile.TemporaryDirectory() as folder:
        merged = os.path.join(folder, "profile")
        subprocess.run([tool("llvm-profdata"), "merge", "-o", merged, *raw], check=True)
        objects = [word for program in programs[1:] for word in ("-object", program)]
        told = subprocess.run([tool("llvm-cov"), "export", programs[0], *objects, "-instr-profile=" + merged,
                               "-skip-functions"], check=True, stdout=subprocess.PIPE).stdout
    files = {}
    for file in json.loads(told)["data"][0]["files"]:
        name = os.path.relpath(os.path.join(build, file["filename"]), SOURCES)
        if name.startswith("src/") and name.endswith(".c"):
            summary = file["summary"]
            files[name] = (summary["lines"], summary["branches"], file["segments"])
    return files


def tool(name):
    """That of the clang which built it."""
    return subprocess.run(["clang", "-print-prog-name=" + name], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def not_run(segments):
    """The numbers of lines of which no part was run: as llvm-cov counts, a line has the greatest count of the
    regions that begin in it and of the one that goes on into it."""
    counts, wrapped = {}, None
    by_line = collections.defaultdict(list)
    for line, _, count, counted, entry, gap in segments:
        by_line[line].append((count, counted, entry and not gap))
    for line in range(min(by_line, default=1), max(by_line, default=0) + 1):
        here = by_line.get(line, ())
        entered = [count for count, counted, entry in here if entry and counted]
        if entered or wrapped is not None:
            counts[line] = max(entered + ([wrapped] if wrapped is not None else []))
        if here:
            count, counted, _ = here[-1]
            wrapped = count if counted else None
    return [line for line, count in counts.items() if count == 0]


def runs(lines):
    """[1, 2, 3, 7] are [(1, 3), (7, 7)]."""
    found = []
    for line in lines:
        if found and found[-1][1] == line - 1:
            found[-1] = (found[-1][0], line)
        else:
            found.append((line, line))
    return found


def reasons():
    """[(reason, pattern of files, expression)]"""
    found, heading, open_heading = [], "", False
    with open(os.path.join(HERE, "reasons"), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("#"):
                heading = (heading + " " if open_heading else "") + line.lstrip("# ")
                open_heading = True
            elif line:
                files, expression = re.split(r"  +", line, maxsplit=1)
                found.append((heading, files, re.compile(expression)))
                open_heading = False
    return found


def explained(known, name, text, first, last):
    for reason, files, expression in known:
        if fnmatch.fnmatch(name, files) and any(expression.search(line)
                                                for line in text[max(0, first - 5):last]):
            return reason
    return None


def percent(summary):
    count, covered = summary
    return "%5.1f %% of %5d" % (100.0 * covered / count if count else 100.0, count)


def main(build, profiles, everything):
    files, known = exported(build, profiles), reasons()
    rooms = collections.defaultdict(lambda: [[0, 0], [0, 0]])
    why, plain = collections.Counter(), []
    for name, (lines, branches, segments) in sorted(files.items()):
        for room in ("/".join(name.split("/")[:2]) if name.count("/") > 1 else "src", "all"):
            for kind, summary in enumerate((lines, branches)):
                rooms[room][kind][0] += summary["count"]
                rooms[room][kind][1] += summary["covered"]
        with open(os.path.join(SOURCES, name), encoding="utf-8") as file:
            text = file.read().split("\n")
        for first, last in runs(not_run(segments)):
            reason = explained(known, name, text, first, last)
            if reason is None or everything:
                plain.append("%s:%d-%d  %s%s" % (name, first, last, text[first - 1].strip(),
                                                 "  (%s)" % reason if reason else ""))
            why[reason] += last - first + 1
    for line in plain:
        print("not run: " + line)
    for reason, count in why.most_common():
        print("%5d lines not run: %s" % (count, reason or "no reason is known, listed above"))
    for room, (lines, branches) in sorted(rooms.items()):
        print("%-14s lines %s   branches %s" % (room, percent(lines), percent(branches)))
    count, covered = rooms["all"][0]
    if covered * 100.0 < FLOOR * count:
        sys.exit("fewer lines were run than %.0f %%" % FLOOR)


arguments = [word for word in sys.argv[1:] if word != "--all"]
if len(arguments) != 2:
    sys.exit(__doc__)
main(*arguments, "--all" in sys.argv)
