/* Server-Sent Events: what goes out, and the ids that come back. */

#include <string.h>

#include "contract/sse.h"
#include "unit.h"

START_TEST(sse_event_is_one_line_of_data_behind_its_id)
{
    static const char event[] = "{\n\"a\":\r\"\xe2\x80\xa8\"}";
    static const char wanted[] =
        "retry: 2000\nid: 7\n\nid: 8\ndata: { \"a\": \"\xe2\x80\xa8\"}\n\n";
    struct bytes out;
    bytes_init(&out);
    ck_assert_int_eq(sse_append_hello(&out, 7), 0);
    ck_assert_int_eq(sse_append_event(&out, 8, event, sizeof event - 1), 0);
    ck_assert_uint_eq(out.len, sizeof wanted - 1);
    ck_assert(memcmp(out.data, wanted, out.len) == 0);
    bytes_clear(&out);
}
END_TEST

static const struct {
    const char *text;
    int64_t seq; /* -1: it is none */
} ids[] = {
    {"0", 0},   {"17", 17}, {"007", 7},  {"999999999999999999", 999999999999999999},
    {"", -1},   {"-1", -1}, {"+1", -1},  {"1000000000000000000", -1},
    {" 1", -1}, {"1 ", -1}, {"1e3", -1}, {"\xd9\xa1", -1},
};

START_TEST(sse_id_is_a_number)
{
    int64_t seq = -1;
    ck_assert_int_eq(sse_read_id(ids[_i].text, &seq), ids[_i].seq < 0 ? -1 : 0);
    ck_assert_int_eq(seq, ids[_i].seq);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sse");
    TCase *tcase = tcase_create("sse");
    tcase_add_test(tcase, sse_event_is_one_line_of_data_behind_its_id);
    tcase_add_loop_test(tcase, sse_id_is_a_number, 0, sizeof ids / sizeof *ids);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
