#include "contract/range.h"

#include <string.h>

#include "contract/timestamp.h"

/*
 * A cursor is base64url, without padding, of a version byte, seven 64-bit numbers in network order
 * and the hash over these 57 bytes.
 */
#define RANGE_CURSOR_VERSION 1
#define RANGE_CURSOR_NUMBERS 7
#define RANGE_CURSOR_HASHED (1 + RANGE_CURSOR_NUMBERS * 8)
#define RANGE_CURSOR_BYTES (RANGE_CURSOR_HASHED + 8)
#define RANGE_CURSOR_LEN ((RANGE_CURSOR_BYTES * 8 + 5) / 6)

_Static_assert(RANGE_CURSOR_LEN < RANGE_CURSOR_SIZE, "a cursor fits its room");

static const char range_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void range_put(unsigned char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (56 - 8 * i));
}

static uint64_t range_get(const unsigned char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

static void range_cursor_encode(char out[RANGE_CURSOR_LEN + 1],
                                const unsigned char in[RANGE_CURSOR_BYTES])
{
    unsigned waiting = 0;
    int bits = 0;
    size_t len = 0;

    for (size_t i = 0; i < RANGE_CURSOR_BYTES; i++) {
        waiting = (waiting << 8 | in[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            out[len++] = range_digits[waiting >> (bits - 6) & 63];
    }
    if (bits > 0)
        out[len++] = range_digits[waiting << (6 - bits) & 63];
    out[len] = '\0';
}

static bool range_cursor_decode(unsigned char out[RANGE_CURSOR_BYTES], const char *text)
{
    unsigned waiting = 0;
    int bits = 0;
    size_t len = 0;

    if (strnlen(text, RANGE_CURSOR_LEN + 1) != RANGE_CURSOR_LEN)
        return false;
    for (size_t i = 0; i < RANGE_CURSOR_LEN; i++) {
        const char *digit = strchr(range_digits, text[i]);
        if (digit == NULL)
            return false;
        waiting = (waiting << 6 | (unsigned)(digit - range_digits)) & 0xffff;
        bits += 6;
        if (bits >= 8 && len < RANGE_CURSOR_BYTES) {
            bits -= 8;
            out[len++] = (unsigned char)(waiting >> bits);
        }
    }
    /* The last digit has bits to spare; only one text may stand for a cursor. */
    return (waiting & ((1U << bits) - 1)) == 0;
}

void range_cursor_write(char out[RANGE_CURSOR_SIZE], const struct range *range, int64_t total,
                        int64_t max_seq, struct range_place place,
                        const unsigned char key[SIPHASH_KEY_BYTES])
{
    const int64_t numbers[RANGE_CURSOR_NUMBERS] = {
        range->since,
        range->until,
        range->page < INT64_MAX ? range->page + 1 : INT64_MAX, /* the page that comes next */
        total,
        max_seq,
        place.ts,
        place.seq,
    };
    unsigned char raw[RANGE_CURSOR_BYTES];

    raw[0] = RANGE_CURSOR_VERSION;
    for (size_t i = 0; i < RANGE_CURSOR_NUMBERS; i++)
        range_put(raw + 1 + 8 * i, (uint64_t)numbers[i]);
    range_put(raw + RANGE_CURSOR_HASHED, siphash(key, raw, RANGE_CURSOR_HASHED));
    range_cursor_encode(out, raw);
}

static int range_cursor_read(struct range *range, const char *text,
                             const unsigned char key[SIPHASH_KEY_BYTES], struct error *err)
{
    unsigned char raw[RANGE_CURSOR_BYTES];
    int64_t numbers[RANGE_CURSOR_NUMBERS];

    if (!range_cursor_decode(raw, text) || raw[0] != RANGE_CURSOR_VERSION ||
        range_get(raw + RANGE_CURSOR_HASHED) != siphash(key, raw, RANGE_CURSOR_HASHED)) {
        error_set(err, "cursor: not one that this server has given out");
        return -1;
    }
    for (size_t i = 0; i < RANGE_CURSOR_NUMBERS; i++)
        numbers[i] = (int64_t)range_get(raw + 1 + 8 * i);
    range->resumed = true;
    range->since = numbers[0];
    range->until = numbers[1];
    range->page = numbers[2];
    range->total = numbers[3];
    range->max_seq = numbers[4];
    range->after.ts = numbers[5];
    range->after.seq = numbers[6];
    return 0;
}

static int range_read_time(const char *name, const char *text, int64_t *ms, struct error *err)
{
    char copy[RANGE_VALUE_SIZE];
    size_t len = strlen(text);

    if (len < sizeof(copy)) {
        memcpy(copy, text, len + 1);
        /* The one legal space is that between date and time, at the eleventh place. */
        char *space = len > 11 ? strchr(copy + 11, ' ') : NULL;
        if (space != NULL)
            *space = '+';
        if (timestamp_parse(copy, len, ms) == 0)
            return 0;
    }
    error_set(err, "%s: expected an ISO 8601 time such as 2024-03-15T10:23:45.123Z", name);
    return -1;
}

int range_number(const char *name, const char *text, int64_t least, int64_t *out, struct error *err)
{
    int64_t value = 0;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++) {
        int digit = *c - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    if (c == text || *c != '\0' || value < least) {
        error_set(err, "%s: expected a whole number from %d", name, (int)least);
        return -1;
    }
    *out = value;
    return 0;
}

/* since, until, after and page: what a cursor stands for when there is none. */
static int range_read_window(struct range *range, const struct range_texts *texts,
                             struct error *err)
{
    int64_t after;

    if (texts->since != NULL && range_read_time("since", texts->since, &range->since, err) != 0)
        return -1;
    if (texts->until != NULL && range_read_time("until", texts->until, &range->until, err) != 0)
        return -1;
    if (texts->after != NULL) {
        if (range_read_time("after", texts->after, &after, err) != 0)
            return -1;
        if (range->since <= after)
            range->since = after + 1; /* years end at 9999: no overflow */
    }
    if (texts->page != NULL && range_number("page", texts->page, 1, &range->page, err) != 0)
        return -1;
    /* (page - 1) * limit must be a number. Nothing is stored that far out. */
    if (range->limit > 0 && range->page > INT64_MAX / range->limit)
        range->page = INT64_MAX / range->limit;
    return 0;
}

int range_read(struct range *range, const struct range_texts *texts, int64_t max_events,
               const unsigned char key[SIPHASH_KEY_BYTES], struct error *err)
{
    *range = (struct range){.since = INT64_MIN, .until = INT64_MAX, .limit = max_events, .page = 1};

    if (texts->limit != NULL && range_number("limit", texts->limit, 0, &range->limit, err) != 0)
        return -1;
    if (range->limit > max_events)
        range->limit = max_events;
    if (texts->cursor != NULL)
        return range_cursor_read(range, texts->cursor, key, err);
    return range_read_window(range, texts, err);
}

static int range_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The next character of a name or value, *at moved behind it; -1 for a bad escape. */
static int range_decode(const char **at)
{
    const char *c = *at;

    if (*c != '%') {
        *at = c + 1;
        return *c == '+' ? ' ' : (unsigned char)*c;
    }
    int high = range_hex(c[1]);
    int low = high >= 0 ? range_hex(c[2]) : -1;
    if (low < 0)
        return -1;
    *at = c + 3;
    return high << 4 | low;
}

static bool range_name_matches(const char *at, const char *end, const char *name)
{
    for (; at < end && *name != '\0'; name++) {
        if (range_decode(&at) != (unsigned char)*name)
            return false;
    }
    return at == end && *name == '\0';
}

static int range_value(const char *at, const char *end, char *out, size_t size)
{
    for (size_t len = 0; len < size; len++) {
        if (at == end) {
            out[len] = '\0';
            return 1;
        }
        int c = range_decode(&at);
        if (c <= 0)
            return -1;
        out[len] = (char)c;
    }
    return -1;
}

int range_parameter(const char *query, const char *name, char *out, size_t size)
{
    const char *at = query != NULL ? query : "";

    for (;;) {
        const char *end = at + strcspn(at, "&");
        const char *name_end = at + strcspn(at, "=&");
        if (at != end && range_name_matches(at, name_end, name)) {
            at = name_end < end ? name_end + 1 : end;
            int found = range_value(at, end, out, size);
            if (found < 0)
                out[0] = '\0';
            return found;
        }
        if (*end == '\0')
            return 0;
        at = end + 1;
    }
}

int range_text(const char *query, const char *name, char *out, size_t size, const char **text,
               struct error *err)
{
    int found = range_parameter(query, name, out, size);
    *text = found > 0 ? out : NULL;
    if (found >= 0)
        return 0;
    error_set(err, "%s: too long, or not a legal URL parameter", name);
    return -1;
}

int range_parse(struct range *range, const char *query, int64_t max_events,
                const unsigned char key[SIPHASH_KEY_BYTES], struct error *err)
{
    static const char *const names[] = {"since", "until", "after", "limit", "page", "cursor"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    char values[COUNT][RANGE_VALUE_SIZE];
    struct range_texts texts = {0};
    const char **places[COUNT] = {&texts.since, &texts.until, &texts.after,
                                  &texts.limit, &texts.page,  &texts.cursor};

    /* The cursor first: beside it since, until, after and page are not looked at, nor refused. */
    for (size_t i = COUNT; i-- > 0;) {
        if (texts.cursor != NULL && places[i] != &texts.limit)
            continue;
        if (range_text(query, names[i], values[i], sizeof(values[i]), places[i], err) != 0)
            return -1;
    }
    return range_read(range, &texts, max_events, key, err);
}
