"""Reads what Prometheus would read, more strictly: the text format 0.0.4, and each of its rules."""

import math
import re

from harness import equal

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
KINDS = ("counter", "gauge", "histogram")


class Bad(AssertionError):
    """What Prometheus would misread, or not read at all."""


def demand(fact, what):
    if not fact:
        raise Bad(what)


def number(text):
    """A Go float as the format has it."""
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text)
    demand(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]{2,3})?", text), "number %r" % text)
    return float(text)


def labels(text):
    """`a="b",c="d"` → a tuple of pairs, in its order."""
    found, at = [], 0
    while at < len(text):
        match = re.compile(r'(%s)="((?:[^"\\\n]|\\["\\n])*)"(,|$)' % LABEL).match(text, at)
        demand(match, "labels %r" % text)
        demand(match.group(3) == "" or match.end() < len(text), "a comma at the end of %r" % text)
        value = re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), match.group(2))
        demand(not match.group(1).startswith("__"), "a label of Prometheus' own in %r" % text)
        found.append((match.group(1), value))
        at = match.end()
    names = [name for name, _ in found]
    demand(len(set(names)) == len(names), "a label twice in %r" % text)
    return tuple(found)


class Family:
    def __init__(self, name, kind, help):
        self.name, self.kind, self.help = name, kind, help
        self.samples = {}  # (name, labels) → value, in the order they came

    def names(self):
        return [self.name + s for s in ("_bucket", "_sum", "_count")] if self.kind == "histogram" else [self.name]

    def add(self, name, pairs, value):
        demand(name in self.names(), "a sample %s in the family %s" % (name, self.name))
        key = (name, tuple(sorted(pairs)))
        demand(key not in self.samples, "the series %s %s twice" % key)
        self.samples[key] = value

    def check(self):
        demand(self.samples or self.kind == "counter", "%s has no sample" % self.name)
        if self.kind == "counter":
            demand(self.name.endswith("_total"), "the counter %s does not end in _total" % self.name)
            for key, value in self.samples.items():
                demand(value >= 0 and not math.isinf(value), "counter %s %s" % (key, value))
        else:
            demand(not re.search(r"_(total|count|sum|bucket)$", self.name), "the name %s" % self.name)
        if self.kind == "histogram":
            self.check_histogram()

    def check_histogram(self):
        groups = {}
        for (name, pairs), value in self.samples.items():
            rest = tuple(p for p in pairs if p[0] != "le")
            part = name[len(self.name):]
            demand((part == "_bucket") == (rest != pairs), "le at %s %s" % (name, pairs))
            group = groups.setdefault(rest, {"_bucket": []})
            if part == "_bucket":
                group[part].append((number(dict(pairs)["le"]), value))
            else:
                group[part] = value
        for rest, group in groups.items():
            bounds = [bound for bound, _ in group["_bucket"]]
            counts = [count for _, count in group["_bucket"]]
            demand(bounds == sorted(set(bounds)), "%s %s: bounds %s" % (self.name, rest, bounds))
            demand(bounds and bounds[-1] == math.inf, "%s %s: no +Inf" % (self.name, rest))
            demand(counts == sorted(counts), "%s %s: buckets go down: %s" % (self.name, rest, counts))
            demand(group.get("_count") == counts[-1], "%s %s: _count is not +Inf" % (self.name, rest))
            demand(group.get("_sum", -1) >= 0, "%s %s: no _sum" % (self.name, rest))


def parse(body):
    """An exposition (bytes) → families by name. Bad says what is wrong with it."""
    text = body.decode("utf-8")
    demand(text.endswith("\n"), "the last line has no end")
    families, family, help = {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            match = re.fullmatch(r"# HELP (%s) ((?:[^\\]|\\[\\n])+)" % NAME, line)
            demand(match and help is None, line)
            demand(match.group(1) not in families, "HELP twice: " + line)
            help = match.groups()
        elif line.startswith("# TYPE "):
            match = re.fullmatch(r"# TYPE (%s) (\w+)" % NAME, line)
            demand(match and help and match.group(1) == help[0] and match.group(2) in KINDS, line)
            family = families[help[0]] = Family(help[0], match.group(2), help[1])
            help = None
        else:
            match = re.fullmatch(r"(%s)(?:\{(.+)\})? (\S+)" % NAME, line)
            demand(match and help is None and family, "line %r" % line)
            family.add(match.group(1), labels(match.group(2) or ""), number(match.group(3)))
    demand(help is None, "HELP without TYPE at the end")
    for family in families.values():
        family.check()
    return families


def flat(families):
    """Series as text, `name{a="b"}` with its labels sorted → value."""
    shown = {}
    for family in families.values():
        for (name, pairs), value in family.samples.items():
            inside = ",".join('%s="%s"' % pair for pair in pairs)
            shown[name + ("{%s}" % inside if inside else "")] = value
    return shown


def no_less(before, after):
    """No counter, and nothing of a histogram, has gone down or away."""
    for name, family in before.items():
        if family.kind == "gauge":
            continue
        for key, value in family.samples.items():
            demand(after[name].samples.get(key, -1) >= value, "%s %s went down" % key)


class Scraper:
    """Asks admin-listen on one connection, so that it moves nothing but its own count."""

    def __init__(self, daemon, address):
        self.connection, self.last = daemon.connection(address), {}

    def families(self):
        answer = self.connection.request("GET", "/metrics")
        equal(answer.status, 200)
        equal(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
        families = parse(answer.body)
        no_less(self.last, families)
        self.last = families
        return families

    def __call__(self):
        return flat(self.families())

    def moved(self, before):
        """What has become of the series of counters and histograms since: those that differ, by how
        much. The buckets of histograms are told by _count alone."""
        now, found = self(), {}
        for name, value in now.items():
            family = re.match(NAME, name).group()
            kind = self.last.get(family)
            if (kind is None or kind.kind == "counter") and "_bucket" not in family and value != before.get(name, 0):
                found[name] = value - before.get(name, 0)
        return found
