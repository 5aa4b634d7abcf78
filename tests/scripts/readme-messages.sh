#!/bin/sh
# The messages under README's "Troubleshooting" are what beacond says: each stands in the sources, where …
# stands for a part that differs, and with the status that is in front of it. Options that README names
# are options, and sections of the manual are there.
command -v python3 >/dev/null || {
    echo '1..0 # SKIP python3 is not installed'
    exit 0
}
cd "${srcdir:-.}" || exit 1
exec python3 - <<'END'
import errno
import glob
import os
import re

# Lines that tell what a person sees and no program says.
SYMPTOMS = (
    "502, in HTML or empty", "1006, no code at all, again and again", "It is open, but no ack comes",
    "A beacon that was refused is lost; see 401, 403 and 429 above.", "beacond rejects",
    "Equal bursts within one millisecond, sent again behind a web server that hides the lost answer from",
    "beacond. beacond-protocol(7), RETRIES, tells exactly what can't be told apart.",
    "writeEndpoint holds a ?. Put the key into the path instead.",
)
ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "r": "\r"}
PIECE = r'"((?:[^"\\\n]|\\.)*)"'
STRING = re.compile(r"(?:\b([1-5]\d\d),\s*)?(%s(?:(?:\s|PRI[a-zA-Z0-9]+)+%s)*)" % (PIECE, PIECE))
SYSTEM = [os.strerror(code) for code in errno.errorcode]


def texts():
    """Each text in the sources, what printf puts in as …, and the status in front of it if there is one."""
    for path in glob.glob("src/**/*.[ch]", recursive=True):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        for found in STRING.finditer(source):
            text = "".join(re.findall(PIECE, found.group(2)))
            text = re.sub(r"\\(.)", lambda one: ESCAPES.get(one.group(1), one.group(1)), text)
            yield re.sub(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[a-zA-Z]*", "…", text), found.group(1)


KNOWN = [(text, status) for text, status in texts() if sum(map(str.isalpha, text)) > 5]


def there(message, status):
    for said in SYSTEM:
        message = message.replace(said, "…")
    # Who passes an error on puts "file: " in front of it.
    passed_on = message.startswith("…: ")
    whole = re.compile("(?:[^ ]+: )?" * passed_on + ".*".join(map(re.escape, message[3 * passed_on:].split("…"))), re.S)
    found = [one for text, one in KNOWN if whole.fullmatch(text)]
    return bool(found) and (not any(found) or status in found)


with open("README", encoding="utf-8") as file:
    readme = file.read()
section = re.search(r"\nTroubleshooting\n-+\n(.*?)\n\n\n", readme, re.S).group(1)
count, symptoms = 0, set()


def ok(passed, what):
    global count
    count += 1
    print("%sok %d - %s" % ("" if passed else "not ", count, what.replace("#", "")))


for line in re.findall(r"^  (\S.*)$", section, re.M):
    if line in SYMPTOMS:
        symptoms.add(line)
        continue
    status, message = re.fullmatch(r"(?:(\d{3,4}) )?(.*)", line).groups()
    ok(there(message, status), line)
ok(symptoms == set(SYMPTOMS), "every symptom that is no message is in README")
ok(not there("the disk is on fire", None) and not there("body over the limit", "400"), "what nobody says is not found")

with open("src/options/options.c", encoding="utf-8") as file:
    options = set(re.findall(r'\.name = "([a-z-]+)"', file.read()))
named = set(re.findall(r"^    ([a-z]+(?:-[a-z]+)*) = ", readme, re.M))
named |= set(re.findall(r"\b((?:max|min|tls|cache|limit|proxy|trusted|key|admin|allow|beacon|ping|head|body)-[a-z]+(?:-[a-z]+)?)\b", readme))
ok(bool(named) and not named - options - {"min-free"}, "options: " + " ".join(sorted(named - options)))

# "beacond(8), SECTION": sections are in capitals.
for page, section in sorted(set(re.findall(r"\b(beacond[a-z.-]*\([578]\)),\s+([A-Z]{4}[A-Z ]*[A-Z])\b", readme))):
    with open("man/%s.%s" % re.fullmatch(r"(.*)\((.)\)", page).groups(), encoding="utf-8") as file:
        ok(".Sh %s\n" % section in file.read(), "%s, %s" % (page, section))
print("1..%d" % count)
END
