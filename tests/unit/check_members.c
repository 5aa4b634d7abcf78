/* Members of an event, and what may have been sent for it. */

#include "contract/members.h"

#include <string.h>

#include "base/hash_set.h"
#include "contract/batch.h"
#include "contract/resent.h"
#include "dice.h"
#include "unit.h"

static const struct members_name names[] = {MEMBERS_NAME("userId"), MEMBERS_NAME("type"),
                                            MEMBERS_NAME("id")};

static bool any(const char *text, const char *wanted)
{
    /* A copy of that size: nothing behind it may be read. */
    size_t len = strlen(text);
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    bool found = members_any(copy, len, &names[0], wanted, strlen(wanted));
    free(copy);
    return found;
}

START_TEST(members_find_the_wanted_value_however_it_is_written)
{
    static const struct {
        const char *text, *wanted;
        bool found;
    } rows[] = {
        {"{\"userId\":\"ab\"}", "ab", true},
        {" {\n\"userId\" : \"ab\" , \"a\":1}", "ab", true},
        {"{\"userId\":\"\\u0061b\"}", "ab", true},
        {"{\"userId\":\"a\\u0062\"}", "ab", true},
        {"{\"us\\u0065rId\":\"ab\"}", "ab", true},
        {"{\"userId\":\"\\u00e9\\ud83d\\ude00\\n\"}", "\xc3\xa9\xf0\x9f\x98\x80\n", true},
        {"{\"userId\":\"\\ud83dx\"}", "\xed\xa0\xbdx", true},
        {"{\"userId\":\"\\ud83d\\u0041\"}",
         "\xed\xa0\xbd"
         "A",
         true},
        {"{\"userId\":\"ab\",\"userId\":\"c\"}", "ab", true},
        {"{\"userId\":\"c\",\"userId\":\"ab\"}", "ab", true},
        {"{\"userId\":42}", "42", true},
        {"{\"userId\":-4.20}", "-4.20", true},
        {"{\"userId\":\"abc\"}", "ab", false},
        {"{\"userId\":\"a\"}", "ab", false},
        {"{\"userId\":\"\\u0061\"}", "ab", false},
        {"{\"userId\":\"\\u0061bc\"}", "ab", false},
        {"{\"userId\":\"AB\"}", "ab", false},
        {"{\"userid\":\"ab\"}", "ab", false},
        {"{\"context\":{\"userId\":\"ab\"}}", "ab", false},
        {"{\"context\":[\"userId\",\"ab\"]}", "ab", false},
        {"{\"userId\":[\"ab\"]}", "ab", false},
        {"{\"userId\":null}", "null", false},
        {"{\"userId\":true}", "true", false},
        {"{\"userId\":{}}", "{}", false},
        {"{}", "ab", false},
        {"[]", "ab", false},
        {"", "ab", false},
        {"\"userId\":\"ab\"", "ab", false},
        {"{\"userId\":\"ab", "ab", false},
        {"{\"x\":\"\\u00", "ab", false},
        {"{\"userId\":", "ab", false},
        {"{\"userId\"", "ab", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(any(rows[i].text, rows[i].wanted) == rows[i].found, "%s", rows[i].text);
}
END_TEST

START_TEST(members_read_the_last_of_each)
{
    static const char text[] =
        "{\"type\":\"a\",\"x\":{\"type\":\"no\"},\"type\":\"b\",\"id\":[1, 2],\"z\":0}";
    struct scan_field fields[3];
    ck_assert_int_eq(members_read(text, strlen(text), names, 3, fields), 0);
    ck_assert_int_eq(fields[0].kind, SCAN_ABSENT);
    ck_assert_int_eq(fields[1].kind, SCAN_STRING);
    ck_assert(members_equal(text, &fields[1], "b", 1));
    ck_assert_int_eq(fields[2].kind, SCAN_OTHER);
    ck_assert_uint_eq(fields[2].value.len, 6);
    ck_assert_mem_eq(text + fields[2].value.at, "[1, 2]", 6);
    ck_assert_int_eq(members_read("[]", 2, names, 3, fields), -1);
    ck_assert_int_eq(members_read("{\"id\":1,}", 9, names, 3, fields), -1);
}
END_TEST

/* --- what may have been sent ------------------------------------------------------------------ */

static const unsigned char key[SIPHASH_KEY_BYTES] = {3};

/* Stores the element and looks whether its mark is among those of what is stored. */
static bool known(const char *element)
{
    struct batch *batch;
    struct uuid_source uuids;
    struct bytes body = {0}, scratch = {0};
    const struct batch_limits limits = {1 << 20, 512};
    uint64_t hashes[RESENT_MOST];
    size_t count;
    uuid_source_init(&uuids);
    ck_assert_int_eq(bytes_append_format(&body, "{\"events\":[%s]}", element), 0);
    ck_assert_int_eq(batch_read(body.data, body.len, &limits, &uuids, key, 0, &batch, NULL),
                     BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_int_eq(resent_hashes(key, batch->events[0].text, batch->events[0].text_len, &scratch,
                                   hashes, &count),
                     0);
    ck_assert_uint_le(count, RESENT_MOST);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || hashes[i] == batch->marks.running[0];
    batch_free(batch);
    bytes_clear(&body);
    bytes_clear(&scratch);
    return found;
}

START_TEST(resent_holds_what_was_sent)
{
    static const char *const elements[] = {
        "{\"id\":\"\",\"timestamp\":\"2024-03-15\"}",
        "{\"timestamp\":\"2024-03-15\"}",
        "{  \"timestamp\":\"2024-03-15\" , \"a\":\"\\ud800\"  }",
        "{\"id\":null,\"timestamp\":\"2024-03-15\"}",
        "{\"timestamp\":\"2024-03-15\",\"id\":\"\"}",
        "{\"timestamp\":\"2024-03-15\",\"id\":null }",
        "{\"id\":5,\"timestamp\":\"2024-03-15\",\"i\\u0064\":\"\"}",
        "{\"id\":\"given\",\"timestamp\":\"2024-03-15\"}",
        "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"timestamp\":\"2024-03-15\"}",
    };
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        ck_assert_msg(known(elements[i]), "%s", elements[i]);
}
END_TEST

/* Such hashes cost next to nothing to make where the hash is known; in one row of places each new
 * one would be compared with all the others. */
START_TEST(hash_set_scatters_hashes_that_are_alike)
{
    for (unsigned shift = 16; shift <= 48; shift += 16) {
        uint64_t key = hash_set_key();
        bool taken[4096] = {false};
        size_t places = 0;
        for (uint64_t i = 0; i < 1000; i++) {
            size_t at = hash_set_spot(key, i * UINT64_C(0x9e3779b97f4a7c15) << shift | 5, 4096);
            ck_assert_uint_lt(at, 4096);
            places += !taken[at];
            taken[at] = true;
        }
        ck_assert_uint_gt(places, 100);
    }
}
END_TEST

START_TEST(hash_set_has_what_was_added)
{
    struct hash_set set = {0};
    struct dice dice = dice_new();
    for (int round = 0; round < 2; round++) {
        ck_assert(!hash_set_has(&set, 0));
        ck_assert(!hash_set_has(&set, 6));
        for (uint64_t i = 0; i < 20000; i++)
            ck_assert_int_eq(hash_set_add(&set, i * 3), 0);
        ck_assert_int_eq(hash_set_add(&set, 3), 0);
        ck_assert_uint_eq(set.count, 20000);
        for (int i = 0; i < 20000; i++) {
            uint64_t n = 2 + dice_roll(&dice, 70000); /* 0 and 1 are the same */
            ck_assert_int_eq(hash_set_has(&set, n), n % 3 == 0 && n < 60000);
        }
        hash_set_reset(&set);
    }
    hash_set_clear(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("members");
    TCase *tests = tcase_create("members");
    tcase_add_test(tests, members_find_the_wanted_value_however_it_is_written);
    tcase_add_test(tests, members_read_the_last_of_each);
    tcase_add_test(tests, resent_holds_what_was_sent);
    tcase_add_test(tests, hash_set_scatters_hashes_that_are_alike);
    tcase_add_test(tests, hash_set_has_what_was_added);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
