/*
 * fuzz_range.c: what stands behind the '?' of a read, and paths.
 *
 * The input is a text, taken as a query string, as a single value, as a path and as a target that
 * is logged; its first bytes are also the numbers of a cursor.
 */
#include "contract/range.h"
#include "contract/url_path.h"
#include "contract/utf8.h"
#include "fuzz.h"
#include "server/route.h"

#define FUZZ_MOST 500000

static const unsigned char fuzz_key[SIPHASH_KEY_BYTES] = "0123456789abcdef";

/* --- query strings: the model ----------------------------------------------------------------- */

static int fuzz_hex(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF",
               *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* Decodes text[0..len). The length, or -1 for a bad escape. out: len bytes. */
static int fuzz_decode(const char *text, size_t len, bool plus, char *out)
{
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%') {
            if (len - i < 3 || fuzz_hex(text[i + 1]) < 0 || fuzz_hex(text[i + 2]) < 0)
                return -1;
            out[n++] = (char)(fuzz_hex(text[i + 1]) * 16 + fuzz_hex(text[i + 2]));
            i += 2;
        } else {
            out[n++] = plus && text[i] == '+' ? ' ' : text[i];
        }
    }
    return n;
}

/* As range_parameter. */
static int fuzz_parameter(const char *query, const char *name, char *out, size_t size)
{
    for (const char *at = query;;) {
        size_t len = strcspn(at, "&"), name_len = strcspn(at, "=&");
        char *plain = malloc(len + 1);
        fuzz_need(plain != NULL, "out of memory");
        int n = fuzz_decode(at, name_len, true, plain);
        if (len > 0 && n == (int)strlen(name) && memcmp(plain, name, (size_t)n) == 0) {
            const char *value = at + (name_len < len ? name_len + 1 : len);
            n = fuzz_decode(value, len - (size_t)(value - at), true, plain);
            bool good = n >= 0 && memchr(plain, '\0', (size_t)n) == NULL && (size_t)n < size;
            snprintf(out, size, "%.*s", good ? n : 0, plain);
            free(plain);
            return good ? 1 : -1;
        }
        free(plain);
        if (at[len] == '\0')
            return 0;
        at += len + 1;
    }
}

static bool fuzz_same_range(const struct range *a, const struct range *b)
{
    bool same = a->since == b->since && a->until == b->until && a->limit == b->limit &&
                a->page == b->page && a->resumed == b->resumed;
    return same && (!a->resumed || (a->total == b->total && a->max_seq == b->max_seq &&
                                    a->after.ts == b->after.ts && a->after.seq == b->after.seq));
}

static void fuzz_sane(const struct range *range)
{
    fuzz_need(range->limit >= 0 && range->limit <= FUZZ_MOST, "a limit above the most");
    fuzz_need(range->resumed || range->page >= 1, "a page below the first");
    int64_t skipped;
    fuzz_need(range->resumed || !__builtin_mul_overflow(range->page - 1, range->limit, &skipped),
              "too many pages");
}

static void fuzz_query(const char *query)
{
    static const char *const names[] = {"since", "until", "after", "limit", "page", "cursor"};
    char values[6][RANGE_VALUE_SIZE], value[RANGE_VALUE_SIZE];
    int found[6];
    for (int i = 0; i < 6; i++) {
        found[i] = fuzz_parameter(query, names[i], values[i], RANGE_VALUE_SIZE);
        fuzz_need(range_parameter(query, names[i], value, sizeof value) == found[i],
                  "a parameter, or none");
        fuzz_need(found[i] == 0 || strcmp(value, values[i]) == 0, "another value");
    }
    struct range range, other;
    struct error err = {""};
    int status = range_parse(&range, query, FUZZ_MOST, fuzz_key, &err);
    fuzz_need((status != 0) == (err.text[0] != '\0'), "refused without a word");
    bool resumed = found[5] > 0, bad = found[5] < 0 || found[3] < 0;
    for (int i = 0; i < 5 && !resumed; i++)
        bad = bad || found[i] < 0;
    struct range_texts texts = {.limit = found[3] > 0 ? values[3] : NULL,
                                .cursor = resumed ? values[5] : NULL};
    if (!resumed) {
        texts.since = found[0] > 0 ? values[0] : NULL;
        texts.until = found[1] > 0 ? values[1] : NULL;
        texts.after = found[2] > 0 ? values[2] : NULL;
        texts.page = found[4] > 0 ? values[4] : NULL;
    }
    int wanted = bad ? -1 : range_read(&other, &texts, FUZZ_MOST, fuzz_key, NULL);
    fuzz_need(status == wanted, "one takes it, the other does not");
    fuzz_need(status != 0 || fuzz_same_range(&range, &other), "another range");
    if (status == 0)
        fuzz_sane(&range);
}

/* --- cursors ---------------------------------------------------------------------------------- */

static void fuzz_cursor(const uint8_t *data, size_t size)
{
    int64_t numbers[7] = {0};
    memcpy(numbers, data, size < sizeof numbers ? size : sizeof numbers);
    struct range from = {.since = numbers[0], .until = numbers[1], .page = numbers[2]}, to;
    struct range_place place = {numbers[5], numbers[6]};
    char cursor[RANGE_CURSOR_SIZE], again[RANGE_CURSOR_SIZE];
    range_cursor_write(cursor, &from, numbers[3], numbers[4], place, fuzz_key);
    fuzz_need(
        strlen(cursor) < sizeof cursor &&
            cursor[strspn(cursor,
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")] ==
                '\0',
        "a cursor that does not go into an URL");
    struct range_texts texts = {.cursor = cursor};
    fuzz_need(range_read(&to, &texts, FUZZ_MOST, fuzz_key, NULL) == 0 && to.resumed,
              "our own cursor is refused");
    fuzz_need(to.since == from.since && to.until == from.until && to.total == numbers[3] &&
                  to.max_seq == numbers[4] && to.after.ts == place.ts &&
                  to.after.seq == place.seq && (to.page == from.page + (from.page < INT64_MAX)),
              "a cursor means something else");
    /* Any other character at any place is refused. */
    size_t at = size > 0 ? data[0] % strlen(cursor) : 0;
    memcpy(again, cursor, sizeof again);
    again[at] = (char)(size > 1 ? data[1] : 'A');
    texts.cursor = again;
    fuzz_need(again[at] == cursor[at] || range_read(&to, &texts, FUZZ_MOST, fuzz_key, NULL) != 0,
              "a cursor that was changed is taken");
}

/* A text that is no cursor of ours, as one. */
static void fuzz_forged(const char *text)
{
    struct range range;
    char again[RANGE_CURSOR_SIZE];
    if (range_read(&range, &(struct range_texts){.cursor = text}, FUZZ_MOST, fuzz_key, NULL) != 0)
        return;
    struct range before = range;
    if (range.page == INT64_MAX)
        return;
    before.page--;
    range_cursor_write(again, &before, range.total, range.max_seq, range.after, fuzz_key);
    fuzz_need(strcmp(again, text) == 0, "two texts for a cursor");
}

/* --- paths ------------------------------------------------------------------------------------ */

static void fuzz_path(const char *text, size_t len)
{
    char out[URL_PATH_SIZE], again[URL_PATH_SIZE], spelt[4 * URL_PATH_SIZE];
    if (url_path_decode(text, len, out) != 0)
        return;
    struct utf8 utf8 = {0};
    size_t n = strlen(out), at = 1;
    fuzz_need(utf8_add(&utf8, out, n) && utf8_whole(&utf8), "a name that is not UTF-8");
    fuzz_need(n == 0 || (out[0] != '/' && out[0] != '.'), "a name that begins with '/' or '.'");
    fuzz_need(strstr(out, "//") == NULL && strstr(out, "/.") == NULL && strchr(out, '\\') == NULL,
              "a name that leads elsewhere");
    for (size_t i = 0; i < n; i++)
        fuzz_need((unsigned char)out[i] >= ' ' && out[i] != 0x7f, "a control character");
    /* Every byte escaped it is the same name: escapes are decoded once. */
    spelt[0] = '/';
    for (size_t i = 0; i < n; i++)
        at +=
            (size_t)snprintf(spelt + at, 4, out[i] == '/' ? "/" : "%%%02x", (unsigned char)out[i]);
    fuzz_need(url_path_decode(spelt, at, again) == 0 && strcmp(out, again) == 0,
              "another name when it is spelt out");
}

static void fuzz_route(const char *target)
{
    static char *const prefixes[] = {"/_tracker", "/_tracker/k", "/p"};
    static const struct routes routes = {prefixes, 3, "/_dashboard"};
    char key[64], told[4096], cut[20], query_key[RANGE_VALUE_SIZE];
    size_t len = strcspn(target, "?");
    enum route_place place = route_find(&routes, target, len, key, sizeof key);
    fuzz_need(place >= ROUTE_NOWHERE && place < ROUTE_PLACES, "no place");
    route_redact(target, told, sizeof told);
    route_redact(target, cut, sizeof cut);
    fuzz_need(strlen(cut) < sizeof cut && strncmp(told, cut, strlen(cut)) == 0, "cut otherwise");
    if (place == ROUTE_KEYED) {
        char line[128];
        snprintf(line, sizeof line, "/k/%s/events", key);
        fuzz_need(strlen(key) > 0 && strstr(target, line) != NULL, "a key from elsewhere");
        fuzz_need(strcmp(key, "...") == 0 || strstr(told, line) == NULL, "a key is logged");
    }
    const char *query = target[len] == '?' ? target + len + 1 : NULL;
    if (query == NULL || range_parameter(query, "key", query_key, sizeof query_key) != 1)
        return;
    /* As it stands there, in front of the next '&'. */
    const char *secret = "zQ9zQ9zQ9";
    if (strcmp(query_key, secret) == 0 && strstr(target, secret) != NULL) {
        const char *first = strstr(target, secret);
        bool once = strstr(first + 1, secret) == NULL;
        fuzz_need(!once || strstr(told, secret) == NULL, "a key of a query is logged");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    fuzz_query(text);
    fuzz_cursor(data, size);
    fuzz_forged(text);
    fuzz_path((const char *)data, size);
    fuzz_route(text);
    free(text);
    return 0;
}
