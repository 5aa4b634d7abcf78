#include <stdio.h>
#include <string.h>

#include "server/head.h"
#include "unit.h"

#define MAX_BODY 1000

struct head_case {
    const char *name; /* a sentence */
    const char *text;
    int refuse;
};

#define HOST "Host: h\r\n"

static const struct head_case head_cases[] = {
    {"a plain GET passes", "GET / HTTP/1.1\r\n" HOST "\r\n", 0},
    {"HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", 0},
    {"HTTP/1.1 needs a Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two Hosts are one too many", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"a POST with a length passes", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 0},
    {"names are compared without case", "POST /e HTTP/1.1\r\nhOST: h\r\ncontent-LENGTH:5\r\n\r\n",
     0},
    {"a chunked POST passes", "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", 0},
    {"a body of the limit passes", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n", 0},
    {"a body over the limit is told", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n",
     413},
    {"a huge body is told", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 1000000000000\r\n\r\n",
     413},
    {"a number past all sizes is malformed",
     "POST /e HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 400},
    {"a POST without any length is refused", "POST /e HTTP/1.1\r\n" HOST "\r\n", 400},
    {"two lengths", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
     400},
    {"a list of lengths", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400},
    {"a signed length", "POST /e HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
    {"a negative length", "POST /e HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400},
    {"a hexadecimal length", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400},
    {"an empty length", "POST /e HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
    {"space before the colon", "POST /e HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n", 400},
    {"length beside coding",
     "POST /e HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"coding beside length",
     "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {"a tab in front of a value", "GET / HTTP/1.1\r\n" HOST "X-Tracker-Key:\tk\r\n\r\n", 400},
    {"a tab behind a space", "GET / HTTP/1.1\r\n" HOST "X: \tk\r\n\r\n", 400},
    {"two slashes", "GET //x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"another coding", "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"identity coding", "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"coding twice",
     "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"coding with a tail", "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;a\r\n\r\n", 400},
    {"coding in HTTP/1.0", "POST /e HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"GET with a body", "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 400},
    {"GET with an empty body passes", "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0},
    {"HEAD with a body", "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 400},
    {"OPTIONS with a coding", "OPTIONS / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
     400},
    {"a folded line", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
    {"a header without colon", "GET / HTTP/1.1\r\n" HOST "Junk\r\n\r\n", 400},
    {"a header without name", "GET / HTTP/1.1\r\n" HOST ": v\r\n\r\n", 400},
    {"a bracket in a name", "GET / HTTP/1.1\r\n" HOST "X(y): v\r\n\r\n", 400},
    {"a control character in a value", "GET / HTTP/1.1\r\n" HOST "X: a\001b\r\n\r\n", 400},
    {"a lone CR in a value", "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
    {"a tab and high bytes in a value pass", "GET / HTTP/1.1\r\n" HOST "X: a\tb\xc3\xa9\r\n\r\n",
     0},
    {"a lone LF ends no line", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
    {"a lone LF ends no head", "GET / HTTP/1.1\r\n" HOST "\n", 400},
    {"two Origins", "GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: b\r\n\r\n", 400},
    {"two keys", "GET / HTTP/1.1\r\n" HOST "X-Tracker-Key: a\r\nX-Tracker-Key: b\r\n\r\n", 400},
    {"two encodings",
     "POST /e HTTP/1.1\r\n" HOST
     "Content-Length: 1\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n",
     400},
    {"100-continue passes",
     "POST /e HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n", 0},
    {"another expectation", "POST /e HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: x\r\n\r\n",
     417},
    {"an unknown method", "FOO / HTTP/1.1\r\n" HOST "\r\n", 405},
    {"CONNECT", "CONNECT h:1 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"TRACE", "TRACE / HTTP/1.1\r\n" HOST "\r\n", 405},
    {"methods are compared with case", "get / HTTP/1.1\r\n" HOST "\r\n", 405},
    {"a method of odd characters", "G@T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a method past all reason", "ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"no method", " / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target", "GET http://h/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a fragment", "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a raw high byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"no target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a space too many", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"HTTP/0.9", "GET /\r\n\r\n", 400},
    {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", 400},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505},
    {"HTTPS/1.1", "GET / HTTPS/1.1\r\n" HOST "\r\n", 400},
};

START_TEST(head_is_judged_by_the_table)
{
    const struct head_case *c = &head_cases[_i];
    struct head head;
    size_t len = strlen(c->text), seen = 0;
    ck_assert_msg(head_end(c->text, len, &seen) == len, "%s: its end", c->name);
    head_check(c->text, len, MAX_BODY, &head);
    ck_assert_msg(head.refuse == c->refuse, "%s: %d, not %d (%s)", c->name, head.refuse, c->refuse,
                  head.why != NULL ? head.why : "");
    ck_assert_msg((head.why != NULL) == (head.refuse != 0), "%s: says why", c->name);
}
END_TEST

START_TEST(head_with_a_nul_is_refused)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
    struct head head;
    head_check(text, sizeof text - 1, MAX_BODY, &head);
    ck_assert_int_eq(head.refuse, 400);
}
END_TEST

START_TEST(head_tells_target_origin_and_host_of_what_it_refuses)
{
    static const char text[] =
        "POST /a?b HTTP/1.1\r\nOrigin: http://o\r\nHost:  h:1 \r\nContent-Length: 5000\r\n\r\n";
    struct head head;
    head_check(text, sizeof text - 1, MAX_BODY, &head);
    ck_assert_int_eq(head.refuse, 413);
    ck_assert_uint_eq(head.content_length, 5000);
    ck_assert_int_eq(head.target.len, 4);
    ck_assert_int_eq(strncmp(head.target.at, "/a?b", 4), 0);
    ck_assert_int_eq(head.origin.len, 8);
    ck_assert_int_eq(strncmp(head.origin.at, "http://o", 8), 0);
    ck_assert_int_eq(head.host.len, 3);
    ck_assert_int_eq(strncmp(head.host.at, "h:1", 3), 0);
}
END_TEST

START_TEST(head_tells_nothing_that_is_ambiguous)
{
    static const char text[] =
        "GET x HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\nHost: a\r\nHost: b\r\n\r\n";
    struct head head;
    head_check(text, sizeof text - 1, MAX_BODY, &head);
    ck_assert_ptr_null(head.origin.at);
    ck_assert_ptr_null(head.host.at);
    ck_assert_ptr_null(head.target.at);
}
END_TEST

START_TEST(head_of_a_chunked_body_is_rewritten_with_its_length)
{
    static const char text[] =
        "POST /e HTTP/1.1\r\nHost: h\r\nTRANSFER-encoding: chunked\r\nExpect: "
        "100-continue\r\nX-Tracker-Key: k\r\n\r\n";
    static const char expected[] =
        "POST /e HTTP/1.1\r\nHost: h\r\nX-Tracker-Key: k\r\nContent-Length: 42\r\n\r\n";
    struct bytes out;
    struct head head;
    bytes_init(&out);
    head_check(text, sizeof text - 1, MAX_BODY, &head);
    ck_assert(head.refuse == 0 && head.chunked && head.expects && !head.http_1_0);
    ck_assert(head.method.len == 4 && memcmp(head.method.at, "POST", 4) == 0);
    ck_assert_int_eq(head_with_length(text, sizeof text - 1, 42, &out), 0);
    ck_assert_uint_eq(out.len, sizeof expected - 1);
    ck_assert_mem_eq(out.data, expected, out.len);
    head_check(out.data, out.len, MAX_BODY, &head);
    ck_assert(head.refuse == 0 && !head.chunked && !head.expects);
    ck_assert_uint_eq(head.content_length, 42);
    bytes_clear(&out);
}
END_TEST

START_TEST(head_end_is_found_however_the_bytes_come)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nbody\n\n";
    size_t end = strlen("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for (size_t step = 1; step < sizeof text; step++) {
        size_t seen = 0, found = 0, len = 0;
        while (found == 0 && len < sizeof text - 1) {
            len = len + step < sizeof text - 1 ? len + step : sizeof text - 1;
            found = head_end(text, len, &seen);
            ck_assert_uint_le(seen, len);
            ck_assert((found != 0) == (len >= end));
        }
        ck_assert_uint_eq(found, end);
    }
}
END_TEST

static const struct {
    const char *lines; /* header lines */
    bool are;
} head_types[] = {
    {"Content-Type: application/x-ndjson\r\n", true},
    {"content-type:Application/X-NDJSON \r\n", true},
    {"Content-Type: application/x-ndjson; charset=utf-8\r\n", true},
    {"Content-Type: application/x-ndjson ;a\r\n", true},
    {"Content-Type: application/json\r\n", false},
    {"Content-Type: application/x-ndjson2\r\n", false},
    {"Content-Type: application/x-ndjson, text/plain\r\n", false},
    {"Content-Type:\r\n", false},
    {"Content-Type: application/x-ndjson\r\nContent-Type: application/x-ndjson\r\n", false},
    {"Content-Type: application/x-ndjson\r\nContent-Type: text/plain\r\n", false},
    {"X-Content-Type: application/x-ndjson\r\n", false},
};

START_TEST(head_of_lines_may_have_a_body_of_any_length)
{
    char text[300];
    struct head head;
    snprintf(text, sizeof text,
             "POST /e HTTP/1.1\r\n" HOST "%sContent-Length: 1000000000000\r\n\r\n",
             head_types[_i].lines);
    head_check(text, strlen(text), MAX_BODY, &head);
    ck_assert_int_eq(head.lines, head_types[_i].are);
    ck_assert_int_eq(head.refuse, head_types[_i].are ? 0 : 413);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("head");
    TCase *tcase = tcase_create("head");
    tcase_add_loop_test(tcase, head_is_judged_by_the_table, 0,
                        (int)(sizeof head_cases / sizeof *head_cases));
    tcase_add_test(tcase, head_with_a_nul_is_refused);
    tcase_add_test(tcase, head_tells_target_origin_and_host_of_what_it_refuses);
    tcase_add_test(tcase, head_tells_nothing_that_is_ambiguous);
    tcase_add_test(tcase, head_of_a_chunked_body_is_rewritten_with_its_length);
    tcase_add_test(tcase, head_end_is_found_however_the_bytes_come);
    tcase_add_loop_test(tcase, head_of_lines_may_have_a_body_of_any_length, 0,
                        (int)(sizeof head_types / sizeof *head_types));
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
