#!/usr/bin/env python3
"""`beacond completion`, in the shells themselves: every command, every option of every command and no
other, what a value may be, files and folders where there are to be some."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

from harness import BINARY, PATIENCE, Rows, Skip, case, directory, equal, main, poll, run

SHELLS = ("bash", "zsh", "fish")


def _told(*words):
    """What --help says: {flag: what it takes, "" for nothing}."""
    done = run(*words, "--help")
    equal(done.returncode, 0)
    return dict(re.findall(r"^  --([a-z-]+)(?: (\S+))?$", done.stdout.decode(), re.M))


def _commands():
    listed = run("--help").stdout.decode().split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def _value(command, flag, takes):
    """The words that a value may be, as a refusal names them; [] where it is none of a few."""
    if "|" in takes:
        return takes.split("|")
    if takes not in ("HOW", "NAME", "MODE", "LEVEL", "FORMAT"):
        return []
    # Not of serve, which a word that is not refused would start.
    said = run("check-config" if command == "serve" else command, "--" + flag, "no-such-word").stderr.decode()
    match = re.search(r"expected (.*), got", said)
    words = re.split(r", | or ", match.group(1)) if match else []
    return words if len(words) > 1 and all(re.fullmatch("[a-z-]+", word) for word in words) else []


def _lines():
    """(line, what must be offered) of all that needs no files."""
    commands = _commands()
    lines = [("beacond ", commands), ("beacond ser", ["serve"]), ("beacond che", ["check-config", "check"]),
             ("beacond nothing --", []), ("beacond rejects ", ["list", "retry", "drop"]),
             ("beacond rejects dr", ["drop"]), ("beacond rejects retry ", ["all"]),
             ("beacond rejects --limit 3 drop ", ["all"]), ("beacond rejects --limit list ", ["list", "retry", "drop"]),
             ("beacond completion ", list(SHELLS)), ("beacond completion f", ["fish"]),
             ("beacond --log-level debug --log-f", ["--log-format"])]
    queries = [line.split()[0] for line in run("query").stdout.decode().splitlines() if re.match("[a-z]", line)]
    assert len(queries) > 5, queries
    lines.append(("beacond query ", queries))
    table = _told()
    lines.append(("beacond --", ["--" + flag for flag in table] + ["--help", "--version"]))
    lines.append(("beacond --listen 127.0.0.1:1 --", ["--" + flag for flag in table]))
    for command in commands:
        # The help of serve is that of the program.
        flags = table if command == "serve" else _told(command)
        lines.append(("beacond %s --" % command, ["--" + flag for flag in flags] + ["--help"]))
        lines.append(("beacond %s --no-such-flag --" % command, ["--" + flag for flag in flags]))
        for flag, takes in flags.items():
            if not takes or takes in ("FILE", "DIR"):
                continue
            words = _value(command, flag, takes)
            lines.append(("beacond %s --%s " % (command, flag), words))
            lines.append(("beacond %s --%s=" % (command, flag), words))
            for word in words:
                lines.append(("beacond %s --%s %s" % (command, flag, word[:-1]), [w for w in words if w.startswith(word[:-1])]))
    assert len(lines) > 100 and sum(len(offered) for _, offered in lines) > 500
    return lines


def _script(shell):
    if not shutil.which(shell):
        raise Skip("no " + shell)
    done = run("completion", shell)
    equal((done.returncode, done.stderr), (0, b""))
    path = os.path.join(directory(), "_beacond" if shell == "zsh" else "beacond")
    with open(path, "wb") as file:
        file.write(done.stdout)
    equal(subprocess.run([shell, "-n", path], capture_output=True).stderr, b"", "syntax")
    return path


def _compare(lines, offered):
    rows = Rows()
    for (line, expected), got in zip(lines, offered, strict=True):
        with rows(line):
            equal(sorted(set(got)), sorted(expected))
    rows.check()


def _environment(home):
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return dict(keep, HOME=home, XDG_CONFIG_HOME=home, XDG_DATA_HOME=home, TERM="dumb")


# --- the shells, for which there are no files to be offered ------------------------------------

# As bash calls it: the = between a name and its value is a word of its own, and the last word is the one
# that is completed.
BASH = r"""
. "$1"
compopt() { :; }
while IFS= read -r line; do
    words=${line//=/ = }
    read -ra COMP_WORDS <<<"$words"
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _beacond
    echo "${COMPREPLY[*]}"
done
"""

FISH = r"""
source $argv[1]
while read -l line
    echo (complete -C "$line" | string replace -r '\t.*' '' | string replace -r '^--[a-z-]+=' '')
end
"""


def _ask(shell, script, path, lines, home):
    done = subprocess.run([shell, *script, path], input="".join(line + "\n" for line, _ in lines), text=True,
                          capture_output=True, env=_environment(home), cwd=home, timeout=PATIENCE)
    equal((done.returncode, done.stderr), (0, ""))
    return [line.split() for line in done.stdout.splitlines()]


@case
def bash_offers_every_option_of_every_command_and_no_other():
    path, home = _script("bash"), directory()
    _compare(_lines(), _ask("bash", ["--norc", "-c", BASH, "bash"], path, _lines(), home))


@case
def bash_does_where_the_equals_sign_ends_no_word():
    path, home = _script("bash"), directory()
    lines = [("beacond --log-level=de", ["--log-level=debug"]), ("beacond export --format=", ["--format=ndjson", "--format=csv"]),
             ("beacond --log-level=debug --synchronous=o", ["--synchronous=off"]), ("beacond --listen=x ", None)]
    _compare(lines[:3], _ask("bash", ["--norc", "-c", BASH.replace("${line//=/ = }", "$line"), "bash"], path, lines[:3], home))


@case
def bash_quotes_names_where_readline_does_not():
    """Behind --config= as one word the names are ours: what a shell would run must stay a name."""
    path, home = _script("bash"), directory()
    names = ["a; touch ran", "a$(touch ran)", "a b"]
    for name in names:
        os.mkdir(os.path.join(home, name))
    ask = BASH.replace("${line//=/ = }", "$line").replace('echo "', 'eval "printf \'%s\\\\n\' ')
    for flag in ("--config", "--dashboard"):
        done = subprocess.run(["bash", "--norc", "-c", ask, "bash", path], input="beacond %s=a\n" % flag, text=True,
                              capture_output=True, env=_environment(home), cwd=home, timeout=PATIENCE)
        equal((sorted(done.stdout.splitlines()), done.stderr), (["%s=%s" % (flag, name) for name in sorted(names)], ""))
        equal(sorted(os.listdir(home)), sorted(names), "nothing was run")


@case
def fish_offers_every_option_of_every_command_and_no_other():
    path, home = _script("fish"), directory()
    lines = _lines()
    # It has files to offer where it knows of nothing; there are none here.
    _compare(lines, _ask("fish", ["--no-config", "-c", FISH], path, lines, home))


# --- on a terminal, as people have it ---------------------------------------------------------

class Terminal:
    """A shell on a terminal."""

    def __init__(self, *command, cwd, home):
        self.ours, theirs = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
                                        env=_environment(home), start_new_session=True)
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def type(self, text):
        os.write(self.ours, text.encode())

    def until(self, fact, what):
        """Reads on, so that the shell never waits, until fact() holds."""
        deadline = time.monotonic() + PATIENCE
        while not fact():
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for %s: %r" % (what, self.seen[-2000:]))
            if select.select([self.ours], [], [], 0.05)[0]:
                self.seen += os.read(self.ours, 65536)


# Within the editor of a zsh: asks for each line in turn, and writes down what would be offered.
ZSH = r"""
fpath=(%(folder)s $fpath)
autoload -Uz compinit && compinit -u -d %(home)s/dump
zstyle ':completion:*' completer _complete
typeset -ga offered
compadd() {
    local -a found
    if (( ${@[(I)-[OAD]]} )); then
        builtin compadd "$@"
        return
    fi
    builtin compadd -O found "$@"
    offered+=($found)
    builtin compadd "$@"
}
zle -C look complete-word _main_complete
ask() {
    local line
    for line in "${(@f)$(<%(home)s/lines)}"; do
        BUFFER=$line CURSOR=$#line offered=()
        zle look
        print -r -- "${offered[*]}" >>%(home)s/offered
    done
    BUFFER=
    : >%(home)s/done
}
zle -N ask
bindkey '^T' ask
: >%(home)s/ready
"""


def _zsh(lines, cwd=None):
    path, home = _script("zsh"), directory()
    with open(os.path.join(home, "setup"), "w") as file:
        file.write(ZSH % {"folder": os.path.dirname(path), "home": home})
    with open(os.path.join(home, "lines"), "w") as file:
        file.write("".join(line + "\n" for line, _ in lines))
    empty = cwd or directory()
    with Terminal("zsh", "-f", "-i", cwd=empty, home=home) as shell:
        shell.type("source %s/setup\n" % home)
        shell.until(lambda: os.path.exists(os.path.join(home, "ready")), "zsh")
        shell.type("\x14")
        shell.until(lambda: os.path.exists(os.path.join(home, "done")), "completions")
    with open(os.path.join(home, "offered")) as file:
        return [line.split() for line in file.read().split("\n")[:-1]]


@case
def zsh_offers_every_option_of_every_command_and_no_other():
    lines = _lines()
    _compare(lines, [[re.sub(r"(?<=.)=$", "", word) for word in words] for words in _zsh(lines)])


def _folder():
    path = directory()
    os.mkdir(os.path.join(path, "folder"))
    for name in ("file.db", "two words.db"):
        with open(os.path.join(path, name), "wb"):
            pass
    return path


# Flags that take a file or a folder, and operands.
FILES = [("beacond --config fi", "file.db"), ("beacond --database=fi", "file.db"), ("beacond --dashboard fo", "folder"),
         ("beacond import fi", "file.db"), ("beacond import --max-depth 3 x fi", "file.db"), ("beacond backup fi", "file.db"),
         ("beacond export --output fi", "file.db"), ("beacond --dashboard fi", None), ("beacond backup x fi", None)]


@case
def bash_completes_files_and_folders():
    path, home, cwd = _script("bash"), directory(), _folder()
    lines = FILES + [('beacond import "two w', "two words.db")]
    with Terminal("bash", "--norc", "--noprofile", "-i", cwd=cwd, home=home) as shell:
        # What it would run is written down instead.
        shell.type("beacond() { printf '%%s\\n' \"${@: -1}\" >>%s/said; }; . %s\n" % (home, path))
        for line, _ in lines:
            shell.type(line + "\t\n")
        shell.type(": >%s/done\n" % home)
        shell.until(lambda: os.path.exists(os.path.join(home, "done")), "bash")
    with open(os.path.join(home, "said")) as file:
        said = file.read().splitlines()
    equal([word.split("=")[-1].rstrip("/") for word in said],
          [name or line.split()[-1] for line, name in lines])


@case
def zsh_completes_files_and_folders():
    got = _zsh(FILES, _folder())
    equal([[word.rstrip("/") for word in words] for words in got], [[name] if name else [] for _, name in FILES])


@case
def fish_completes_files_and_folders():
    path, home = _script("fish"), directory()
    cwd = _folder()
    done = subprocess.run(["fish", "--no-config", "-c", FISH, path], input="".join(line + "\n" for line, _ in FILES),
                          text=True, capture_output=True, env=_environment(home), cwd=cwd, timeout=PATIENCE)
    equal((done.returncode, done.stderr), (0, ""))
    equal([line.rstrip("/").split() for line in done.stdout.splitlines()], [[name] if name else [] for _, name in FILES])


@case
def an_unknown_shell_is_refused():
    done = run("completion", "tcsh")
    equal((done.returncode, done.stdout), (2, b""))
    equal(done.stderr, b'beacond: completion: expected bash, zsh or fish, got "tcsh"\n')
    equal(run("completion").returncode, 2)
    equal(run("completion", "--config", "x", "bash").returncode, 2)


@case
def it_needs_neither_configuration_nor_environment():
    equal(run("completion", "bash", env={"BEACOND_CONFIG": "/nowhere", "BEACOND_MAX_BODY": "x"}).returncode, 0)


main()
