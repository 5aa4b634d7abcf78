#!/usr/bin/env python3
"""`beacond default-config`: a file with every option, which is right as it is, and with any of its lines
uncommented."""

import os
import re

from harness import DATA, Rows, case, directory, equal, main, run

# Uncommented alone these are refused, and say why.
REFUSED = {
    "key": "a key has 1 to 256 characters",  # the example has none: nobody's should be that of an example
    "tls-cert": "expected both or neither",
    "tls-key": "expected both or neither",
    "admin-host": "there is no admin-listen",
    "key-file": "No such file",
    "dashboard": "No such file",
    "trusted-proxy": "proxy-header",
}


def _text():
    done = run("default-config")
    equal((done.returncode, done.stderr), (0, b""))
    return done.stdout.decode()


def _check(text):
    path = os.path.join(directory(), "beacond.conf")
    with open(path, "w") as file:
        file.write(text)
    return run("check-config", "--config", path)


def _manual():
    """The sections of beacond.conf(5) with their options."""
    path = os.path.join(os.path.dirname(os.path.dirname(DATA)), "man", "beacond.conf.5")
    sections, title = {}, None
    with open(path) as file:
        for line in file:
            if match := re.match(r"\.Sh (.*)", line):
                title = match.group(1)
            elif match := re.match(r"\.It Ic ([a-z-]+) No =", line):
                sections.setdefault(title, []).append(match.group(1))
    return sections


@case
def it_is_right_as_it_is():
    done = _check(_text())
    equal(done.returncode, 0, done.stderr)
    assert b"\ndatabase /var/lib/beacond/beacond.db\n" in done.stdout, done.stdout
    # Nothing else differs from the defaults.
    equal([line for line in _text().splitlines() if line and not line.startswith("#")],
          ["database = /var/lib/beacond/beacond.db"])


@case
def every_line_can_be_uncommented():
    rows, seen = Rows(), set()
    for match in re.finditer(r"^# ([a-z-]+) = (.*)$", _text(), re.M):
        name = match.group(1)
        seen.add(name)
        text = _text()[:match.start()] + match.group(0)[2:] + _text()[match.end():]
        with rows(name):
            done = _check(text)
            if name in REFUSED:
                equal(done.returncode, 78, done.stdout)
                assert REFUSED[name] in done.stderr.decode(), done.stderr
            else:
                equal(done.returncode, 0, done.stderr)
    rows.check()
    assert len(seen) > 40 and set(REFUSED) <= seen, seen


@case
def it_has_every_option_once_with_its_help_and_default_in_the_groups_of_the_manual():
    table = dict(re.findall(r"^  --([a-z-]+).*\n      (.*)$", run("--help").stdout.decode(), re.M))
    del table["config"]
    found, sections = {}, {}
    for part in _text().split("\n# ---- ")[1:]:
        title, rest = part.split(" ----\n", 1)
        for text in rest.strip().split("\n\n"):
            lines = text.splitlines()
            name, value = re.fullmatch(r"(?:# )?([a-z-]+) = (.*)", lines[-1]).groups()
            assert name not in found, name
            found[name] = (lines[0], value)
            sections.setdefault(title.upper(), []).append(name)
    equal(sorted(found), sorted(table))
    for name, (helped, value) in found.items():
        told, fallback = re.fullmatch(r"(.*?)(?: \(default ([^)]*)\))?", table[name]).groups()
        equal(helped.replace(" (needs a restart)", ""), "# " + told, name)
        if fallback is not None and name != "database":
            equal(value, fallback, name)
    equal({title: sorted(names) for title, names in sections.items()},
          {title: sorted(names) for title, names in _manual().items()})


@case
def it_needs_neither_configuration_nor_environment():
    equal(run("default-config", env={"BEACOND_CONFIG": "/nowhere", "BEACOND_MAX_BODY": "x"}).stdout.decode(), _text())
    equal(run("default-config", "--database", "x").returncode, 2)
    equal(run("default-config", "x").returncode, 2)


main()
