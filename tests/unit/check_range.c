#include "contract/range.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MAX_EVENTS 500000

static const unsigned char own_key[SIPHASH_KEY_BYTES] = "0123456789abcdef";

static int parse(struct range *range, const char *query, struct error *err)
{
    return range_parse(range, query, MAX_EVENTS, own_key, err);
}

/* ---- one parameter out of a query string ---- */

static const struct {
    const char *query;
    const char *name;
    int found;
    const char *value; /* when found is 1 */
} parameters[] = {
    {NULL, "a", 0, NULL},
    {"", "a", 0, NULL},
    {"&&", "a", 0, NULL},
    {"&&", "", 0, NULL},
    {"=x", "a", 0, NULL},
    {"=x", "", 1, "x"},
    {"a=x", "a", 1, "x"},
    {"a=", "a", 1, ""},
    {"a", "a", 1, ""},
    {"a&b=1", "a", 1, ""},
    {"b=1&a=x", "a", 1, "x"},
    {"&a=x&", "a", 1, "x"},
    {"aa=1&a=x", "a", 1, "x"},
    {"A=1", "a", 0, NULL},
    {"b=a=1", "a", 0, NULL},
    {"b=1;a=x", "a", 0, NULL},
    {"a=first&a=second", "a", 1, "first"},
    {"a=x=y", "a", 1, "x=y"},
    {"a=x%20y+z%2B", "a", 1, "x y z+"},
    {"a=%c3%A4", "a", 1, "\xc3\xa4"},
    {"%61=x", "a", 1, "x"},
    {"%6=1&a=x", "a", 1, "x"},
    {"a=%26%3d", "a", 1, "&="},
    {"a=1234567", "a", 1, "1234567"},
    {"a=%31%32%33%34%35%36%37", "a", 1, "1234567"},
    {"a=12345678", "a", -1, NULL},
    {"a=%00", "a", -1, NULL},
    {"a=x%00", "a", -1, NULL},
    {"a=%", "a", -1, NULL},
    {"a=%4", "a", -1, NULL},
    {"a=%4&b=1", "a", -1, NULL},
    {"a=%&41", "a", -1, NULL},
    {"a=%zz", "a", -1, NULL},
    {"a=%4z", "a", -1, NULL},
    {"a=%4z&b=1", "b", 1, "1"},
};

START_TEST(parameters_are_found_and_decoded)
{
    char value[8]; /* so that seven characters just fit */
    int found = range_parameter(parameters[_i].query, parameters[_i].name, value, sizeof(value));
    ck_assert_msg(found == parameters[_i].found, "%s: %d", parameters[_i].query, found);
    if (found == 1)
        ck_assert_str_eq(value, parameters[_i].value);
    if (found == -1)
        ck_assert_str_eq(value, "");
}
END_TEST

/* ---- windows ---- */

#define T0 1710498225123 /* 2024-03-15T10:23:45.123Z */
#define HOUR 3600000

static const struct {
    const char *query;
    int64_t since, until, limit, page;
} windows[] = {
    {NULL, INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15T10:23:45.123Z", T0, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15T10%3A23%3A45.123Z", T0, INT64_MAX, MAX_EVENTS, 1},
    {"until=2024-03-15T10:23:45.123Z", INT64_MIN, T0, MAX_EVENTS, 1},
    {"since=2024-03-15T10:23:45.123Z&until=2024-03-15T10:23:45.123Z", T0, T0, MAX_EVENTS, 1},
    /* an empty window is no error */
    {"since=2024-03-15T10:23:45.123Z&until=2024-03-15T09:23:45.123Z", T0, T0 - HOUR, MAX_EVENTS, 1},
    {"since=1969-12-31T23:59:59.999Z", -1, INT64_MAX, MAX_EVENTS, 1},
    /* the plus of an offset, escaped, as a space and as it is */
    {"since=2024-03-15T12:23:45.123%2B02:00", T0, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15T12:23:45.123+02:00", T0, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15T12:23:45.123%2002:00", T0, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15+12:23:45.123+0200", T0, INT64_MAX, MAX_EVENTS, 1},
    {"since=2024-03-15T08:23:45.123-02:00", T0, INT64_MAX, MAX_EVENTS, 1},
    /* after is exclusive, and the narrower of it and since counts */
    {"after=2024-03-15T10:23:45.123Z", T0 + 1, INT64_MAX, MAX_EVENTS, 1},
    {"after=2024-03-15T10:23:45.123Z&since=2024-03-15T10:23:45.123Z", T0 + 1, INT64_MAX, MAX_EVENTS,
     1},
    {"after=2024-03-15T10:23:45.123Z&since=2024-03-15T10:23:45.124Z", T0 + 1, INT64_MAX, MAX_EVENTS,
     1},
    {"after=2024-03-15T10:23:45.123Z&since=2024-03-15T11:23:45.123Z", T0 + HOUR, INT64_MAX,
     MAX_EVENTS, 1},
    {"limit=0", INT64_MIN, INT64_MAX, 0, 1},
    {"limit=50", INT64_MIN, INT64_MAX, 50, 1},
    {"limit=050", INT64_MIN, INT64_MAX, 50, 1},
    {"limit=500000", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"limit=500001", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"limit=9223372036854775807", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"limit=9223372036854775808", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"limit=99999999999999999999999999999999", INT64_MIN, INT64_MAX, MAX_EVENTS, 1},
    {"limit=10&page=3", INT64_MIN, INT64_MAX, 10, 3},
    {"page=7", INT64_MIN, INT64_MAX, MAX_EVENTS, 7},
    /* far enough to be past every end, and (page - 1) * limit still is a number */
    {"limit=10&page=99999999999999999999", INT64_MIN, INT64_MAX, 10, INT64_MAX / 10},
    {"limit=0&page=99999999999999999999", INT64_MIN, INT64_MAX, 0, INT64_MAX},
    {"level=error&type=click&q=x&limit=5&%zz=1", INT64_MIN, INT64_MAX, 5, 1},
    {"limit=5&limit=x", INT64_MIN, INT64_MAX, 5, 1},
};

START_TEST(windows_are_read)
{
    struct range range;
    struct error err = {""};
    ck_assert_msg(parse(&range, windows[_i].query, &err) == 0, "%s: %s", windows[_i].query,
                  err.text);
    ck_assert_int_eq(range.since, windows[_i].since);
    ck_assert_int_eq(range.until, windows[_i].until);
    ck_assert_int_eq(range.limit, windows[_i].limit);
    ck_assert_int_eq(range.page, windows[_i].page);
    ck_assert(!range.resumed);
}
END_TEST

static const struct {
    const char *query;
    const char *named;
} bad_queries[] = {
    {"since=", "since: "},
    {"since", "since: "},
    {"since=yesterday", "since: "},
    {"since=1710498225123", "since: "},
    {"since=2024-03-15T10:23:45.123Z%20", "since: "},
    {"since=2024-03-15T10:23:45++02:00", "since: "},
    {"since=2024-03-15T10:23:45%00Z", "since: "},
    {"since=2024-02-30T10:23:45Z", "since: "},
    {"until=2024-03-15T25:00:00Z", "until: "},
    {"since=2024-03-15T10:23:45Z&until=x", "until: "},
    {"after=x", "after: "},
    {"after=%", "after: "},
    {"limit=", "limit: "},
    {"limit=-1", "limit: "},
    {"limit=+1", "limit: "},
    {"limit=1.5", "limit: "},
    {"limit=1e3", "limit: "},
    {"limit=0x10", "limit: "},
    {"limit=ten", "limit: "},
    {"limit=5%20", "limit: "},
    {"page=0", "page: "},
    {"page=-1", "page: "},
    {"page=", "page: "},
    {"page=1x", "page: "},
    {"limit=x&page=1", "limit: "},
    {"cursor=", "cursor: "},
    {"cursor=%zz", "cursor: "},
};

START_TEST(unreadable_values_are_refused_by_name)
{
    struct range range;
    struct error err = {""};
    ck_assert_msg(parse(&range, bad_queries[_i].query, &err) == -1, "%s", bad_queries[_i].query);
    ck_assert_msg(strncmp(err.text, bad_queries[_i].named, strlen(bad_queries[_i].named)) == 0,
                  "%s: %s", bad_queries[_i].query, err.text);
}
END_TEST

START_TEST(endless_values_are_refused)
{
    static const char *const names[] = {"since", "until", "after", "limit", "page", "cursor"};
    static char query[100000];
    for (size_t i = 0; i < COUNT(names); i++) {
        struct range range;
        struct error err = {""};
        size_t len = strlen(names[i]);
        memset(query, '1', sizeof(query) - 1);
        memcpy(query, names[i], len);
        query[len] = '=';
        ck_assert_int_eq(parse(&range, query, &err), -1);
        ck_assert_int_eq(strncmp(err.text, names[i], len), 0);
    }
}
END_TEST

START_TEST(single_values_are_read_like_a_query)
{
    struct range range;
    struct error err = {""};
    struct range_texts texts = {.since = "2024-03-15T12:23:45.123+02:00", .limit = "7"};
    ck_assert_int_eq(range_read(&range, &texts, MAX_EVENTS, own_key, &err), 0);
    ck_assert_int_eq(range.since, T0);
    ck_assert_int_eq(range.limit, 7);
    texts.page = "0";
    ck_assert_int_eq(range_read(&range, &texts, MAX_EVENTS, own_key, &err), -1);
    ck_assert_str_eq(err.text, "page: expected a whole number from 1");
    /* A JSON string has no bound of its own. */
    static char endless[100000];
    memset(endless, '2', sizeof(endless) - 1);
    texts = (struct range_texts){.since = endless};
    ck_assert_int_eq(range_read(&range, &texts, MAX_EVENTS, own_key, &err), -1);
    texts = (struct range_texts){.cursor = endless};
    ck_assert_int_eq(range_read(&range, &texts, MAX_EVENTS, own_key, &err), -1);
}
END_TEST

/* ---- cursors ---- */

static const struct {
    struct range range;
    int64_t total, max_seq;
    struct range_place place;
} chains[] = {
    {{.since = INT64_MIN, .until = INT64_MAX, .page = 1}, 0, 0, {0, 0}},
    {{.since = T0, .until = T0 + HOUR, .page = 3}, 270, 1234, {T0 + 5, 77}},
    {{.since = -62167219200000, .until = 253402300799999, .page = 12}, 10000000, 10000000, {-1, 1}},
    {{.since = INT64_MAX, .until = INT64_MIN, .page = INT64_MAX - 1},
     INT64_MAX,
     INT64_MAX,
     {INT64_MIN, INT64_MAX}},
};

static void make_query(char *query, size_t size, const char *before, const char *cursor,
                       const char *after)
{
    int len = snprintf(query, size, "%scursor=%s%s", before, cursor, after);
    ck_assert(len > 0 && (size_t)len < size);
}

START_TEST(cursors_carry_the_chain)
{
    char cursor[RANGE_CURSOR_SIZE];
    char query[512];
    struct range range;
    struct error err = {""};

    range_cursor_write(cursor, &chains[_i].range, chains[_i].total, chains[_i].max_seq,
                       chains[_i].place, own_key);
    make_query(query, sizeof(query), "", cursor, "");
    ck_assert_msg(parse(&range, query, &err) == 0, "%s: %s", query, err.text);
    ck_assert(range.resumed);
    ck_assert_int_eq(range.since, chains[_i].range.since);
    ck_assert_int_eq(range.until, chains[_i].range.until);
    ck_assert_int_eq(range.page, chains[_i].range.page + 1);
    ck_assert_int_eq(range.limit, MAX_EVENTS);
    ck_assert_int_eq(range.total, chains[_i].total);
    ck_assert_int_eq(range.max_seq, chains[_i].max_seq);
    ck_assert_int_eq(range.after.ts, chains[_i].place.ts);
    ck_assert_int_eq(range.after.seq, chains[_i].place.seq);

    /* A chain goes on from link to link. */
    struct range_place next = {range.after.ts, range.after.seq - 1};
    range_cursor_write(cursor, &range, range.total, range.max_seq, next, own_key);
    make_query(query, sizeof(query), "", cursor, "");
    ck_assert_int_eq(parse(&range, query, &err), 0);
    ck_assert_int_eq(range.since, chains[_i].range.since);
    ck_assert_int_eq(range.after.seq, chains[_i].place.seq - 1);
    ck_assert_int_ge(range.page, chains[_i].range.page + 1);
}
END_TEST

START_TEST(beside_a_cursor_only_limit_counts)
{
    char cursor[RANGE_CURSOR_SIZE];
    char query[512];
    struct range range;
    struct error err = {""};

    range_cursor_write(cursor, &chains[1].range, 270, 1234, chains[1].place, own_key);
    make_query(query, sizeof(query), "since=2025-01-01&until=rubbish&page=0&", cursor,
               "&after=%zz&limit=25");
    ck_assert_msg(parse(&range, query, &err) == 0, "%s", err.text);
    ck_assert_int_eq(range.since, T0);
    ck_assert_int_eq(range.until, T0 + HOUR);
    ck_assert_int_eq(range.page, 4);
    ck_assert_int_eq(range.limit, 25);
    make_query(query, sizeof(query), "limit=-1&", cursor, "");
    ck_assert_int_eq(parse(&range, query, &err), -1);
    ck_assert_int_eq(strncmp(err.text, "limit: ", 7), 0);
}
END_TEST

static const char refusal[] = "cursor: not one that this server has given out";

/* Not through an URL: every byte value is to be tried. */
static void assert_refused(const char *cursor)
{
    struct range range;
    struct error err = {""};
    struct range_texts texts = {.cursor = cursor};
    ck_assert_msg(range_read(&range, &texts, MAX_EVENTS, own_key, &err) == -1, "taken: %s", cursor);
    ck_assert_str_eq(err.text, refusal);
}

START_TEST(every_changed_byte_is_refused)
{
    char cursor[RANGE_CURSOR_SIZE];
    range_cursor_write(cursor, &chains[_i].range, chains[_i].total, chains[_i].max_seq,
                       chains[_i].place, own_key);
    size_t len = strlen(cursor);
    for (size_t at = 0; at < len; at++) {
        char was = cursor[at];
        /* All 255 others: single flipped bits are among them. */
        for (int value = 0; value < 256; value++) {
            cursor[at] = (char)value;
            if (cursor[at] != was)
                assert_refused(cursor);
        }
        cursor[at] = was;
    }
}
END_TEST

START_TEST(swapped_cut_and_lengthened_cursors_are_refused)
{
    char cursor[RANGE_CURSOR_SIZE];
    char other[2 * RANGE_CURSOR_SIZE];
    range_cursor_write(cursor, &chains[1].range, 270, 1234, chains[1].place, own_key);
    size_t len = strlen(cursor);

    for (size_t at = 0; at + 1 < len; at++) {
        memcpy(other, cursor, len + 1);
        other[at] = cursor[at + 1];
        other[at + 1] = cursor[at];
        if (strcmp(other, cursor) != 0)
            assert_refused(other);
    }
    for (size_t cut = 0; cut < len; cut++) {
        snprintf(other, sizeof(other), "%.*s", (int)cut, cursor);
        assert_refused(other);
        assert_refused(cursor + len - cut);
    }
    for (int c = 1; c < 256; c++) {
        snprintf(other, sizeof(other), "%s%c", cursor, c);
        assert_refused(other);
        snprintf(other, sizeof(other), "%c%s", c, cursor);
        assert_refused(other);
    }
    snprintf(other, sizeof(other), "%s%s", cursor, cursor);
    assert_refused(other);
}
END_TEST

START_TEST(foreign_keys_are_refused)
{
    for (size_t byte = 0; byte < SIPHASH_KEY_BYTES; byte++) {
        for (int bit = 0; bit < 8; bit++) {
            unsigned char key[SIPHASH_KEY_BYTES];
            char cursor[RANGE_CURSOR_SIZE];
            memcpy(key, own_key, sizeof(key));
            key[byte] ^= (unsigned char)(1 << bit);
            range_cursor_write(cursor, &chains[1].range, 270, 1234, chains[1].place, key);
            assert_refused(cursor);
        }
    }
}
END_TEST

static const char *const garbage[] = {
    "",
    "x",
    "null",
    "-1",
    "eyJ0cyI6MX0",
    "../../etc/passwd",
    "' OR 1=1 --",
    "\xff\xfe",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "_______________________________________________________________________________________",
};

START_TEST(garbage_is_refused)
{
    assert_refused(garbage[_i]);
}
END_TEST

START_TEST(cursors_are_plain_in_an_url)
{
    char cursor[RANGE_CURSOR_SIZE];
    range_cursor_write(cursor, &chains[_i].range, chains[_i].total, chains[_i].max_seq,
                       chains[_i].place, own_key);
    size_t len = strlen(cursor);
    ck_assert_uint_gt(len, 0);
    ck_assert_uint_eq(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_"),
                      len);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("range");
    TCase *query = tcase_create("query");
    TCase *cursor = tcase_create("cursor");

    tcase_add_loop_test(query, parameters_are_found_and_decoded, 0, COUNT(parameters));
    tcase_add_loop_test(query, windows_are_read, 0, COUNT(windows));
    tcase_add_loop_test(query, unreadable_values_are_refused_by_name, 0, COUNT(bad_queries));
    tcase_add_test(query, endless_values_are_refused);
    tcase_add_test(query, single_values_are_read_like_a_query);
    tcase_add_loop_test(cursor, cursors_carry_the_chain, 0, COUNT(chains));
    tcase_add_test(cursor, beside_a_cursor_only_limit_counts);
    tcase_add_loop_test(cursor, every_changed_byte_is_refused, 0, COUNT(chains));
    tcase_add_test(cursor, swapped_cut_and_lengthened_cursors_are_refused);
    tcase_add_test(cursor, foreign_keys_are_refused);
    tcase_add_loop_test(cursor, garbage_is_refused, 0, COUNT(garbage));
    tcase_add_loop_test(cursor, cursors_are_plain_in_an_url, 0, COUNT(chains));
    suite_add_tcase(suite, query);
    suite_add_tcase(suite, cursor);
    return unit_main(suite);
}
