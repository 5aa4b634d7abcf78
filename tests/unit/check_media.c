#include "contract/media.h"
#include "unit.h"

static const struct {
    const char *path, *type;
    bool packs, has_extension, hashed;
} cases[] = {
    {"index.html", "text/html; charset=utf-8", true, true, false},
    {"INDEX.HTML", "text/html; charset=utf-8", true, true, false},
    {"assets/index.js", "text/javascript; charset=utf-8", true, true, false},
    {"assets/index-B3xYz_-q.js", "text/javascript; charset=utf-8", true, true, true},
    {"assets/index-B3xYz_-q.js.map", "application/json", true, true, true},
    {"sub/assets/index-B3xYz_-q.css", "text/css; charset=utf-8", true, true, true},
    {"assets/deep/index-B3xYz_-q.css", "text/css; charset=utf-8", true, true, true},
    {"assets/index.4a5b6c7d.css", "text/css; charset=utf-8", true, true, true},
    {"assets/index-4a5b6c7d.css", "text/css; charset=utf-8", true, true, true},
    {"assets/vendor.min-B3xYz_9q.mjs", "text/javascript; charset=utf-8", true, true, true},
    {"index-B3xYz_-q.js", "text/javascript; charset=utf-8", true, true, false},
    {"myassets/index-B3xYz_-q.js", "text/javascript; charset=utf-8", true, true, false},
    {"assets/index-settings.js", "text/javascript; charset=utf-8", true, true, false},
    {"assets/icon-DarkMode.svg", "image/svg+xml", true, true, false},
    {"assets/inter-latin400.woff2", "font/woff2", false, true, false},
    {"assets/log-20240101.txt", "text/plain; charset=utf-8", true, true, false},
    {"assets/abcdefgh.png", "image/png", false, true, false},
    {"assets/-B3xYz_9q.png", "image/png", false, true, true},
    {"assets/B3xYz_9q.png", "image/png", false, true, false},
    {"assets/index-B3xYz_9q", "application/octet-stream", true, false, false},
    {"assets/index-B3xYz 9q.js", "text/javascript; charset=utf-8", true, true, false},
    {"favicon.ico", "image/vnd.microsoft.icon", true, true, false},
    {"a.webmanifest", "application/manifest+json", true, true, false},
    {"a.wasm", "application/wasm", true, true, false},
    {"photo.JPEG", "image/jpeg", false, true, false},
    {"a.tar.gz", "application/octet-stream", true, true, false},
    {"LICENSE", "application/octet-stream", true, false, false},
    {"a.d/events", "application/octet-stream", true, false, false},
    {".html", "application/octet-stream", true, false, false},
    {"a/.html", "application/octet-stream", true, false, false},
    {"ends.", "application/octet-stream", true, true, false},
    {"", "application/octet-stream", true, false, false},
};

START_TEST(media_is_told_by_the_name)
{
    struct media media = media_of(cases[_i].path);
    ck_assert_str_eq(media.type, cases[_i].type);
    ck_assert_msg(media.packs == cases[_i].packs, "%s", cases[_i].path);
    ck_assert_msg(media_has_extension(cases[_i].path) == cases[_i].has_extension, "%s",
                  cases[_i].path);
    ck_assert_msg(media_hashed(cases[_i].path) == cases[_i].hashed, "%s", cases[_i].path);
}
END_TEST

static const struct {
    const char *accept;
    bool html;
} accepts[] = {
    {"text/html", true},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
    {"application/json, TEXT/HTML ;q=0.1", true},
    {" \ttext/html;level=1", true},
    {"text/html;q=0.001", true},
    {"text/html;q=1", true},
    {"text/html;q=0", false},
    {"text/html; q=0.000, */*", false},
    {"text/html;level=1;q=0", false},
    {"*/*", false},
    {"text/*", false},
    {"text/htmlx", false},
    {"application/json", false},
    {"image/avif,image/webp,*/*;q=0.8", false},
    {",,;", false},
    {"", false},
    {NULL, false},
};

START_TEST(media_html_must_be_asked_for_by_name)
{
    const char *accept = accepts[_i].accept;
    ck_assert_msg(media_accepts_html(accept) == accepts[_i].html, "%s",
                  accept != NULL ? accept : "no header");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media");
    TCase *tcase = tcase_create("media");
    tcase_add_loop_test(tcase, media_is_told_by_the_name, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(tcase, media_html_must_be_asked_for_by_name, 0,
                        (int)(sizeof accepts / sizeof *accepts));
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
