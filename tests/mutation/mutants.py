"""mutants.py: what can be broken in a source file, one token at a time.

of_c() and of_sql() list the mutants of a text: a Mutant is a stretch of it and what stands there instead.
Nothing is compiled here, so many of them are no C at all, or the same program: mutate.py finds that out.

What is left alone: preprocessor lines, asserts (they state invariants; what breaks them is the mutant),
declarations, what is in strings. Lines stay where they are, so that __LINE__ in an assert does not make
the same code look different.
"""

import re
from collections import namedtuple

Mutant = namedtuple("Mutant", "path begin end new kind")
Token = namedtuple("Token", "kind text begin end")

WORDS = re.compile(
    r"""(?P<skip>/\*.*?\*/|//[^\n]*|\s+)
      |(?P<hash>\#(?:[^\n\\]|\\.|\\\n)*)
      |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      |(?P<number>\d[\w.]*)
      |(?P<name>[A-Za-z_]\w*)
      |(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])""",
    re.X | re.S)
WORDS_SQL = re.compile(
    r"""(?P<skip>--[^\n]*|\s+)
      |(?P<string>'(?:[^']|'')*')
      |(?P<number>\d+)
      |(?P<name>[:@]?[A-Za-z_]\w*)
      |(?P<sign><>|<=|>=|\|\||[-+*/%<>=;,.()])""", re.X | re.S)

RELATIONS = {"<": ("<=", ">"), "<=": ("<", ">"), ">": (">=", "<"), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
OTHER = {"&&": ("||",), "||": ("&&",), "++": ("--",), "--": ("++",), "+=": ("-=",), "-=": ("+=",),
         "|=": ("&=",), "&=": ("|=",), "<<": (">>",), ">>": ("<<",)}
BINARY = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",), "&": ("|",), "|": ("&",), "^": ("|",)}
# What begins a statement that is none to be deleted.
NO_STATEMENT = {"return", "if", "while", "for", "do", "else", "switch", "case", "default", "static", "const", "struct",
                "enum", "union", "int", "unsigned", "char", "bool", "size_t", "void", "double", "long", "goto", "assert"}
NO_CALL = {"if", "while", "for", "switch", "return", "sizeof", "assert", "defined"}


def tokens(text, words=WORDS):
    found, at = [], 0
    while at < len(text):
        match = words.match(text, at)
        if match is None:
            raise ValueError("no token: %r" % text[at:at + 20])
        if match.lastgroup not in ("skip", "hash"):
            found.append(Token(match.lastgroup, match.group(), at, match.end()))
        at = match.end()
    return found


def pairs(toks):
    """The place of the bracket that belongs to each bracket."""
    other, open_ones = {}, []
    for i, tok in enumerate(toks):
        if tok.text in ("(", "[", "{"):
            open_ones.append(i)
        elif tok.text in (")", "]", "}"):
            other[i] = open_ones.pop()
            other[other[i]] = i
    return other


def still(text, begin, end, new):
    """The new text of a stretch, with as many lines as it had."""
    return new + "\n" * text.count("\n", begin, end)


def bodies(toks, other):
    """Which tokens stand in the body of a function, and not in an assert."""
    inside = [False] * len(toks)
    i = 0
    while i < len(toks):
        if toks[i].text == "{" and i > 0 and toks[i - 1].text == ")":
            for k in range(i + 1, other[i]):
                inside[k] = True
            i = other[i]
        elif toks[i].text == "{":
            i = other[i]
        i += 1
    for i, tok in enumerate(toks):
        if tok.text == "assert":
            for k in range(i, other[i + 1] + 1):
                inside[k] = False
    return inside


def value_before(tok):
    return tok.kind in ("number", "string") or tok.text in (")", "]") or \
        tok.kind == "name" and tok.text not in ("return", "case", "else")


def of_number(tok):
    match = re.fullmatch(r"(0[xX])?([0-9a-fA-F]+)([uUlL]*)", tok.text)
    if match is None:
        return ()
    value = int(match.group(2), 16 if match.group(1) else 10)
    form = (lambda n: (match.group(1) or "") + ("%X" % n if match.group(1) else str(n)) + match.group(3))
    return (form(value + 1),) if value == 0 else (form(value + 1), form(value - 1))


def of_statement(text, toks, other, i):
    """The end of a statement that may go, whose first token is i; else None."""
    first, before = toks[i], toks[i - 1].text
    if before not in (";", "{", "}", ")", "else", ":") or before == ")" and \
            toks[other[i - 1] - 1].text not in ("if", "for", "while"):
        return None
    if first.text in ("break", "continue"):
        return i + 1
    if first.text in NO_STATEMENT or not (first.kind == "name" or first.text in ("*", "++", "--", "(")):
        return None
    if first.kind == "name" and (toks[i + 1].kind == "name" or toks[i + 1].text == "*" or toks[i + 1].text == ":"):
        return None
    k = i
    while toks[k].text != ";":
        if toks[k].text in ("{", "}"):
            if toks[k].text == "}" or toks[k - 1].text not in (")", "="):
                return None
        k = other[k] + 1 if toks[k].text in ("(", "[", "{") else k + 1
    return k


def swaps(text, toks, other, i):
    """Calls: two arguments beside each other, the one for the other."""
    end, places, begin, k = other[i], [], i + 1, i + 1
    while k <= end:
        if k == end or toks[k].text == ",":
            if k > begin:
                places.append((toks[begin].begin, toks[k - 1].end))
            begin = k + 1
        k = other[k] + 1 if k < end and toks[k].text in ("(", "[", "{") else k + 1
    for (a, b), (c, d) in zip(places, places[1:]):
        if text[a:b] != text[c:d]:
            yield a, d, text[c:d] + text[b:c] + text[a:b]


def of_c(path, text):
    toks = tokens(text)
    other = pairs(toks)
    inside = bodies(toks, other)
    found = []

    def add(begin, end, new, kind):
        found.append(Mutant(path, begin, end, new, kind))

    for i, tok in enumerate(toks):
        if not inside[i]:
            continue
        before, behind = toks[i - 1], toks[i + 1]
        for new in RELATIONS.get(tok.text, ()):
            add(tok.begin, tok.end, new, "relation")
        for new in OTHER.get(tok.text, ()):
            add(tok.begin, tok.end, new, "operator")
        if tok.text in BINARY and value_before(before):
            for new in BINARY[tok.text]:
                add(tok.begin, tok.end, new, "operator")
        if tok.text == "!":
            add(tok.begin, tok.end, " ", "negation")
        if tok.text in ("true", "false"):
            add(tok.begin, tok.end, "false" if tok.text == "true" else "true", "value")
        if tok.kind == "number":
            for new in of_number(tok):
                add(tok.begin, tok.end, new, "constant")
        if tok.text in ("if", "while") and behind.text == "(":
            begin, end = behind.end, toks[other[i + 1]].begin
            add(begin, end, "!(" + text[begin:end] + ")", "negation")
        if tok.text == "return" and behind.text != ";":
            k = i + 1
            while toks[k].text != ";":
                k = other[k] + 1 if toks[k].text in ("(", "[", "{") else k + 1
            begin, end = behind.begin, toks[k].begin
            if text[begin:end] != "0":
                add(begin, end, still(text, begin, end, "0"), "return")
            else:
                add(begin, end, "-1", "return")
        if tok.text == "(" and before.kind == "name" and before.text not in NO_CALL:
            for begin, end, new in swaps(text, toks, other, i):
                add(begin, end, new, "arguments")
        last = of_statement(text, toks, other, i)
        if last is not None:
            begin, end = tok.begin, toks[last].end
            add(begin, end, still(text, begin, end, ";"), "statement")
    return found


def of_sql(path, text, names):
    """Of the statements behind `-- @name` whose names are given."""
    found = []
    for match in re.finditer(r"^-- @(\w+)\n(.*?)(?=^-- @|\Z)", text, re.M | re.S):
        if not re.fullmatch(names, match.group(1)):
            continue
        start = match.start(2)
        for tok in tokens(match.group(2), WORDS_SQL):
            news = {"<": ("<=",), "<=": ("<",), ">": (">=",), ">=": (">",), "=": ("<>",), "<>": ("=",), "+": ("-",),
                    "-": ("+",), "%": ("/",), "/": ("*",), "*": ("/",), "AND": ("OR",), "OR": ("AND",), "DESC": ("",),
                    "sum": ("count", "max"), "max": ("min",), "count": ("sum",), "excluded": ("",)}.get(tok.text, ())
            if tok.kind == "number":
                news = of_number(tok)
            for new in news:
                found.append(Mutant(path, start + tok.begin, start + tok.end, new, "sql"))
    return found


def whole_lines(text, mutant):
    """The lines that a mutant changes, before and after, without their indentation and breaks."""
    begin = text.rfind("\n", 0, mutant.begin) + 1
    end = text.find("\n", mutant.end)
    after = text[begin:mutant.begin] + mutant.new + text[mutant.end:end]
    return " ".join(text[begin:end].split()), " ".join(after.split())
