/*
 * Random bodies, whole and damaged, through the scanner and through jansson. What jansson takes the
 * scanner must take, with the same events; what only the scanner takes must be one of the things
 * that jansson is known to refuse although they are JSON.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "contract/scan.h"
#include "dice.h"
#include "unit.h"

#ifndef ROUNDS
#define ROUNDS 20000
#endif
#define MUTANTS 12 /* of each body */
#define MOST_EVENTS 4096

/* ---- random JSON ---- */

static struct dice dice;

static void put(struct bytes *out, const char *text)
{
    ck_assert_int_eq(bytes_append_text(out, text), 0);
}

static void put_one_of(struct bytes *out, const char *const *texts, size_t count)
{
    put(out, texts[dice_roll(&dice, count)]);
}
#define PUT_ONE_OF(out, texts) put_one_of(out, texts, sizeof(texts) / sizeof *(texts))

static void put_space(struct bytes *out)
{
    static const char *const spaces[] = {"", "", "", "", "", " ", "\n", "\t\r\n ", "            "};
    PUT_ONE_OF(out, spaces);
}

static void put_string(struct bytes *out)
{
    static const char *const parts[] = {
        "a",
        "id",
        "plain words of some length",
        "/",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\n",
        "\\u0041",
        "\\u00e9",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\\ud83d\\ude00",
        "\x7f",
        "0123456789abcdef",
        "{[,:]}",
        "\\uFFFF",
        "\\t",
    };
    /* What jansson refuses or the scanner faults. */
    static const char *const rare[] = {"\\ud800", "\\u0000", "\xff", "\xc0\x80", "\xed\xa0\x80"};
    put(out, "\"");
    for (size_t count = dice_roll(&dice, 5); count > 0; count--) {
        if (dice_roll(&dice, 400) == 0)
            PUT_ONE_OF(out, rare);
        else
            PUT_ONE_OF(out, parts);
    }
    put(out, "\"");
}

static void put_number(struct bytes *out)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "42",
        "19.90",
        "1e21",
        "-1.5E-3",
        "0.0",
        "9007199254740993",
        "1e+2",
        "9223372036854775807",
        "123456789012",
        "0e0",
        "2E5",
    };
    static const char *const rare[] = {"9223372036854775808", "1e999", "-1E400"};
    if (dice_roll(&dice, 300) == 0)
        PUT_ONE_OF(out, rare);
    else
        PUT_ONE_OF(out, numbers);
}

static void put_value(struct bytes *out, int depth);

static void put_members(struct bytes *out, int depth, bool event)
{
    static const char *const names[] = {
        "\"id\"", "\"timestamp\"", "\"i\\u0064\"", "\"\\u0074imestamp\"", "\"events\"", "\"\"",
    };
    put(out, "{");
    put_space(out);
    for (size_t count = dice_roll(&dice, event ? 7 : 4), i = 0; i < count; i++) {
        if (i > 0)
            put(out, ",");
        put_space(out);
        if (dice_roll(&dice, 2) == 0)
            PUT_ONE_OF(out, names);
        else
            put_string(out);
        put_space(out);
        put(out, ":");
        put_space(out);
        put_value(out, depth + 1);
        put_space(out);
    }
    put(out, "}");
}

static void put_array(struct bytes *out, int depth)
{
    put(out, "[");
    put_space(out);
    for (size_t count = dice_roll(&dice, 4), i = 0; i < count; i++) {
        if (i > 0)
            put(out, ",");
        put_space(out);
        put_value(out, depth + 1);
        put_space(out);
    }
    put(out, "]");
}

static void put_value(struct bytes *out, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    switch (dice_roll(&dice, depth > 5 ? 6 : 10)) {
    case 0:
    case 1:
        put_number(out);
        break;
    case 2:
        PUT_ONE_OF(out, words);
        break;
    case 3:
    case 4:
    case 5:
        put_string(out);
        break;
    case 6:
    case 7:
        put_array(out, depth);
        break;
    default:
        put_members(out, depth, false);
        break;
    }
}

static void put_events(struct bytes *out)
{
    static const char *const names[] = {"\"events\"", "\"events\"", "\"\\u0065vents\""};
    PUT_ONE_OF(out, names);
    put_space(out);
    put(out, ":");
    put_space(out);
    if (dice_roll(&dice, 20) == 0) {
        put_value(out, 1);
        return;
    }
    put(out, "[");
    put_space(out);
    for (size_t count = dice_roll(&dice, 6), i = 0; i < count; i++) {
        if (i > 0)
            put(out, ",");
        put_space(out);
        if (dice_roll(&dice, 12) == 0)
            put_value(out, 2);
        else
            put_members(out, 2, true);
        put_space(out);
    }
    put(out, "]");
}

static void put_body(struct bytes *out)
{
    put_space(out);
    if (dice_roll(&dice, 50) == 0) {
        put_value(out, 0);
        return;
    }
    put(out, "{");
    for (size_t count = 1 + dice_roll(&dice, 3), i = 0; i < count; i++) {
        if (i > 0)
            put(out, ",");
        put_space(out);
        if (i == 0 || dice_roll(&dice, 4) == 0) {
            put_events(out);
        } else {
            put_string(out);
            put(out, ":");
            put_value(out, 1);
        }
        put_space(out);
    }
    put(out, "}");
    put_space(out);
}

/* No NUL byte: jansson 2.14 steps over one behind a number (check_scan.c has those).
 * One to three bytes put in, taken out or replaced, or the end cut off. */
static void mutate(struct bytes *body)
{
    static const char bytes[] =
        "{}[]:,\"\\ \n\t0123456789-+.eEtfnu/abdrs\x80\xbf\xc3\xe2\xff\x01\x1f";
    for (size_t count = 1 + dice_roll(&dice, 3); count > 0 && body->len > 0; count--) {
        size_t at = dice_roll(&dice, body->len);
        char c = bytes[dice_roll(&dice, sizeof bytes - 1)];
        switch (dice_roll(&dice, 9)) {
        case 0:
        case 1:
        case 2:
            body->data[at] = c;
            break;
        case 3:
        case 4:
            memmove(body->data + at, body->data + at + 1, body->len - at - 1);
            body->len--;
            break;
        case 5:
        case 6:
        case 7:
            ck_assert_int_eq(bytes_append(body, &c, 1), 0);
            memmove(body->data + at + 1, body->data + at, body->len - at - 1);
            body->data[at] = c;
            break;
        default:
            body->len = dice_roll(&dice, 8) == 0 ? at : body->len;
            break;
        }
    }
}

/* ---- both readers on one body ---- */

static struct {
    struct scan_event events[MOST_EVENTS];
    size_t count;
    bool faulted; /* an event with any fault, also one that a later "events" made forget */
} scanned;

static struct {
    size_t both;         /* took it */
    size_t neither;      /* took it */
    size_t scan_only[5]; /* by why jansson did not */
    size_t events;       /* compared */
} seen;

static int on_event(void *arg, const struct scan_event *event)
{
    (void)arg;
    ck_assert_uint_lt(scanned.count, MOST_EVENTS);
    scanned.events[scanned.count++] = *event;
    scanned.faulted = scanned.faulted || event->fault != SCAN_FAULT_NONE;
    return 0;
}

static void on_restart(void *arg)
{
    (void)arg;
    scanned.count = 0;
}

static void fail_with(const char *why, const char *text, size_t len)
{
    ck_abort_msg("%s: %.*s", why, (int)(len < 2000 ? len : 2000), text);
}

static json_t *parse(const char *text, size_t len, json_error_t *error)
{
    return json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, error);
}

/* The member as jansson has it against the slice that the scanner found. */
static bool same_member(const char *text, const json_t *event, const char *name,
                        enum scan_kind kind, struct scan_slice slice)
{
    const json_t *wanted = json_object_get(event, name);
    if (wanted == NULL || kind == SCAN_ABSENT)
        return wanted == NULL && kind == SCAN_ABSENT;
    if (json_is_string(wanted) != (kind == SCAN_STRING))
        return false;
    size_t quote = kind == SCAN_STRING ? 1 : 0;
    json_t *found = parse(text + slice.at - quote, slice.len + 2 * quote, NULL);
    bool same = found != NULL && json_equal(found, wanted);
    if (same && kind == SCAN_STRING) {
        char *plain = malloc(slice.len + 1);
        size_t len = scan_unescape(text + slice.at, slice.len, plain);
        same =
            len == json_string_length(wanted) && memcmp(plain, json_string_value(wanted), len) == 0;
        free(plain);
    }
    json_decref(found);
    return same;
}

static void compare_event(const char *text, size_t len, const struct scan_event *event,
                          const json_t *wanted)
{
    seen.events++;
    if ((event->fault == SCAN_FAULT_NOT_OBJECT) != !json_is_object(wanted))
        fail_with("an object is none, or the other way round", text, len);
    if (event->fault != SCAN_FAULT_NONE && event->fault != SCAN_FAULT_NOT_OBJECT)
        fail_with("a fault that jansson does not see", text, len);
    json_t *found = parse(text + event->raw.at, event->raw.len, NULL);
    if (found == NULL || !json_equal(found, wanted))
        fail_with("a slice that is not the event", text, len);
    json_decref(found);
    if (!json_is_object(wanted))
        return;
    if (!same_member(text, wanted, "id", event->id_kind, event->id) ||
        !same_member(text, wanted, "timestamp", event->timestamp_kind, event->timestamp))
        fail_with("another id or timestamp", text, len);
}

static void compare_events(const char *text, size_t len, int status, const json_t *body)
{
    const json_t *events = json_object_get(body, "events");
    if (!json_is_array(events)) {
        if (status != SCAN_NO_EVENTS)
            fail_with("there are no events", text, len);
        return;
    }
    if (status != SCAN_OK || json_array_size(events) != scanned.count)
        fail_with("another number of events", text, len);
    for (size_t i = 0; i < scanned.count; i++)
        compare_event(text, len, &scanned.events[i], json_array_get(events, i));
}

/* Which of the known things jansson refuses, or -1. */
static int known_refusal(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow: /* integers beyond 64 bits, and 1e999 */
        return strstr(error->text, "integer") != NULL ? 0 : 1;
    case json_error_null_byte_in_key:
        return 2;
    case json_error_invalid_utf8: /* in an event it is a fault, not the end */
        return scanned.faulted ? 3 : -1;
    case json_error_invalid_syntax:
        return strncmp(error->text, "invalid Unicode '\\uD", 20) == 0 ? 4 : -1;
    default:
        return -1;
    }
}

static void compare(const struct bytes *body)
{
    /* A copy that ends where its memory ends, for the tools that watch over reads. */
    char *text = malloc(body->len + 1);
    memcpy(text + 1, body->data, body->len);
    static const struct scan_sink sink = {on_event, on_restart, NULL, NULL};
    scanned.count = 0;
    scanned.faulted = false;
    int status = scan_batch(text + 1, body->len, 512, &sink, NULL);
    json_error_t error;
    json_t *json = parse(text + 1, body->len, &error);
    if (json != NULL && status == SCAN_NO_JSON)
        fail_with("jansson takes it, the scanner does not", text + 1, body->len);
    if (json != NULL) {
        seen.both++;
        compare_events(text + 1, body->len, status, json);
    } else if (status == SCAN_NO_JSON) {
        seen.neither++;
    } else {
        int why = known_refusal(&error);
        if (why < 0)
            fail_with(error.text, text + 1, body->len);
        else
            seen.scan_only[why]++;
    }
    json_decref(json);
    free(text);
}

START_TEST(scan_takes_what_jansson_takes_and_hands_out_the_same)
{
    dice = dice_new();
    json_object_seed(1);
    struct bytes body, mutant;
    bytes_init(&body);
    bytes_init(&mutant);
    const unsigned rounds = unit_rounds(ROUNDS);
    for (unsigned round = 0; round < rounds; round++) {
        body.len = 0;
        put_body(&body);
        compare(&body);
        for (int i = 0; i < MUTANTS; i++) {
            mutant.len = 0;
            ck_assert_int_eq(bytes_append(&mutant, body.data, body.len), 0);
            mutate(&mutant);
            compare(&mutant);
        }
    }
    bytes_clear(&body);
    bytes_clear(&mutant);
    /* Every kind of end was met, or this test would show nothing. */
    ck_assert_uint_gt(seen.both, rounds / 2);
    ck_assert_uint_gt(seen.neither, rounds / 2);
    ck_assert_uint_gt(seen.events, rounds);
    for (int why = 0; why < 5; why++)
        ck_assert_uint_gt(seen.scan_only[why], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan_jansson");
    TCase *tests = tcase_create("scan_jansson");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, scan_takes_what_jansson_takes_and_hands_out_the_same);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
