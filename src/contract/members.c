#include "contract/members.h"

#include <string.h>

#include "contract/scan_value.h"

/* --- walking ---------------------------------------------------------------------------------- */

SCAN_INLINE size_t members_find(const struct members_name *names, size_t count, const char *name,
                                struct scan_string string)
{
    size_t len = (size_t)(string.end - name);
    for (size_t i = 0; i < count; i++)
        if ((string.escaped || names[i].len == len) &&
            scan_name_is(name, len, string.escaped, names[i].text, names[i].len))
            return i;
    return count;
}

/* at: the value of a wanted member, behind white space. */
static const char *members_value(struct scan *s, const char *at, struct scan_field *field)
{
    const char *start = at;
    *field = (struct scan_field){.kind = SCAN_OTHER};
    if (scan_sees(s, at, '"')) {
        struct scan_string string = scan_string(s, at + 1);
        if (string.end == NULL)
            return NULL;
        field->kind = SCAN_STRING;
        field->escaped = string.escaped;
        start++;
        field->value.len = (size_t)(string.end - start);
        at = string.end + 1;
    } else {
        at = scan_value(s, at);
        if (at == NULL)
            return NULL;
        field->value.len = (size_t)(at - start);
    }
    field->value.at = (size_t)(start - s->text);
    return at;
}

/* at: behind the opening brace, or behind a comma. NULL: no JSON, or *ended. */
SCAN_INLINE const char *members_one(struct scan *s, const char *at,
                                    const struct members_name *names, size_t count, members_fn *fn,
                                    void *arg, bool *ended)
{
    at = scan_space(at, s->end);
    if (!scan_sees(s, at, '"'))
        return NULL;
    const char *name = at + 1;
    struct scan_string string = scan_string(s, name);
    if (string.end == NULL)
        return NULL;
    at = scan_colon(s, string.end + 1);
    if (at == NULL)
        return NULL;
    size_t n = members_find(names, count, name, string);
    if (n == count)
        return scan_value(s, at);
    struct scan_field field;
    at = members_value(s, scan_space(at, s->end), &field);
    if (at != NULL)
        *ended = fn(arg, n, &field) != 0;
    return *ended ? NULL : at;
}

static int members_all(struct scan *s, const struct members_name *names, size_t count,
                       members_fn *fn, void *arg)
{
    const char *at = scan_space(s->text, s->end);
    bool ended = false;
    if (at == s->end || *at != '{')
        return -1;
    at = scan_space(at + 1, s->end);
    if (at < s->end && *at == '}')
        return 0;
    for (;;) {
        at = members_one(s, at, names, count, fn, arg, &ended);
        if (at == NULL)
            return ended ? 0 : -1;
        at = scan_space(at, s->end);
        if (at == s->end || (*at != ',' && *at != '}'))
            return -1;
        if (*at++ == '}')
            return 0;
    }
}

int members_walk(const char *text, size_t len, const struct members_name *names, size_t count,
                 members_fn *fn, void *arg)
{
    struct scan s;
    scan_init(&s, text, len);
    int status = members_all(&s, names, count, fn, arg);
    scan_clear(&s);
    return status;
}

static int members_note(void *arg, size_t name, const struct scan_field *field)
{
    ((struct scan_field *)arg)[name] = *field;
    return 0;
}

int members_read(const char *text, size_t len, const struct members_name *names, size_t count,
                 struct scan_field *fields)
{
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct scan_field){.kind = SCAN_ABSENT};
    return members_walk(text, len, names, count, members_note, fields);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* The length of the escape at at, both halves of a surrogate pair together. */
static size_t members_escape_len(const char *at, const char *end)
{
    if (at[1] != 'u')
        return 2;
    bool pair = (at[2] == 'd' || at[2] == 'D') && strchr("89abAB", at[3]) != NULL &&
                end - at >= 12 && at[6] == '\\' && at[7] == 'u';
    return pair ? 12 : 6;
}

/* Piece by piece, for either may be of any length. */
static bool members_equal_escaped(const char *at, const char *end, const char *wanted,
                                  const char *wanted_end)
{
    while (at < end) {
        char piece[16];
        const char *from = at;
        size_t len;
        if (*at == '\\') {
            size_t escape = members_escape_len(at, end);
            len = scan_unescape(at, escape, piece);
            from = piece;
            at += escape;
        } else {
            const char *stop = memchr(at, '\\', (size_t)(end - at));
            len = (size_t)((stop != NULL ? stop : end) - at);
            at += len;
        }
        if (len > (size_t)(wanted_end - wanted) || memcmp(from, wanted, len) != 0)
            return false;
        wanted += len;
    }
    return wanted == wanted_end;
}

bool members_equal(const char *text, const struct scan_field *field, const char *wanted,
                   size_t wanted_len)
{
    const char *value = text + field->value.at;
    size_t len = field->value.len;
    if (field->kind == SCAN_ABSENT)
        return false;
    if (field->kind == SCAN_OTHER && *value != '-' && (*value < '0' || *value > '9'))
        return false;
    if (field->escaped)
        return members_equal_escaped(value, value + len, wanted, wanted + wanted_len);
    return len == wanted_len && memcmp(value, wanted, len) == 0;
}

struct members_search {
    const char *text;
    const char *wanted;
    size_t wanted_len;
    bool found;
};

static int members_compare(void *arg, size_t name, const struct scan_field *field)
{
    struct members_search *search = arg;
    (void)name;
    search->found = members_equal(search->text, field, search->wanted, search->wanted_len);
    return search->found;
}

bool members_any(const char *text, size_t len, const struct members_name *name, const char *wanted,
                 size_t wanted_len)
{
    struct members_search search = {text, wanted, wanted_len, false};
    return members_walk(text, len, name, 1, members_compare, &search) == 0 && search.found;
}
