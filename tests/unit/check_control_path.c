#include "control/control_path.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define AT "127.0.0.1:4242"

static void folders(const char *runtime, const char *user)
{
    (void)unsetenv("RUNTIME_DIRECTORY");
    (void)unsetenv("XDG_RUNTIME_DIR");
    if (runtime != NULL)
        ck_assert_int_eq(setenv("RUNTIME_DIRECTORY", runtime, 1), 0);
    if (user != NULL)
        ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", user, 1), 0);
}

/* The name of the socket that a daemon makes, which is the one that is looked for. */
static void name_of(char name[sizeof((struct sockaddr_un *)0)->sun_path], const char *database,
                    const char *at)
{
    struct control_path made, found;
    struct error err = {""};
    ck_assert_msg(control_path_make(&made, database, at, &err) == 0, "%s", err.text);
    ck_assert_int_eq(control_path_find(&found, database, at, &err), 0);
    ck_assert_str_eq(made.socket.sun_path, found.socket.sun_path);
    ck_assert_str_eq(made.beside, "");
    ck_assert(!made.linked && !found.linked);
    strcpy(name, made.socket.sun_path);
}

START_TEST(daemons_of_one_server_have_sockets_of_their_own)
{
    char one[sizeof((struct sockaddr_un *)0)->sun_path], other[sizeof one];
    folders("/run/beacond:/run/other", "/run/user/1");
    name_of(one, "postgresql://me:secret@db/x", AT);
    ck_assert_msg(strncmp(one, "/run/beacond/beacond-", 21) == 0, "%s", one);
    /* who looks for it may be given the password in another way */
    name_of(other, "postgresql://me@db/x", AT);
    ck_assert_str_eq(one, other);
    name_of(other, "postgresql://me@db/x", "127.0.0.1:4243");
    ck_assert_str_ne(one, other);
    name_of(other, "postgresql://me@db/y", AT);
    ck_assert_str_ne(one, other);
    folders(NULL, "/run/user/1");
    name_of(other, "postgresql://me@db/x", AT);
    ck_assert_msg(strncmp(other, "/run/user/1/beacond-", 20) == 0, "%s", other);
}
END_TEST

START_TEST(without_a_runtime_directory_there_is_none)
{
    static const char *const none[] = {NULL, "", "run"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct control_path path;
        struct error err = {""};
        folders(none[i], NULL);
        ck_assert_int_eq(control_path_make(&path, "postgresql:///x", AT, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "RUNTIME_DIRECTORY"));
        ck_assert_int_eq(control_path_find(&path, "postgresql:///x", AT, &err), -1);
    }
}
END_TEST

/* Whoever only wants somebody to do the work opens such a database by themselves. */
START_TEST(none_in_particular_is_not_found)
{
    struct control_path path;
    struct error err = {""};
    folders("/run/beacond", NULL);
    ck_assert_int_eq(control_path_find(&path, "postgresql:///x", NULL, &err), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_path");
    TCase *tests = tcase_create("control_path");
    tcase_add_test(tests, daemons_of_one_server_have_sockets_of_their_own);
    tcase_add_test(tests, without_a_runtime_directory_there_is_none);
    tcase_add_test(tests, none_in_particular_is_not_found);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
