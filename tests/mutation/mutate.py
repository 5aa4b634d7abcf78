"""mutate.py: breaks the sources that the promises rest on in small ways, and shows whether the tests notice.

    make mutation [MUTATION='ARGUMENT…']        in a build directory; the arguments:

    --count N      how many mutants in all, spread over the files by their length (500)
    --seed N       which of them (1)
    --part WORD    only files whose part or path holds the word
    --no-e2e       unit tests alone
    --quick        the random unit tests play a fiftieth of their rounds: for a first look, --again for the rest
    --again        only those that survived the last run, whose verdicts are in mutation/results
    --resume       goes on with a run that was broken off, and asks again about what survived so far
    --asan         what survived the unit tests meets them as AddressSanitizer builds them, too

mutants.py makes them, plan.py says of which files and which tests have to notice, shop.py compiles and
runs. One that does not compile, or compiles to the same code, does not count. What survives must stand in
the file `survivors`, with the reason why it may, or this fails.
"""

import argparse
import collections
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mutants  # noqa: E402
import plan  # noqa: E402
from shop import Shop, Statements  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CAUGHT = ("failed", "endless", "hung")


def explained():
    """The mutants that may survive: (path, before, after) -> why. See the head of the file."""
    known, path, before, after = {}, None, None, None
    with open(os.path.join(HERE, "survivors"), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("#") or not line:
                continue
            if line.startswith("- "):
                before, after = " ".join(line[2:].split()), None
            elif line.startswith("+ "):
                after = " ".join(line[2:].split())
                known[path, before, after] = ""
            elif line.startswith("  "):
                known[path, before, after] += line.strip() + " "
            else:
                path = line
    return known


def candidates(path, text):
    if path.endswith(".sql"):
        return mutants.of_sql(path, text, plan.STATEMENTS)
    return mutants.of_c(path, text)


class Run:
    def __init__(self, arguments, shop):
        self.arguments, self.shop, self.known = arguments, shop, explained()
        self.statements = Statements(shop)
        self.sanitized, self.done = None, {}
        self.verdicts = collections.defaultdict(collections.Counter)

    def objects(self, path, text):
        """The objects of a mutant; None when it does not count."""
        if path.endswith(".sql"):
            return self.statements.objects(text) if self.statements.differs(text) else None
        if path.endswith(".h"):
            return self.shop.with_header(path, text)
        return [self.shop.place("mutant0.o")] if self.shop.differs(path, text) else None

    def unbroken(self, shop, test, ask):
        """A test's cost, which is told by running it once on what is not broken."""
        if test not in shop.costs and ask() != "":
            raise SystemExit("%s fails without any mutant" % test)

    def ask_units(self, shop, path, text, objects, units):
        for test in units:
            self.unbroken(shop, test, lambda: shop.unit(test))
            how = shop.unit(test, path, objects, text)
            if how:
                return how, test + (" (asan)" if shop.sanitized else "")
        return None

    def ask_asan(self, path, text, units):
        if self.sanitized is None:
            self.sanitized = Shop(self.shop.srcdir, self.shop.place("asan"), sanitized=True)
            self.sanitized.prepare()
        shop = self.sanitized
        if not path.endswith(".c") or not shop.compile(path, text, shop.place("mutant.o")):
            return None
        return self.ask_units(shop, path, text, [shop.place("mutant.o")], units)

    def ask_ends(self, objects, ends):
        for test in ends:
            self.unbroken(self.shop, test, lambda: self.shop.end_to_end(test, self.shop.program()))
            how = self.shop.end_to_end(test, self.shop.program(objects))
            if how:
                return how, test
        return None

    def judge(self, path, text, objects):
        _, units, ends = plan.of(path)
        got = self.ask_units(self.shop, path, text, objects, units)
        if got is None and self.arguments.asan:
            got = self.ask_asan(path, text, units)
        if got is None and not self.arguments.no_e2e:
            got = self.ask_ends(objects, ends)
        return got or ("survived", "-")

    def file(self, path, wanted, only):
        """Tries mutants of a file, in the order that the seed gives, until so many have counted."""
        text = self.shop.text(path)
        some = candidates(path, text)
        random.Random("%d %s" % (self.arguments.seed, path)).shuffle(some)
        tried = 0
        for mutant in some:
            if tried >= wanted:
                break
            before, after = mutants.whole_lines(text, mutant)
            if only is not None and (path, before, after) not in only:
                continue
            broken = text[:mutant.begin] + mutant.new + text[mutant.end:]
            why = self.known.get((path, before, after))
            if (path, before, after) in self.done:
                tried += 1
                how, test = self.done[path, before, after]
                self.verdicts[path][how] += 1
                self.tell(how, test, path, text.count("\n", 0, mutant.begin) + 1, before, after)
                continue
            objects = self.objects(path, broken)
            if objects is None:
                continue
            tried += 1
            how, test = ("explained", "-") if why is not None else self.judge(path, broken, objects)
            self.verdicts[path][how] += 1
            self.tell(how, test, path, text.count("\n", 0, mutant.begin) + 1, before, after)

    def tell(self, how, test, path, line, before, after):
        self.results.write("\t".join((how, test, path, str(line), before, after)) + "\n")
        self.results.flush()
        if how == "survived":
            print("survived: %s:%d\n- %s\n+ %s" % (path, line, before, after), flush=True)

    def table(self):
        print("%-36s %6s %6s %9s %10s" % ("", "tried", "caught", "survived", "explained"))
        total = collections.Counter()
        for path, counts in self.verdicts.items():
            row = collections.Counter(tried=sum(counts.values()), caught=sum(counts[how] for how in CAUGHT),
                                      survived=counts["survived"], explained=counts["explained"])
            total.update(row)
            print("%-36s %6d %6d %9d %10d" % (path, row["tried"], row["caught"], row["survived"], row["explained"]))
        print("%-36s %6d %6d %9d %10d" % ("all", total["tried"], total["caught"], total["survived"],
                                          total["explained"]))
        return total["survived"]


def wanted_of(shop, paths, count):
    """How many of each file: by the number of its candidates, but not fewer than six."""
    sizes = {path: len(candidates(path, shop.text(path))) for path in paths}
    every = sum(sizes.values())
    return {path: max(6, round(count * size / every)) for path, size in sizes.items()}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="")
    parser.add_argument("--no-e2e", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--asan", action="store_true")
    arguments = parser.parse_args()
    began, work = time.monotonic(), os.path.abspath(os.environ.get("MUTATION_WORK", "mutation"))
    shop = Shop(os.environ.get("srcdir", "."), work)
    shop.prepare()
    if arguments.quick:
        os.environ["BEACOND_SLOW"] = "1"
    wanted = wanted_of(shop, plan.files(), arguments.count)
    results, only = os.path.join(work, "results"), None
    if arguments.again:
        with open(results, encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        only = {(row[2], row[4], row[5]) for row in rows if row[0] == "survived"}
    run = Run(arguments, shop)
    if arguments.resume:
        with open(results + ".new", encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        run.done = {(row[2], row[4], row[5]): (row[0], row[1]) for row in rows if row[0] in CAUGHT}
    with open(results + ".new", "w", encoding="utf-8") as run.results:
        for path in wanted:
            if re.search(arguments.part, plan.of(path)[0] + " " + path):
                run.file(path, wanted[path], only)
    os.replace(results + ".new", results)
    survived = run.table()
    print("seed %d, %d s" % (arguments.seed, time.monotonic() - began))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
