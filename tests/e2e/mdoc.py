"""The manual as data: its sections, lists and literal blocks, read from the mdoc source.

No formatter: what is asked for stands in the source as its author wrote it, a request a line."""

import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ("beacond.8", "beacond.conf.5", "beacond-schema.5", "beacond-protocol.7")


def source(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def literal(text):
    """What a reader sees of text in a literal block or behind a request."""
    return text.replace("\\&", "").replace("\\e", "\\")


class Item:
    """An item of a list: the words of its request, and what follows up to the next item."""

    def __init__(self, head, body):
        self.head, self.body = head, body

    def words(self):
        """Its head without markup: `Li at No INTEGER` is "at INTEGER"."""
        return " ".join(w for w in literal(self.head).split() if w not in ("Li", "No", "Pa", "Ic", "Fl", "Ar", "Ns",
                                                                         "Cm", "Ev", "Dv"))


class Section:
    """name: of the section; part: of the subsection, "" in front of the first."""

    def __init__(self, page, name, part, text):
        self.page, self.name, self.part, self.text = page, name, part, text

    def lists(self):
        """Each list as its items. Of one inside another the items belong to the outer item's body."""
        found, depth, items = [], 0, []
        for line in self.text.split("\n"):
            depth -= line.startswith(".El")
            if depth == 0 and line.startswith(".El"):
                found.append(items)
                items = []
            elif depth == 1 and re.match(r"\.It( |$)", line):
                items.append(Item(line[4:], ""))
            elif items:
                items[-1].body += line + "\n"
            depth += line.startswith(".Bl")
        return found

    def blocks(self):
        """The literal blocks, as a reader sees them."""
        return [literal(block) for block in re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", self.text, re.M)]


class Page:
    def __init__(self, name):
        self.name = name
        self.text = "\n".join(line for line in source("man", name).split("\n") if not line.startswith('.\\"'))
        self.sections, section = [], ""
        for kind, title, text in re.findall(r"^\.(S[hs]) (.*)\n((?:(?!\.S[hs] ).*\n?)*)", self.text, re.M):
            section = title if kind == "Sh" else section
            self.sections.append(Section(name, section, title if kind == "Ss" else "", text))

    def titles(self):
        return [section.part or section.name for section in self.sections]

    def section(self, title):
        """The section or subsection of that title; a section without its subsections."""
        found = [section for section in self.sections if title == (section.part or section.name)]
        assert len(found) == 1, "%d times %s in %s" % (len(found), title, self.name)
        return found[0]

    def parts(self, name):
        """The subsections of a section."""
        return [section for section in self.sections if section.name == name and section.part]


def routes():
    """Paths of the protocol page, each with its methods and the entry it stands in."""
    found = []
    for item in Page("beacond-protocol.7").section("ROUTES").lists()[0]:
        paths, methods = re.match(r"(.*) \(([A-Z, ]+)\)$", item.words()).groups()
        for path in paths.replace(" and all below", "").split(" , "):
            found.append((path.replace(" ", ""), set(methods.split(", ")), item.body))
    return found
