#include <string.h>

#include <zlib.h>

#include "page/page.h"
#include "unit.h"

static struct page page;

static void page_setup(void)
{
    page_init(&page);
}

static void page_teardown(void)
{
    page_clear(&page);
}

/* The page as a text. */
static const char *page_made(const char *prefix)
{
    page_clear(&page);
    ck_assert_int_eq(page_make(&page, prefix), 0);
    ck_assert_int_eq(bytes_append(&page.html, "", 1), 0);
    page.html.len--;
    return page.html.data;
}

START_TEST(page_asks_below_the_prefix_given)
{
    ck_assert_ptr_nonnull(
        strstr(page_made("/_tracker"), "<html lang=\"en\" data-prefix=\"/_tracker\">"));
    ck_assert_ptr_null(strstr(page.html.data, "@PREFIX@"));
    ck_assert_ptr_null(strstr(page.html.data, "@STYLE@"));
    ck_assert_ptr_null(strstr(page.html.data, "@SCRIPT@"));
}
END_TEST

START_TEST(page_escapes_a_prefix_that_would_end_the_attribute)
{
    const char *html = page_made("/a'\"><script>&amp;");
    ck_assert_ptr_nonnull(
        strstr(html, "data-prefix=\"/a&#39;&#34;&#62;&#60;script&#62;&#38;amp;\">\n<head>"));
}
END_TEST

/* The policy stays the same whatever the prefix is: it stands in neither style nor script. */
START_TEST(page_has_a_tag_that_tells_prefixes_apart_and_a_policy_that_does_not)
{
    char etag[PAGE_ETAG_SIZE], policy[PAGE_POLICY_SIZE];
    page_made("/a");
    memcpy(etag, page.etag, sizeof etag);
    memcpy(policy, page.policy, sizeof policy);
    ck_assert_uint_eq(strlen(etag), PAGE_ETAG_SIZE - 1);
    page_made("/a");
    ck_assert_str_eq(page.etag, etag);
    page_made("/b");
    ck_assert_str_ne(page.etag, etag);
    ck_assert_str_eq(page.policy, policy);
}
END_TEST

START_TEST(page_is_the_same_when_inflated)
{
    static char plain[1 << 20];
    z_stream z = {0};
    const char *html = page_made("/_tracker");
    ck_assert_int_eq(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    z.next_in = (Bytef *)page.gzip.data;
    z.avail_in = (uInt)page.gzip.len;
    z.next_out = (Bytef *)plain;
    z.avail_out = sizeof plain;
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.total_out, page.html.len);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert_mem_eq(plain, html, page.html.len);
    ck_assert_uint_lt(page.gzip.len, page.html.len / 2);
    inflateEnd(&z);
}
END_TEST

/* Nothing is cut off at the end: a policy without its last words would allow what they forbid. */
START_TEST(page_has_a_policy_that_is_whole)
{
    page_made("/_tracker");
    ck_assert_ptr_nonnull(strstr(page.policy, "default-src 'none'; script-src 'sha256-"));
    ck_assert_str_eq(strstr(page.policy, "trusted-types 'none'"), "trusted-types 'none'");
    ck_assert_ptr_null(strstr(page.policy, "unsafe"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page");
    TCase *tests = tcase_create("page");
    tcase_add_checked_fixture(tests, page_setup, page_teardown);
    tcase_add_test(tests, page_asks_below_the_prefix_given);
    tcase_add_test(tests, page_escapes_a_prefix_that_would_end_the_attribute);
    tcase_add_test(tests, page_has_a_tag_that_tells_prefixes_apart_and_a_policy_that_does_not);
    tcase_add_test(tests, page_is_the_same_when_inflated);
    tcase_add_test(tests, page_has_a_policy_that_is_whole);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
