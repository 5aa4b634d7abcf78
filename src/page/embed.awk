# embed.awk: turns the page's sources into the header src/page/text.h.
#
#     awk -f src/page/embed.awk page.html page.css base.js ... page.js > text.h
#
# page.html is the frame: behind a line that ends in @STYLE@ the style sheets are put in, behind one in
# @SCRIPT@ the scripts, in the order they are given; where @PREFIX@ stands the daemon writes its first
# prefix. The parts are kept apart, since the page's policy names the hashes of style and script. Plain
# POSIX awk: mawk, gawk and busybox all read it.

function fail(text)
{
    print FILENAME ":" FNR ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

# Text as a C string literal, which ends in a newline when the line does.
function literal(line, newline,    i, c, out)
{
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\\" || c == "\"" || c == "?") # ?: no trigraphs
            out = out "\\" c
        else if (c == "\t")
            out = out "\\t"
        else if (c != "\r")
            out = out c
    }
    return "    \"" out (newline ? "\\n" : "") "\"\n"
}

function frame(line,    at)
{
    while ((at = index(line, "@PREFIX@")) > 0) {
        frames = frames literal(substr(line, 1, at - 1), 0) "    },\n    {PAGE_PREFIX, \"\"},\n    {PAGE_FRAME,\n"
        line = substr(line, at + 8)
        prefixes++
    }
    frames = frames literal(line, 1)
}

FNR == 1 {
    kind = FILENAME
    sub(/^.*[.]/, "", kind)
    if (kind != "html" && kind != "css" && kind != "js")
        fail("neither .html, .css nor .js")
}

# Whatever ends an element, or begins a comment, would cut it short in the browser's eyes.
kind != "html" && tolower($0) ~ /<\/|<!--/ { fail("\"</\" or \"<!--\" in a style sheet or a script") }
# The hash counts the bytes that are served: what a compiler could change stays out.
/[^ -~\t\r]/ { fail("a character that is not ASCII") }

kind == "css" { style = style literal($0, 1); next }
kind == "js" { script = script literal($0, 1); next }
/@STYLE@$/ { frames = frames literal(substr($0, 1, length($0) - 7), 0) "    },\n    {PAGE_STYLE,\n@S\n    },\n    {PAGE_FRAME,\n"; next }
/@SCRIPT@$/ { frames = frames literal(substr($0, 1, length($0) - 8), 0) "    },\n    {PAGE_SCRIPT,\n@J\n    },\n    {PAGE_FRAME,\n"; next }
{ frame($0) }

END {
    if (failed)
        exit 1
    if (prefixes == 0 || style == "" || script == "" || !index(frames, "@S\n") || !index(frames, "@J\n")) {
        print "embed.awk: @PREFIX@, @STYLE@, @SCRIPT@, a style sheet and a script are needed" > "/dev/stderr"
        exit 1
    }
    print "/* Made by src/page/embed.awk from the files in src/page/. Edit those. */"
    print "#ifndef BEACOND_PAGE_TEXT_H"
    print "#define BEACOND_PAGE_TEXT_H"
    print ""
    print "enum page_kind { PAGE_FRAME, PAGE_STYLE, PAGE_SCRIPT, PAGE_PREFIX };"
    print ""
    print "static const struct page_part {"
    print "    enum page_kind kind;"
    print "    const char *text;"
    print "} page_parts[] = {"
    print "    {PAGE_FRAME,"
    at = index(frames, "@S\n")
    printf "%s%s", substr(frames, 1, at - 1), style
    frames = substr(frames, at + 3)
    at = index(frames, "@J\n")
    printf "%s%s", substr(frames, 1, at - 1), script
    printf "%s    },\n};\n\n#endif\n", substr(frames, at + 3)
}
