/* A real datagram socket in the service manager's place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "commands/lengthy.h"
#include "unit.h"

#ifdef HAVE_LIBSYSTEMD

static int manager = -1;

/* watchdog_us: NULL for none. */
static void manager_begin(const char *watchdog_us)
{
    /* An abstract name, so that no file is left. */
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[64];
    int len = snprintf(name, sizeof name, "@beacond-check-%ld", (long)getpid());
    memcpy(at.sun_path, name, (size_t)len);
    at.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(manager, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
                     0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    if (watchdog_us != NULL)
        ck_assert_int_eq(setenv("WATCHDOG_USEC", watchdog_us, 1), 0);
}

static void manager_end(void)
{
    if (manager >= 0)
        close(manager);
    manager = -1;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
}

/* The next message, "" when none comes for wait_ms. */
static const char *manager_next(int wait_ms)
{
    static char text[300];
    struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};
    ck_assert_int_eq(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    ssize_t len = recv(manager, text, sizeof text - 1, 0);
    text[len < 0 ? 0 : len] = '\0';
    return text;
}

START_TEST(lengthy_says_what_it_is_and_asks_at_once)
{
    struct lengthy lengthy;
    manager_begin(NULL);
    lengthy_begin(&lengthy, "opening");
    ck_assert_str_eq(manager_next(10000), "STATUS=opening");
    ck_assert_str_eq(manager_next(10000), "EXTEND_TIMEOUT_USEC=60000000");
    lengthy_end(&lengthy);
    ck_assert_str_eq(manager_next(1), "");
}
END_TEST

START_TEST(lengthy_asks_again_while_there_is_work)
{
    struct lengthy lengthy;
    int asked = 0, fed = 0;
    manager_begin("200000"); /* looked at every 51 ms */
    lengthy_begin(&lengthy, "opening");
    /* 1 ms at a time: the rest of it the processor is used. */
    while (asked < 4 || fed < 4) {
        const char *text = manager_next(1);
        asked += strncmp(text, "EXTEND_TIMEOUT_USEC=", 20) == 0;
        fed += strcmp(text, "WATCHDOG=1") == 0;
        for (volatile long n = 0; n < 300000; n++)
            ;
    }
    lengthy_end(&lengthy);
}
END_TEST

START_TEST(lengthy_asks_no_more_once_nothing_moves)
{
    struct lengthy lengthy;
    int count = 0;
    manager_begin("200000");
    lengthy_begin(&lengthy, "opening");
    /* Ten looks without a word. Otherwise there is one in each. */
    while (*manager_next(510) != '\0')
        ck_assert_int_lt(++count, 60);
    lengthy_end(&lengthy);
}
END_TEST

#endif

START_TEST(lengthy_starts_nothing_where_nobody_listens)
{
    struct lengthy lengthy;
    ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
    lengthy_begin(&lengthy, "opening");
    ck_assert(!lengthy.runs);
    lengthy_end(&lengthy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lengthy");
    TCase *tests = tcase_create("lengthy");
#ifdef HAVE_LIBSYSTEMD
    tcase_add_checked_fixture(tests, NULL, manager_end);
    tcase_add_test(tests, lengthy_says_what_it_is_and_asks_at_once);
    tcase_add_test(tests, lengthy_asks_again_while_there_is_work);
    tcase_add_test(tests, lengthy_asks_no_more_once_nothing_moves);
#endif
    tcase_add_test(tests, lengthy_starts_nothing_where_nobody_listens);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
