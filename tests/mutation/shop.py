"""shop.py: compiles, links and runs what mutate.py asks for, in a folder of its own.

A Shop has every object of src/ in an archive. A mutant is one more object, which the linker meets first
and so takes instead of the archive's. Objects are compared as compiled with -O2 and without debug
information: a mutant whose code is the same is the same program.
"""

import os
import re
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

# As contrib/test compiles: what a warning gives away reaches no test.
STRICT = ["-Wall", "-Wextra", "-Werror"]
MOST_MEMORY = 4 << 30
# Sources that tests include, compiled otherwise: a mutant is another program when it is one there.
VARIANTS = {path: ["-DSCAN_PORTABLE=1"] for path in
            ("src/contract/scan.c", "src/contract/scan_string.c", "src/contract/scan_value.c")}


class Shop:
    """sanitized: as AddressSanitizer's build."""

    def __init__(self, srcdir, work, sanitized=False):
        self.srcdir, self.work, self.sanitized = os.path.abspath(srcdir), os.path.abspath(work), sanitized
        self.compiler = shlex.split(os.environ.get("TEST_CC", "cc"))
        self.flags = ["-std=gnu11", "-O2", "-g0", "-pthread"] + STRICT
        if sanitized:
            self.flags = ["-std=gnu11", "-O1", "-g", "-pthread", "-fsanitize=address,undefined",
                          "-fno-sanitize-recover=all"] + STRICT
        self.cppflags = shlex.split(os.environ["TEST_CPPFLAGS"])
        self.libraries = shlex.split(os.environ["TEST_LIBS"])
        self.wraps = {"check_memory": shlex.split(os.environ.get("TEST_MEMORY_WRAPS", ""))}
        self.costs, self.unbroken = {}, {}
        os.makedirs(os.path.join(self.work, "objects"), exist_ok=True)

    def place(self, *name):
        return os.path.join(self.work, *name)

    def text(self, path):
        with open(os.path.join(self.srcdir, path), encoding="utf-8") as file:
            return file.read()

    def compile(self, path, text, out, extra=()):
        """Whether that text compiles as that file. __FILE__ and __LINE__ are the file's."""
        command = self.compiler + self.flags + list(extra) + self.cppflags + ["-c", "-x", "c", "-o", out, "-"]
        return subprocess.run(command, input='# 1 "%s"\n%s' % (path, text), text=True, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def prepare(self):
        """The archive of all objects but main's. What is newer than all that it could be made of stays."""
        newest = max(os.path.getmtime(name) for name in self.headers())
        archive = self.place("beacond.a")
        if os.path.exists(archive):
            os.unlink(archive)
        objects = []
        for path in self.sources():
            out = self.object_of(path)
            made = os.path.getmtime(out) if os.path.exists(out) else 0
            if made < max(newest, os.path.getmtime(os.path.join(self.srcdir, path))) and \
                    not self.compile(path, self.text(path), out):
                raise SystemExit("%s does not compile" % path)
            if path != "src/main.c":
                objects.append(out)
        subprocess.run(["ar", "rcs", archive] + objects, check=True)

    def headers(self):
        """What an object may depend on besides its source: headers, and what the compiler is told."""
        told, words = self.place("flags"), " ".join(self.compiler + self.flags + self.cppflags)
        if not os.path.exists(told) or open(told, encoding="utf-8").read() != words:
            with open(told, "w", encoding="utf-8") as file:
                file.write(words)
        yield told
        roots = [os.path.join(self.srcdir, "src")] + \
            [flag[2:] for flag in self.cppflags if flag.startswith("-I") and not flag.startswith("-I/usr")]
        for root in roots:
            for folder, _, names in os.walk(root):
                yield from (os.path.join(folder, name) for name in names if name.endswith(".h"))

    def object_of(self, path):
        return self.place("objects", path.replace("/", "_") + ".o")

    def differs(self, path, text):
        """None: no program; False: the same. What it is by default is in mutant0.o."""
        changed = False
        for extra in [], VARIANTS.get(path):
            if extra is None:
                break
            now = self.place("mutant%d.o" % len(extra))
            if not self.compile(path, text, now, extra):
                return None
            with open(now, "rb") as file:
                changed = changed or file.read() != self.as_it_was(path, extra)
        return changed

    def with_header(self, path, text):
        """A header's mutant: the objects of all that include it. None: no program, or the same."""
        made, changed, folder = [], False, self.mutated(path, text)
        for user in self.sources():
            if '#include "%s"' % path[len("src/"):] not in self.text(user):
                continue
            made.append(self.place("mutant_%s.o" % os.path.basename(user)))
            for extra in [VARIANTS[user], []] if user in VARIANTS else [[]]:
                if not self.compile(user, self.text(user), made[-1], ["-I" + folder] + extra):
                    shutil.rmtree(folder)
                    return None
                with open(made[-1], "rb") as file:
                    changed = changed or file.read() != self.as_it_was(user, extra)
        shutil.rmtree(folder)
        return made if changed else None

    def as_it_was(self, path, extra):
        """The object of an unbroken source."""
        if (path, *extra) not in self.unbroken:
            was = self.place("was.o")
            self.compile(path, self.text(path), was, extra)
            with open(was, "rb") as file:
                self.unbroken[path, *extra] = file.read()
        return self.unbroken[path, *extra]

    def sources(self):
        for folder, _, names in sorted(os.walk(os.path.join(self.srcdir, "src"))):
            for name in sorted(names):
                if name.endswith(".c"):
                    yield os.path.relpath(os.path.join(folder, name), self.srcdir)

    def mutated(self, path, text):
        """A folder that holds a mutant where an #include looks for it."""
        out = self.place("mutated", path[len("src/"):])
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(out, "w", encoding="utf-8") as file:
            file.write(text)
        return self.place("mutated")

    def link(self, test, source, objects, extra=()):
        out = self.place(test)
        command = self.compiler + self.flags + list(extra) + self.cppflags + \
            ["-I" + os.path.join(self.srcdir, "tests/unit"), "-o", out] + self.wraps.get(test, []) + \
            source + objects + [self.place("beacond.a")] + self.libraries
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise SystemExit("%s can't be linked: %s" % (test, done.stdout))
        return out

    def test_object(self, test):
        out = self.place("objects", test + ".o")
        if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(self.test_source(test)):
            command = self.compiler + self.flags + self.cppflags + \
                ["-I" + os.path.join(self.srcdir, "tests/unit"), "-c", "-o", out, self.test_source(test)]
            subprocess.run(command, check=True)
        return out

    def test_source(self, test):
        return os.path.join(self.srcdir, "tests/unit", test + ".c")

    def unit(self, test, path=None, objects=(), text=None):
        """How a unit test ends with those objects in the archive's place: "" well, else why not."""
        with open(self.test_source(test), encoding="utf-8") as file:
            includes = re.findall(r'#include "([\w/]+\.c)"', file.read())
        # What the test has itself the linker can't take twice.
        own = ["mutant_" + os.path.basename(name) + ".o" for name in includes]
        others = [name for name in objects if os.path.basename(name) not in own]
        if path is not None and path[len("src/"):] in includes:
            others = []
        elif not (includes and path is not None and path.endswith(".h")):
            path = None
        if path is not None:
            folder = self.mutated(path, text)
            program = self.link(test, [self.test_source(test)], others, ["-I" + folder])
            shutil.rmtree(folder)
        else:
            program = self.link(test, [self.test_object(test)], others)
        return self.run(test, [program], 5, 5)

    def program(self, objects=()):
        return self.link("beacond", [self.object_of("src/main.c")], list(objects))

    def end_to_end(self, test, program):
        script = os.path.join(self.srcdir, "tests/e2e", test + ".py")
        return self.run(test, [os.environ.get("PYTHON", "python3"), script], 60, 4, BEACOND=program)

    def run(self, name, command, least, times, **more):
        """How it ends. What takes many times the processor time that it takes unbroken is ended."""
        known = self.costs.get(name)
        limit = 1800 if known is None else least + times * known[0]
        patience = 3600 if known is None else 120 + 2 * least + 4 * times * known[1]
        scratch = tempfile.mkdtemp(prefix="beacond-mutation-")
        os.chmod(scratch, 0o711) # some tests go in as nobody
        env = dict(os.environ, CK_FORK="no", TMPDIR=scratch, srcdir=self.srcdir, PYTHONDONTWRITEBYTECODE="1",
                   PYTHONPATH=os.path.join(self.srcdir, "tests/e2e"), **more)

        def bounds():
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 3))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if not self.sanitized:
                resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        child = subprocess.Popen(command, cwd=scratch, env=env, preexec_fn=bounds, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = child.wait(patience)
            how = "" if code == 0 else "endless" if -code == signal.SIGXCPU else "failed"
        except subprocess.TimeoutExpired:
            how = "hung"
        try: # what it has left behind
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if known is None and how == "":
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self.costs[name] = used, time.monotonic() - began
        shutil.rmtree(scratch, ignore_errors=True)
        return how


class Statements:
    """sql/statements.sql: what is no SQL, or the same to SQLite, and the header made of the rest."""

    def __init__(self, shop):
        self.shop = shop
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(shop.text("sql/0001-schema.sql"))

    def explained(self, text):
        """What SQLite makes of every statement; None if it is not SQL."""
        listing = []
        for match in re.finditer(r"^-- @(\w+)\n(.*?)(?=^-- @|\Z)", text, re.M | re.S):
            sql = re.sub(r"^\s*--.*$", "", match.group(2), flags=re.M)
            if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql) or "known" in match.group(1):
                continue
            try:
                names = {name: None for name in re.findall(r":(\w+)", sql)}
                listing.append(self.db.execute("EXPLAIN " + sql, names).fetchall())
            except sqlite3.Error as error:
                listing.append(str(error))
        return listing

    def differs(self, text):
        was, now = self.explained(self.shop.text("sql/statements.sql")), self.explained(text)
        changed = [new for old, new in zip(was, now) if old != new]
        if any(isinstance(new, str) for new in changed):
            return None
        return bool(changed)

    def objects(self, text):
        """All that sees the header, compiled anew."""
        shop, folder = self.shop, self.shop.place("mutated")
        os.makedirs(os.path.join(folder, "sql/queries"), exist_ok=True)
        os.makedirs(os.path.join(folder, "store/sqlite"), exist_ok=True)
        with open(os.path.join(folder, "sql/statements.sql"), "w", encoding="utf-8") as file:
            file.write(text)
        names = shlex.split(os.environ["TEST_SQL"])
        files = [os.path.join(folder, name) if name.endswith("statements.sql") else
                 os.path.join(shop.srcdir, name) for name in names]
        with open(os.path.join(folder, "store/sqlite/sql.h"), "w", encoding="utf-8") as file:
            subprocess.run(["awk", "-f", os.path.join(shop.srcdir, "sql/embed.awk")] + files, stdout=file, check=True)
        made = []
        for folder_, _, some in sorted(os.walk(os.path.join(shop.srcdir, "src/store/sqlite"))):
            for name in sorted(some):
                path = os.path.relpath(os.path.join(folder_, name), shop.srcdir)
                if name.endswith(".c") and re.search(r"\bSQL_[A-Z]|sql_(text|migrations|views|queries)",
                                                     shop.text(path)):
                    out = shop.place("mutant_" + name + ".o")
                    if not shop.compile(path, shop.text(path), out, ["-I" + folder]):
                        raise SystemExit("%s does not compile with the mutant's header" % path)
                    made.append(out)
        shutil.rmtree(folder)
        return made
