#include <string.h>

#include "contract/url_path.h"
#include "unit.h"

static const struct {
    const char *path, *name; /* NULL: refused */
} cases[] = {
    {"/", ""},
    {"/index.html", "index.html"},
    {"/assets/a-b_c.js", "assets/a-b_c.js"},
    {"/sub/", "sub/"},
    {"/a%20b%2Ec", "a b.c"},
    {"/%c3%bc.png", "\303\274.png"},
    {"/%C3%BC.png", "\303\274.png"},
    {"/\303\274.png", "\303\274.png"},
    {"/a%2525", "a%25"}, /* decoded once */
    {"/a..b/c...", "a..b/c..."},
    {"/a+b", "a+b"},
    {"/a:b@c;d=e&f", "a:b@c;d=e&f"},
    {"", NULL},
    {"index.html", NULL},
    {"//", NULL},
    {"//index.html", NULL},
    {"/a//b", NULL},
    {"/a//", NULL},
    {"/.", NULL},
    {"/..", NULL},
    {"/../", NULL},
    {"/a/../b", NULL},
    {"/a/./b", NULL},
    {"/a/..", NULL},
    {"/.hidden", NULL},
    {"/a/.hidden/b", NULL},
    {"/...", NULL},
    {"/%2e%2e/b", NULL},
    {"/%2E./b", NULL},
    {"/.%2e", NULL},
    {"/%2e", NULL},
    {"/%2ehidden", NULL},
    {"/a%2fb", NULL},
    {"/a%2Fb", NULL},
    {"/%2f", NULL},
    {"/a%5cb", NULL},
    {"/a\\b", NULL},
    {"/..\\b", NULL},
    {"/..%5c..%5cb", NULL},
    {"/a%00", NULL},
    {"/a%00.html", NULL},
    {"/%00", NULL},
    {"/a%0a", NULL},
    {"/a%7f", NULL},
    {"/a%", NULL},
    {"/a%2", NULL},
    {"/a%2/b", NULL},
    {"/a%/2e", NULL},
    {"/a%zz", NULL},
    {"/a%+2", NULL},
    {"/a%u002e", NULL},
    {"/%c0%ae%c0%ae/b", NULL}, /* overlong */
    {"/%c0%af", NULL},
    {"/%e0%80%af", NULL},
    {"/%f0%80%80%af", NULL},
    {"/%ed%a0%80", NULL}, /* a surrogate */
    {"/%ff", NULL},
    {"/%c3", NULL},
};

START_TEST(url_path_has_one_spelling_of_a_name)
{
    char out[URL_PATH_SIZE];
    const char *path = cases[_i].path, *name = cases[_i].name;
    ck_assert_msg(url_path_decode(path, strlen(path), out) == (name != NULL ? 0 : -1), "%s", path);
    if (name != NULL)
        ck_assert_str_eq(out, name);
}
END_TEST

/* What stands behind len is not looked at: an escape is not completed from there. */
START_TEST(url_path_ends_where_it_is_said_to)
{
    char out[URL_PATH_SIZE];
    ck_assert_int_eq(url_path_decode("/a%41?", 5, out), 0);
    ck_assert_str_eq(out, "aA");
    ck_assert_int_eq(url_path_decode("/a%41", 4, out), -1);
    ck_assert_int_eq(url_path_decode("/a%41", 3, out), -1);
    ck_assert_int_eq(url_path_decode("/a/b", 3, out), 0);
    ck_assert_str_eq(out, "a/");
}
END_TEST

START_TEST(url_path_has_room_for_so_much)
{
    char path[2 * URL_PATH_SIZE], out[URL_PATH_SIZE];
    for (size_t len = 1; len < sizeof path; len++) {
        /* Segments of 200. */
        for (size_t i = 0; i < len; i++)
            path[i] = i % 201 == 0 ? '/' : 'x';
        bool fits = len - 1 < URL_PATH_SIZE - 1;
        int status = url_path_decode(path, len, out);
        if (fits || len - 1 > URL_PATH_SIZE)
            ck_assert_msg(status == (fits ? 0 : -1), "%zu bytes", len);
        if (status == 0)
            ck_assert_uint_eq(strlen(out), len - 1);
    }
    memset(path, 'x', sizeof path);
    path[0] = '/';
    ck_assert_int_eq(url_path_decode(path, 256, out), 0);
    ck_assert_int_eq(url_path_decode(path, 257, out), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("url_path");
    TCase *tcase = tcase_create("url_path");
    tcase_add_loop_test(tcase, url_path_has_one_spelling_of_a_name, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tcase, url_path_ends_where_it_is_said_to);
    tcase_add_test(tcase, url_path_has_room_for_so_much);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
