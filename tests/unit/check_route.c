#include <string.h>

#include "server/route.h"
#include "unit.h"

static char *const prefixes[] = {"/_tracker", "/a/b"};
static const struct routes routes = {prefixes, 2, "/_dashboard"};

struct route_case {
    const char *path;
    enum route_place place;
    const char *key;
};

static const struct route_case route_cases[] = {
    {"/_tracker", ROUTE_ROOT, ""},
    {"/_tracker/", ROUTE_ROOT, ""},
    {"/_tracker/events", ROUTE_EVENTS, ""},
    {"/_tracker/ingest", ROUTE_EVENTS, ""},
    {"/_tracker/ping", ROUTE_PING, ""},
    {"/_tracker/tail", ROUTE_FEED, ""},
    {"/a/b/tail", ROUTE_FEED, ""},
    {"/tail", ROUTE_NOWHERE, ""},
    {"/_tracker/tail/", ROUTE_NOWHERE, ""},
    {"/health", ROUTE_PING, ""},
    {"/_tracker/k/tk_test/events", ROUTE_KEYED, "tk_test"},
    {"/_tracker/k/A-z_09/events", ROUTE_KEYED, "A-z_09"},
    {"/a/b", ROUTE_ROOT, ""},
    {"/a/b/events", ROUTE_EVENTS, ""},
    {"/", ROUTE_PAGE, ""},
    {"//", ROUTE_NOWHERE, ""},
    {"/livez", ROUTE_LIVEZ, ""},
    {"/readyz", ROUTE_READYZ, ""},
    {"/metrics", ROUTE_METRICS, ""},
    {"/metrics/", ROUTE_NOWHERE, ""},
    {"/_tracker/metrics", ROUTE_NOWHERE, ""},
    {"/_tracker/stats", ROUTE_STATS, ""},
    {"/a/b/rejects", ROUTE_REJECTS, ""},
    {"/stats", ROUTE_NOWHERE, ""},
    {"/_dashboard", ROUTE_DASHBOARD, ""},
    {"/_dashboard/", ROUTE_DASHBOARD, ""},
    {"/_dashboard/a/b.js", ROUTE_DASHBOARD, ""},
    {"/_dashboards", ROUTE_NOWHERE, ""},
    {"", ROUTE_NOWHERE, ""},
    {"/a", ROUTE_NOWHERE, ""},
    {"/_trackerevents", ROUTE_NOWHERE, ""},
    {"/_tracker//events", ROUTE_NOWHERE, ""},
    {"/_tracker/events/", ROUTE_NOWHERE, ""},
    {"/_tracker/Events", ROUTE_NOWHERE, ""},
    {"/_tracker/health", ROUTE_NOWHERE, ""},
    {"/_tracker/%65vents", ROUTE_NOWHERE, ""},
    {"/_tracker/../_tracker/events", ROUTE_NOWHERE, ""},
    {"/_tracker/k//events", ROUTE_NOWHERE, ""},
    {"/_tracker/k/a", ROUTE_NOWHERE, ""},
    {"/_tracker/k/a/", ROUTE_NOWHERE, ""},
    {"/_tracker/k/a/ping", ROUTE_NOWHERE, ""},
    {"/_tracker/k/a%20/events", ROUTE_NOWHERE, ""},
    {"/_tracker/k/a/events/x", ROUTE_NOWHERE, ""},
    {"/_tracker/k/123456789012345678901234567890x/events", ROUTE_NOWHERE, ""},
};

START_TEST(route_finds_places_by_the_table)
{
    const struct route_case *c = &route_cases[_i];
    char key[31] = "";
    enum route_place place = route_find(&routes, c->path, strlen(c->path), key, sizeof key);
    ck_assert_msg(place == c->place, "%s: %d", c->path, (int)place);
    if (place == ROUTE_KEYED)
        ck_assert_str_eq(key, c->key);
}
END_TEST

START_TEST(route_gives_each_place_its_methods)
{
    static const enum route_action expected[][5] = {
        /*                OTHER          GET            HEAD           POST           OPTIONS */
        [ROUTE_ROOT] = {ROUTE_REFUSED, ROUTE_READ, ROUTE_READ, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_EVENTS] = {ROUTE_REFUSED, ROUTE_READ, ROUTE_READ, ROUTE_INGEST, ROUTE_OPTIONS},
        [ROUTE_KEYED] = {ROUTE_REFUSED, ROUTE_REFUSED, ROUTE_REFUSED, ROUTE_INGEST, ROUTE_OPTIONS},
        [ROUTE_PING] = {ROUTE_REFUSED, ROUTE_TELL, ROUTE_TELL, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_SOCKET] = {ROUTE_REFUSED, ROUTE_UPGRADE, ROUTE_REFUSED, ROUTE_REFUSED,
                          ROUTE_OPTIONS},
        [ROUTE_FEED] = {ROUTE_REFUSED, ROUTE_FOLLOW, ROUTE_FOLLOW, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_STATS] = {ROUTE_REFUSED, ROUTE_COUNT, ROUTE_COUNT, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_REJECTS] = {ROUTE_REFUSED, ROUTE_LIST, ROUTE_LIST, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_LIVEZ] = {ROUTE_REFUSED, ROUTE_SAY_ALIVE, ROUTE_SAY_ALIVE, ROUTE_REFUSED,
                         ROUTE_OPTIONS},
        [ROUTE_READYZ] = {ROUTE_REFUSED, ROUTE_SAY_READY, ROUTE_SAY_READY, ROUTE_REFUSED,
                          ROUTE_OPTIONS},
        [ROUTE_METRICS] = {ROUTE_REFUSED, ROUTE_MEASURE, ROUTE_MEASURE, ROUTE_REFUSED,
                           ROUTE_OPTIONS},
        [ROUTE_PAGE] = {ROUTE_REFUSED, ROUTE_SHOW, ROUTE_SHOW, ROUTE_REFUSED, ROUTE_OPTIONS},
        [ROUTE_DASHBOARD] = {ROUTE_REFUSED, ROUTE_SERVE_FILE, ROUTE_SERVE_FILE, ROUTE_REFUSED,
                             ROUTE_OPTIONS},
    };
    static const char *const names[] = {[METHOD_GET] = "GET",
                                        [METHOD_HEAD] = "HEAD",
                                        [METHOD_POST] = "POST",
                                        [METHOD_OPTIONS] = "OPTIONS"};
    for (int place = ROUTE_ROOT; place < ROUTE_PLACES; place++) {
        for (int method = METHOD_OTHER; method <= METHOD_OPTIONS; method++) {
            enum route_action action = route_action(place, method);
            ck_assert_int_eq(action, expected[place][method]);
            if (method != METHOD_OTHER)
                ck_assert_int_eq(action != ROUTE_REFUSED,
                                 strstr(route_methods(place), names[method]) != NULL);
        }
    }
}
END_TEST

static const struct {
    const char *dashboard;
    bool collides;
} collide_cases[] = {
    {"/_dashboard", false},
    {"/_trackers", false},
    {"/_tracker/dashboard", false},
    {"/a", true}, /* /a/b is below it */
    {"/a/b", true},
    {"/a/bc", false},
    {"/_tracker", true},
    {"/_tracker/events", true},
    {"/_tracker/events/x", true},
    {"/_tracker/eventsx", false},
    {"/_tracker/ws", true},
    {"/_tracker/k", true},
    {"/_tracker/k/x", true},
    {"/_tracker/k/tk_test/events", true},
    {"/a/b/k/x/y", true},
    {"/health", true},
    {"/metrics", true},
    {"/livez", true},
};

START_TEST(route_of_the_dashboard_collides_with_the_others)
{
    struct routes with = {prefixes, 2, collide_cases[_i].dashboard};
    ck_assert_msg(route_collides(&with) == collide_cases[_i].collides, "%s", with.dashboard);
}
END_TEST

START_TEST(route_names_each_action_once)
{
    for (int action = ROUTE_REFUSED; action < ROUTE_ACTIONS; action++)
        for (int other = ROUTE_REFUSED; other < action; other++)
            ck_assert_str_ne(route_name(action), route_name(other));
    ck_assert_str_eq(route_name(ROUTE_REFUSED), "none");
    ck_assert_str_eq(route_name(ROUTE_INGEST), "ingest");
}
END_TEST

static const char *const redact_cases[][2] = {
    {"/_tracker/events", "/_tracker/events"},
    {"/_tracker/k/secret/events", "/_tracker/k/.../events"},
    {"/_tracker/k/secret", "/_tracker/k/..."},
    {"/k/a/k/b", "/k/.../k/..."},
    {"/_tracker/events?key=secret", "/_tracker/events?key=..."},
    {"/_tracker/events?a=1&key=secret&b=2", "/_tracker/events?a=1&key=...&b=2"},
    {"/e?k%65y=secret", "/e?k%65y=..."},
    {"/e?since=2024&monkey=x", "/e?since=2024&monkey=x"},
    {"/e?key=secret/secret?secret&a=1", "/e?key=...&a=1"},
};

START_TEST(route_redacts_keys)
{
    char out[128];
    route_redact(redact_cases[_i][0], out, sizeof out);
    ck_assert_str_eq(out, redact_cases[_i][1]);
    ck_assert_ptr_null(strstr(out, "secret"));
}
END_TEST

START_TEST(route_redacts_into_any_room)
{
    static const char target[] = "/_tracker/k/secret/events?key=secret";
    for (size_t size = 1; size < sizeof target + 8; size++) {
        char out[64];
        memset(out, 'x', sizeof out);
        route_redact(target, out, size);
        ck_assert_ptr_nonnull(memchr(out, '\0', size));
        ck_assert_ptr_null(strstr(out, "secr"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tcase = tcase_create("route");
    tcase_add_loop_test(tcase, route_finds_places_by_the_table, 0,
                        (int)(sizeof route_cases / sizeof *route_cases));
    tcase_add_test(tcase, route_gives_each_place_its_methods);
    tcase_add_loop_test(tcase, route_of_the_dashboard_collides_with_the_others, 0,
                        (int)(sizeof collide_cases / sizeof *collide_cases));
    tcase_add_test(tcase, route_names_each_action_once);
    tcase_add_loop_test(tcase, route_redacts_keys, 0,
                        (int)(sizeof redact_cases / sizeof *redact_cases));
    tcase_add_test(tcase, route_redacts_into_any_room);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
