#include "contract/access.h"

#include <string.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Builds an access from NULL-terminated lists; either may be NULL. */
static struct access *make_access(const char *const *keys, const char *const *origins, bool keyless)
{
    struct access *access = access_new();
    struct error err;
    ck_assert_ptr_nonnull(access);
    for (; keys != NULL && *keys != NULL; keys++)
        ck_assert_msg(access_add_key(access, *keys, &err) == 0, "%s", err.text);
    for (; origins != NULL && *origins != NULL; origins++)
        ck_assert_msg(access_add_origin(access, *origins, &err) == 0, "%s", err.text);
    if (keyless)
        access_allow_keyless(access);
    return access;
}

#define A16 "aaaaaaaaaaaaaaaa"
#define A256 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16

/* ---- keys as text ---- */

#define BOTH (ACCESS_INGEST | ACCESS_QUERY)

static const struct {
    const char *text;
    const char *key;
    unsigned scopes;
} good_keys[] = {
    {"k", "k", BOTH},
    {"tk_test-9", "tk_test-9", BOTH},
    {"!#$%&'*+,;=~", "!#$%&'*+,;=~", BOTH},
    {"k:ingest", "k", ACCESS_INGEST},
    {"k:query", "k", ACCESS_QUERY},
    {"k:ingest,query", "k", BOTH},
    {"k:query,ingest", "k", BOTH},
    {A256, A256, BOTH},
    {A256 ":query", A256, ACCESS_QUERY},
};

START_TEST(key_texts_give_their_scopes)
{
    struct access *access = access_new();
    struct error err;
    ck_assert(!access_has_keys(access));
    ck_assert_msg(access_add_key(access, good_keys[_i].text, &err) == 0, "%s", err.text);
    ck_assert(access_has_keys(access));
    ck_assert_uint_eq(access_key_scopes(access, good_keys[_i].key, strlen(good_keys[_i].key)),
                      good_keys[_i].scopes);
    access_free(access);
}
END_TEST

static const char *const bad_keys[] = {
    "",
    ":ingest",
    ":",
    "secret:",
    "secret:all",
    "secret:INGEST",
    "secret:ingest,",
    "secret:ingest,ingest",
    "secret:ingest, query",
    "secret:query:ingest",
    "secret phrase",
    "secret\t",
    "secret\n",
    "secret\x7f",
    "secr\xc3\xa9t",
    "\x01",
    A256 "a",
    A256 "a:query",
};

START_TEST(bad_key_texts_are_refused_and_never_quoted)
{
    struct access *access = access_new();
    struct error err = {""};
    ck_assert_int_eq(access_add_key(access, bad_keys[_i], &err), -1);
    ck_assert_str_ne(err.text, "");
    ck_assert_msg(strstr(err.text, "secr") == NULL && strstr(err.text, A16) == NULL, "%s",
                  err.text);
    ck_assert(!access_has_keys(access));
    access_free(access);
}
END_TEST

START_TEST(same_key_twice_is_refused_whatever_its_scopes)
{
    static const char *const keys[] = {"secret:ingest", NULL};
    struct access *access = make_access(keys, NULL, false);
    struct error err;
    ck_assert_int_eq(access_add_key(access, "secret:query", &err), -1);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_uint_eq(access_key_scopes(access, "secret", 6), ACCESS_INGEST);
    ck_assert_int_eq(access_add_key(access, "secre", &err), 0);
    access_free(access);
}
END_TEST

START_TEST(only_the_whole_key_counts)
{
    static const char *const keys[] = {"one:ingest", "twotwo:query", "three", A256 ":query", NULL};
    struct access *access = make_access(keys, NULL, false);
    static const struct {
        const char *key;
        size_t len;
        unsigned scopes;
    } asked[] = {
        {"one", 3, ACCESS_INGEST}, {"twotwo", 6, ACCESS_QUERY},  {"three", 5, BOTH},
        {A256, 256, ACCESS_QUERY}, {"", 0, ACCESS_NONE},         {"on", 2, ACCESS_NONE},
        {"onee", 4, ACCESS_NONE},  {"one\0", 4, ACCESS_NONE}, /* the padding is no part of a key */
        {"two", 3, ACCESS_NONE},   {"ONE", 3, ACCESS_NONE},      {"one:ingest", 10, ACCESS_NONE},
        {A256, 255, ACCESS_NONE},  {A256 "a", 257, ACCESS_NONE}, {A256 A256, 512, ACCESS_NONE},
    };
    for (size_t i = 0; i < COUNT(asked); i++)
        ck_assert_msg(access_key_scopes(access, asked[i].key, asked[i].len) == asked[i].scopes,
                      "case %zu: %s", i, asked[i].key);
    access_free(access);
}
END_TEST

/* ---- origins ---- */

static const char *const bad_origins[] = {
    "",
    "*",
    "example.org",
    "//example.org",
    "https:example.org",
    "https://",
    "https:///",
    "https://example.org/",
    "https://example.org/path",
    "https://example.org?x",
    "https://user@example.org",
    "https://example.org:",
    "https://example.org:0",
    "https://example.org:65536",
    "https://example.org:123456",
    "https://example.org:80x",
    "https://example.org:80:80",
    "https://ex ample.org",
    "https://ex\xc3\xa4mple.org",
    "https://[::1",
    "https://[]",
    "https://[::g]",
    "https://::1",
    "1http://example.org",
    "ht tp://example.org",
    "Null",
    "null ",
    "*.",
    "*.:80",
    "**.example.org",
    "*.*.example.org",
    "www.*.example.org",
    "*example.org",
    "*.example.org:8080", /* without a scheme a port means nothing */
    "*.example.org/",
    "https://*",
    "https://*.",
    "https://*.example.org/",
    "https://*.example.org:",
    "https://*.example.org:0",
    "https://user@*.example.org",
    "*://*.example.org",
};

START_TEST(bad_origins_are_refused)
{
    struct access *access = access_new();
    struct error err = {""};
    ck_assert_msg(access_add_origin(access, bad_origins[_i], &err) == -1, "%s", bad_origins[_i]);
    ck_assert_str_ne(err.text, "");
    ck_assert(access_origin_allowed(access, "http://localhost"));
    access_free(access);
}
END_TEST

static const struct {
    const char *listed;
    const char *origin;
    bool allowed;
} origin_cases[] = {
    {"https://example.org", "https://example.org", true},
    {"https://Example.ORG", "https://example.org", true},
    {"https://example.org:443", "https://example.org", true},
    {"http://example.org:80", "http://example.org", true},
    {"https://example.org:80", "https://example.org", false},
    {"https://example.org:80", "https://example.org:80", true},
    {"https://example.org", "http://example.org", false},
    {"https://example.org", "https://example.org:8443", false},
    {"https://example.org", "https://example.org.evil.net", false},
    {"https://example.org", "https://www.example.org", false},
    {"https://example.org", "https://example.or", false},
    {"https://example.org", "https://example.org/", false},
    {"https://example.org", "null", false},
    {"https://example.org", "", false},
    {"null", "null", true},
    {"null", "https://example.org", false},
    {"http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080", true},
    {"chrome-extension://abcdefgh", "chrome-extension://abcdefgh", true},
    {"HTTPS://EXAMPLE.ORG:443", "https://example.org", true},
    {"http://example.org:443", "http://example.org", false},
    {"http://example.org:443", "http://example.org:443", true},
    {"https://[2001:db8::1]:443", "https://[2001:db8::1]", true},
    {"ws://example.org:80", "ws://example.org", false}, /* no page has such an origin */
    /* a pattern without a scheme: any scheme and port, one label more or several */
    {"*.example.org", "https://www.example.org", true},
    {"*.example.org", "http://www.example.org", true},
    {"*.example.org", "https://www.example.org:8443", true},
    {"*.example.org", "http://a.b.c.example.org:1", true},
    {"*.Example.ORG", "https://www.example.org", true},
    {"*.example.org", "https://WWW.EXAMPLE.ORG", true},
    {"*.org", "https://example.org", true},
    {"*.example.org", "https://example.org", false},
    {"*.example.org", "https://.example.org", false},
    {"*.example.org", "https://.www.example.org", false},
    {"*.example.org", "https://evil-example.org", false},
    {"*.example.org", "https://evilexample.org", false},
    {"*.example.org", "https://www.example.org.evil.net", false},
    {"*.example.org", "https://www.example.organic", false},
    {"*.example.org", "https://www.example.or", false},
    {"*.example.org", "https://www.example.org.", false},
    {"*.example.org", "https://evil.net/.example.org", false},
    {"*.example.org", "https://evil.net?.example.org", false},
    {"*.example.org", "https://evil.net#.example.org", false},
    {"*.example.org", "https://evil.net\\.example.org", false},
    {"*.example.org", "https://user@www.example.org", false},
    {"*.example.org", "https://www.example.org@evil.net", false},
    {"*.example.org", "https://evil.net:80.example.org", false},
    {"*.example.org", "https://evil.net:.example.org", false},
    {"*.example.org", "https://www.example.org:", false},
    {"*.example.org", "https://www.example.org:x", false},
    {"*.example.org", "https://www.example.org:99999", false},
    {"*.example.org", "https://www.example.org/", false},
    {"*.example.org", "https:www.example.org", false},
    {"*.example.org", "www.example.org", false},
    {"*.example.org", "://www.example.org", false},
    {"*.example.org", "null", false},
    {"*.example.org", "", false},
    {"*.0.0.1", "http://127.0.0.1", true}, /* as text, for what that is worth */
    /* with a scheme: that one, and its port */
    {"https://*.example.org", "https://www.example.org", true},
    {"https://*.example.org", "https://a.b.example.org", true},
    {"HTTPS://*.example.org:443", "https://www.example.org", true},
    {"http://*.example.org:80", "http://www.example.org", true},
    {"https://*.example.org:8443", "https://www.example.org:8443", true},
    {"https://*.example.org", "http://www.example.org", false},
    {"https://*.example.org", "https://example.org", false},
    {"https://*.example.org", "https://www.example.org:8443", false},
    {"https://*.example.org:8443", "https://www.example.org", false},
    {"https://*.example.org:8443", "https://www.example.org:84430", false},
    {"https://*.example.org:8443", "https://www.example.org:844", false},
    {"https://*.example.org", "https://evil-example.org", false},
    {"https://*.example.org", "https://www.example.org.evil.net", false},
    {"https://*.example.org", "xhttps://www.example.org", false},
    {"http://*.example.org", "https://www.example.org", false},
    {"http://*.example.org", "xttp://www.example.org", false},
};

START_TEST(listed_origins_match_whole)
{
    static const char *const keys[] = {"k", NULL};
    const char *origins[] = {"http://other.example", origin_cases[_i].listed, NULL};
    struct access *access = make_access(keys, origins, false);
    ck_assert_msg(access_origin_allowed(access, origin_cases[_i].origin) ==
                      origin_cases[_i].allowed,
                  "%s listed, %s asks", origin_cases[_i].listed, origin_cases[_i].origin);
    ck_assert(access_origin_allowed(access, NULL));
    access_free(access);
}
END_TEST

START_TEST(with_keys_and_no_list_every_origin_may)
{
    static const char *const keys[] = {"k:query", NULL};
    struct access *access = make_access(keys, NULL, false);
    ck_assert(access_origin_allowed(access, "https://anything.example"));
    ck_assert(access_origin_allowed(access, "null"));
    ck_assert(access_origin_allowed(access, NULL));
    access_free(access);
}
END_TEST

START_TEST(with_keys_and_a_list_even_loopback_must_be_listed)
{
    static const char *const keys[] = {"k", NULL};
    static const char *const origins[] = {"https://example.org", NULL};
    struct access *access = make_access(keys, origins, false);
    ck_assert(!access_origin_allowed(access, "http://localhost:5173"));
    ck_assert(access_origin_allowed(access, "https://example.org"));
    access_free(access);
}
END_TEST

static const struct {
    const char *origin;
    bool allowed;
} keyless_origins[] = {
    {NULL, true},
    {"http://localhost", true},
    {"http://localhost:5173", true},
    {"https://localhost:5173", true},
    {"http://127.0.0.1", true},
    {"http://127.0.0.1:65535", true},
    {"http://127.255.255.254:8080", true},
    {"http://[::1]:5173", true},
    {"https://[::1]", true},
    {"https://listed.example", true},
    {"", false},
    {"null", false},
    {"localhost", false},
    {"ws://localhost", false},
    {"ftp://127.0.0.1", false},
    {"http://", false},
    {"http://localhost/", false},
    {"http://localhost:", false},
    {"http://localhost:0", false},
    {"http://localhost:65536", false},
    {"http://localhost:5173/", false},
    {"http://localhost.evil.example", false},
    {"http://sub.localhost", false},
    {"http://evil-localhost", false},
    {"http://127.0.0.1.evil.example", false},
    {"http://127.0.0.1@evil.example", false},
    {"http://127.0.0", false},
    {"http://127.0.0.256", false},
    {"http://4294967423.0.0.1", false}, /* 2^32 + 127 */
    {"http://127.0.0.1.1", false},
    {"http://127.0.0.01", false},
    {"http://127.0.0.", false},
    {"http://127..0.1", false},
    {"http://128.0.0.1", false},
    {"http://0.0.0.0", false},
    {"http://192.168.0.1", false},
    {"http://[::]", false},
    {"http://[::1", false},
    {"http://[::1].evil.example", false},
    {"http://[::ffff:127.0.0.1]", false},
    {"https://evil.example", false},
    {"https://unlisted.example", false},
};

START_TEST(without_keys_loopback_and_listed_origins_may)
{
    static const char *const origins[] = {"https://listed.example", NULL};
    for (int keyless = 0; keyless < 2; keyless++) {
        struct access *access = make_access(NULL, origins, keyless != 0);
        ck_assert_msg(access_origin_allowed(access, keyless_origins[_i].origin) ==
                          keyless_origins[_i].allowed,
                      "%s", keyless_origins[_i].origin);
        access_free(access);
    }
}
END_TEST

START_TEST(beacon_origins_are_allowed_and_narrow_nothing)
{
    static const char *const keys[] = {"k", NULL};
    static const char *const origins[] = {"https://shop.example", NULL};
    static const struct {
        bool keyed, listed; /* keys; an allowed origin */
        const char *origin;
        bool allowed;
    } cases[] = {
        {true, false, "https://site.example", true},
        {true, false, "https://any.example", true},
        {true, true, "https://site.example", true},
        {true, true, "https://a.pages.example:8080", true},
        {true, true, "https://shop.example", true},
        {true, true, "https://any.example", false},
        {false, false, "https://site.example", true},
        {false, false, "http://localhost:5173", true},
        {false, false, "https://any.example", false},
    };
    struct error err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct access *access =
            make_access(cases[i].keyed ? keys : NULL, cases[i].listed ? origins : NULL, false);
        ck_assert_int_eq(access_add_beacon_origin(access, "https://site.example:443", &err), 0);
        ck_assert_int_eq(access_add_beacon_origin(access, "*.pages.example", &err), 0);
        ck_assert_msg(access_origin_allowed(access, cases[i].origin) == cases[i].allowed,
                      "case %zu: %s", i, cases[i].origin);
        access_free(access);
    }
}
END_TEST

START_TEST(bad_beacon_origins_are_refused)
{
    struct access *access = access_new();
    struct error err = {""};
    ck_assert_int_eq(access_add_beacon_origin(access, bad_origins[_i], &err), -1);
    ck_assert_str_ne(err.text, "");
    access_free(access);
}
END_TEST

/* ---- hosts ---- */

static const struct {
    const char *host;
    bool allowed;
} keyless_hosts[] = {
    {"localhost", true},
    {"localhost:4242", true},
    {"LocalHost:4242", true},
    {"app.localhost", true},
    {"a.b.localhost:80", true},
    {"127.0.0.1", true},
    {"127.0.0.1:4242", true},
    {"127.1.2.3:4242", true},
    {"[::1]", true},
    {"[::1]:4242", true},
    {NULL, false},
    {"", false},
    {":4242", false},
    {".localhost", false},
    {"notlocalhost", false},
    {"localhost.evil.example", false},
    {"localhost@evil.example", false},
    {"evil.example@localhost", false},
    {"evil.example", false},
    {"evil.example:4242", false},
    {"127.0.0.1.evil.example", false},
    {"evil.example,localhost", false},
    {"evil.example localhost", false},
    {"10.0.0.1", false},
    {"0.0.0.0:4242", false},
    {"2130706433", false},
    {"127.1", false},
    {"::1", false},
    {"[::]", false},
    {"[::2]", false},
    {"localhost:port", false},
    {"localhost:4242:1", false},
    {"localhost:99999", false},
    {"localhost/", false},
};

START_TEST(without_keys_only_this_machines_names_are_hosts)
{
    struct access *access = make_access(NULL, NULL, false);
    ck_assert_msg(access_host_allowed(access, keyless_hosts[_i].host) == keyless_hosts[_i].allowed,
                  "%s", keyless_hosts[_i].host);
    access_free(access);
}
END_TEST

START_TEST(with_keys_or_allow_keyless_any_host_may)
{
    static const char *const keys[] = {"k", NULL};
    struct access *with_key = make_access(keys, NULL, false);
    struct access *keyless = make_access(NULL, NULL, true);
    ck_assert(access_host_allowed(with_key, keyless_hosts[_i].host));
    ck_assert(access_host_allowed(keyless, keyless_hosts[_i].host));
    access_free(with_key);
    access_free(keyless);
}
END_TEST

/* ---- the verdict ---- */

/* One letter a setup: K three keys and no list of origins, L the same keys and one origin listed,
 * B as L and two beacon origins, C as K and those, N no key, A no key but allow-keyless. */
static struct access *make_setup(char setup)
{
    static const char *const keys[] = {"both", "in:ingest", "out:query", NULL};
    static const char *const origins[] = {"https://shop.example", NULL};
    struct access *access =
        make_access(setup == 'N' || setup == 'A' ? NULL : keys,
                    setup == 'L' || setup == 'B' ? origins : NULL, setup == 'A');
    struct error err;
    if (setup == 'B' || setup == 'C') {
        ck_assert_int_eq(access_add_beacon_origin(access, "https://site.example", &err), 0);
        ck_assert_int_eq(access_add_beacon_origin(access, "https://*.pages.example", &err), 0);
    }
    return access;
}

static const struct {
    char setup;
    enum access_verdict verdict;
    struct access_request request;
} verdicts[] = {
    /* keys in the header */
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .header_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "both"}},
    {'K', ACCESS_OK, {.need = BOTH, .header_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .header_key = "in"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_QUERY, .header_key = "in"}},
    {'K', ACCESS_NO_SCOPE, {.need = BOTH, .header_key = "in"}},
    {'K', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "out"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_INGEST, .header_key = "out"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_INGEST, .header_key = "no"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_QUERY, .header_key = "both:query"}},
    {'K', ACCESS_NO_KEY, {.need = ACCESS_INGEST}},
    {'K', ACCESS_NO_KEY, {.need = ACCESS_QUERY}},
    {'K', ACCESS_NO_KEY, {.need = ACCESS_QUERY, .header_key = ""}},
    /* a key in the URL is readable in too many places: ingest at most */
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .path_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .path_key = "in"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_INGEST, .path_key = "out"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_QUERY, .path_key = "both"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_INGEST, .path_key = "no"}},
    {'K', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .path_key = ""}},
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .query_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .query_key = "in"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_QUERY, .query_key = "both"}},
    {'K', ACCESS_NO_SCOPE, {.need = ACCESS_QUERY, .query_key = "out"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_QUERY, .query_key = "no"}},
    /* which one counts */
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_INGEST, .path_key = "no", .header_key = "both"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_INGEST, .path_key = "no", .query_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_INGEST, .path_key = "in", .header_key = "no"}},
    {'K', ACCESS_WRONG_KEY, {.need = ACCESS_INGEST, .header_key = "no", .query_key = "both"}},
    {'K', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "both", .query_key = "no"}},
    {'K', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .header_key = "", .query_key = "both"}},
    /* free routes */
    {'K', ACCESS_OK, {.need = ACCESS_NONE}},
    {'K', ACCESS_OK, {.need = ACCESS_NONE, .header_key = "no"}},
    {'L', ACCESS_OK, {.need = ACCESS_NONE, .origin = "https://evil.example"}},
    {'N',
     ACCESS_OK,
     {.need = ACCESS_NONE, .origin = "https://evil.example", .host = "localhost:4242"}},
    {'N', ACCESS_BAD_HOST, {.need = ACCESS_NONE, .host = "evil.example"}},
    /* origins, judged before keys: a stranger learns nothing about a key */
    {'K', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "out", .origin = "https://any.example"}},
    {'L', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "out", .origin = "https://shop.example"}},
    {'L', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "out"}},
    {'L', ACCESS_NO_KEY, {.need = ACCESS_QUERY, .origin = "https://shop.example"}},
    {'L',
     ACCESS_BAD_ORIGIN,
     {.need = ACCESS_QUERY, .header_key = "out", .origin = "https://evil.example"}},
    {'L',
     ACCESS_BAD_ORIGIN,
     {.need = ACCESS_QUERY, .header_key = "no", .origin = "https://evil.example"}},
    /* without keys: this machine only, and a key that is sent all the same does no harm */
    {'N', ACCESS_OK, {.need = ACCESS_QUERY, .host = "127.0.0.1:4242"}},
    {'N', ACCESS_OK, {.need = ACCESS_INGEST, .header_key = "any", .host = "localhost"}},
    {'N', ACCESS_OK, {.need = ACCESS_INGEST, .path_key = "any", .host = "localhost"}},
    {'N', ACCESS_OK, {.need = ACCESS_INGEST, .host = "[::1]:1", .origin = "http://localhost:5173"}},
    {'N',
     ACCESS_BAD_ORIGIN,
     {.need = ACCESS_INGEST, .host = "[::1]:1", .origin = "https://shop.example"}},
    {'N', ACCESS_BAD_HOST, {.need = ACCESS_QUERY}},
    {'N', ACCESS_BAD_HOST, {.need = ACCESS_QUERY, .host = "rebound.example"}},
    {'N',
     ACCESS_BAD_HOST,
     {.need = ACCESS_QUERY, .host = "rebound.example", .origin = "https://evil.example"}},
    {'A', ACCESS_OK, {.need = ACCESS_QUERY, .host = "metrics.internal"}},
    {'A', ACCESS_OK, {.need = ACCESS_QUERY}},
    {'A',
     ACCESS_BAD_ORIGIN,
     {.need = ACCESS_QUERY, .host = "metrics.internal", .origin = "https://evil.example"}},
    /* beacons: only ingest, only from a listed origin, only when no key was brought */
    {'B', ACCESS_OK, {.need = ACCESS_INGEST, .origin = "https://site.example"}},
    {'C', ACCESS_OK, {.need = ACCESS_INGEST, .origin = "https://site.example"}},
    {'C', ACCESS_OK, {.need = ACCESS_INGEST, .origin = "https://SITE.example"}},
    {'B', ACCESS_OK, {.need = ACCESS_INGEST, .origin = "https://a.pages.example"}},
    {'B', ACCESS_NO_KEY, {.need = ACCESS_QUERY, .origin = "https://site.example"}},
    {'B', ACCESS_NO_KEY, {.need = BOTH, .origin = "https://site.example"}},
    {'B', ACCESS_NO_KEY, {.need = ACCESS_INGEST}},
    {'B', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "https://shop.example"}},
    {'C', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "https://any.example"}},
    {'C', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "http://site.example"}},
    {'C', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "https://pages.example"}},
    {'C', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "https://site.example.evil.net"}},
    {'C', ACCESS_NO_KEY, {.need = ACCESS_INGEST, .origin = "null"}},
    {'B', ACCESS_BAD_ORIGIN, {.need = ACCESS_INGEST, .origin = "https://any.example"}},
    {'B',
     ACCESS_WRONG_KEY,
     {.need = ACCESS_INGEST, .header_key = "no", .origin = "https://site.example"}},
    {'B',
     ACCESS_WRONG_KEY,
     {.need = ACCESS_INGEST, .path_key = "no", .origin = "https://site.example"}},
    {'B',
     ACCESS_WRONG_KEY,
     {.need = ACCESS_INGEST, .query_key = "no", .origin = "https://site.example"}},
    {'B',
     ACCESS_NO_SCOPE,
     {.need = ACCESS_INGEST, .header_key = "out", .origin = "https://site.example"}},
    {'B',
     ACCESS_NO_KEY,
     {.need = ACCESS_INGEST, .header_key = "", .origin = "https://site.example"}},
    {'B',
     ACCESS_NO_KEY,
     {.need = ACCESS_INGEST, .query_key = "", .origin = "https://site.example"}},
    {'B', ACCESS_OK, {.need = ACCESS_QUERY, .header_key = "out", .origin = "https://site.example"}},
    {'B', ACCESS_OK, {.need = ACCESS_INGEST, .path_key = "in", .origin = "https://site.example"}},
};

START_TEST(verdicts_follow_the_contract)
{
    struct access *access = make_setup(verdicts[_i].setup);
    enum access_verdict verdict = access_check(access, &verdicts[_i].request);
    ck_assert_msg(verdict == verdicts[_i].verdict, "case %d: expected \"%s\", got \"%s\"", _i,
                  access_verdict_text(verdicts[_i].verdict), access_verdict_text(verdict));
    access_free(access);
}
END_TEST

START_TEST(every_verdict_has_a_sentence_of_its_own)
{
    for (int i = ACCESS_OK; i <= ACCESS_NO_SCOPE; i++) {
        ck_assert_str_ne(access_verdict_text((enum access_verdict)i), "");
        for (int j = ACCESS_OK; j < i; j++)
            ck_assert_str_ne(access_verdict_text((enum access_verdict)i),
                             access_verdict_text((enum access_verdict)j));
    }
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
    access_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *keys = tcase_create("keys");
    TCase *origins = tcase_create("origins");
    TCase *check = tcase_create("check");

    tcase_add_loop_test(keys, key_texts_give_their_scopes, 0, COUNT(good_keys));
    tcase_add_loop_test(keys, bad_key_texts_are_refused_and_never_quoted, 0, COUNT(bad_keys));
    tcase_add_test(keys, same_key_twice_is_refused_whatever_its_scopes);
    tcase_add_test(keys, only_the_whole_key_counts);
    tcase_add_loop_test(origins, bad_origins_are_refused, 0, COUNT(bad_origins));
    tcase_add_loop_test(origins, listed_origins_match_whole, 0, COUNT(origin_cases));
    tcase_add_test(origins, with_keys_and_no_list_every_origin_may);
    tcase_add_test(origins, with_keys_and_a_list_even_loopback_must_be_listed);
    tcase_add_loop_test(origins, without_keys_loopback_and_listed_origins_may, 0,
                        COUNT(keyless_origins));
    tcase_add_test(origins, beacon_origins_are_allowed_and_narrow_nothing);
    tcase_add_loop_test(origins, bad_beacon_origins_are_refused, 0, COUNT(bad_origins));
    tcase_add_loop_test(origins, without_keys_only_this_machines_names_are_hosts, 0,
                        COUNT(keyless_hosts));
    tcase_add_loop_test(origins, with_keys_or_allow_keyless_any_host_may, 0, COUNT(keyless_hosts));
    tcase_add_loop_test(check, verdicts_follow_the_contract, 0, COUNT(verdicts));
    tcase_add_test(check, every_verdict_has_a_sentence_of_its_own);
    tcase_add_test(check, freeing_nothing_is_fine);
    suite_add_tcase(suite, keys);
    suite_add_tcase(suite, origins);
    suite_add_tcase(suite, check);
    return unit_main(suite);
}
