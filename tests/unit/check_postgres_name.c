#include "store/postgres/postgres_name.h"

#include <string.h>

#include "store/store.h"
#include "unit.h"

static const struct {
    const char *database, *shown;
} names[] = {
    {"postgresql://", "postgresql://"},
    {"postgresql:///beacond", "postgresql:///beacond"},
    {"postgres://db.example.org:5432,db2/beacond", "postgres://db.example.org:5432,db2/beacond"},
    {"postgresql://me@db/x", "postgresql://me@db/x"},
    {"postgresql://me:@db/x", "postgresql://me@db/x"},
    {"postgresql://me:secret@db/x", "postgresql://me@db/x"},
    {"postgresql://me:secret@[::1]:5432/x", "postgresql://me@[::1]:5432/x"},
    {"postgresql://:secret@db/x", "postgresql://@db/x"},
    {"postgresql://me:se%2Fcret@%2Frun%2Fpostgresql/x", "postgresql://me@%2Frun%2Fpostgresql/x"},
    /* written as they are, which libpq refuses or takes for something else */
    {"postgresql://me:sec@ret@db/x", "postgresql://me@db/x"},
    {"postgresql://me:sec/ret@db/x", "postgresql://me@db/x"},
    {"postgresql://me:sec?ret@db/x", "postgresql://me@db/x"},
    {"postgresql://me:sec:ret@db/x", "postgresql://me@db/x"},
    /* as parameters */
    {"postgresql:///x?password=secret", "postgresql:///x"},
    {"postgresql:///x?user=me&password=secret&host=db", "postgresql:///x?user=me&host=db"},
    {"postgresql:///x?sslpassword=secret&sslmode=require", "postgresql:///x?sslmode=require"},
    {"postgresql:///x?scram_client_key=a&user=me&oauth_client_secret=b", "postgresql:///x?user=me"},
    {"postgresql:///x?p%61ssword=secret", "postgresql:///x"},
    {"postgresql:///x?secret", "postgresql:///x"},
    {"postgresql:///x?&user=me&secret", "postgresql:///x?user=me"},
    {"postgresql:///x?application_name=a@b", "postgresql:///x?application_name=a@b"},
};

START_TEST(a_password_is_not_shown)
{
    char shown[STORE_NAME_SIZE];
    store_name(names[_i].database, shown, sizeof shown);
    ck_assert_str_eq(shown, names[_i].shown);
    ck_assert(!store_is_file(names[_i].database));
    ck_assert(postgres_name_is(names[_i].database));
}
END_TEST

START_TEST(what_is_no_uri_is_a_path)
{
    static const char *const paths[] = {"x.db",     "postgresql:/x",  "./postgresql://x",
                                        "postgres", "POSTGRESQL://x", ""};
    char shown[STORE_NAME_SIZE];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct error err = {""};
        store_name(paths[i], shown, sizeof shown);
        ck_assert_str_eq(shown, paths[i]);
        ck_assert(store_is_file(paths[i]));
        ck_assert_int_eq(store_check(paths[i], &err), STORE_OK);
    }
}
END_TEST

START_TEST(a_long_name_is_cut)
{
    char shown[24];
    store_name("postgresql://me:secret@db.example.org/x", shown, sizeof shown);
    ck_assert_str_eq(shown, "postgresql://me@db.exam");
}
END_TEST

#ifdef HAVE_LIBPQ
static const char *const bad_uris[] = {
    "postgresql://me:secret@[::1/x",        "postgresql://me:secret@[::1]x/x",
    "postgresql://me:%zzsecret@db/x",       "postgresql://me:secret@db/x?secret",
    "postgresql://me:sec/ret@db/x",         "postgresql://me:sec@ret@db/x",
    "postgresql://me:secret@db/x?secret=1", "postgresql://me:sec%00ret@db/x",
};

START_TEST(a_uri_that_cannot_be_read_is_told_but_not_quoted)
{
    struct error err = {""};
    ck_assert_int_eq(store_check(bad_uris[_i], &err), STORE_UNFIT);
    ck_assert_msg(strncmp(err.text, "database: the URI can't be read (", 33) == 0, "%s", err.text);
    ck_assert_msg(strchr(err.text, '"') == NULL && strstr(err.text, "()") == NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "secret") == NULL && strstr(err.text, "cret@") == NULL, "%s",
                  err.text);
}
END_TEST

START_TEST(a_uri_that_libpq_takes_is_taken)
{
    struct error err = {""};
    ck_assert_int_eq(store_check("postgresql://me:s%40@[::1]:1,db2/x?sslmode=require", &err),
                     STORE_OK);
    ck_assert_int_eq(store_check("postgresql:///x?host=@here,@there", &err), STORE_OK);
}
END_TEST
#else
START_TEST(without_libpq_it_is_said)
{
    struct error err = {""};
    ck_assert_int_eq(store_check("postgresql:///x", &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "built without PostgreSQL"));
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("postgres_name");
    TCase *tests = tcase_create("postgres_name");
    tcase_add_loop_test(tests, a_password_is_not_shown, 0, sizeof names / sizeof *names);
    tcase_add_test(tests, what_is_no_uri_is_a_path);
    tcase_add_test(tests, a_long_name_is_cut);
#ifdef HAVE_LIBPQ
    tcase_add_loop_test(tests, a_uri_that_cannot_be_read_is_told_but_not_quoted, 0,
                        sizeof bad_uris / sizeof *bad_uris);
    tcase_add_test(tests, a_uri_that_libpq_takes_is_taken);
#else
    tcase_add_test(tests, without_libpq_it_is_said);
#endif
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
