/* Questions made ready for PostgreSQL: parameters by number, and what only looks like one. */

#include "unit.h"

#ifdef HAVE_LIBPQ

#include <string.h>

#include "store/postgres/postgres_question.h"

static const struct {
    const char *asked, *sent;
} questions[] = {
    {"SELECT 1", "SELECT 1"},
    {"select :a, :b, :a", "select $1, $2, $1"},
    {"SELECT :a::bigint, x::text, y :: int", "SELECT $1::bigint, x::text, y :: int"},
    {"SELECT ':a', \":a\", ':''a', \":\"\":a\", :a",
     "SELECT ':a', \":a\", ':''a', \":\"\":a\", $1"},
    {"SELECT ':\\', :a", "SELECT ':\\', $1"},
    {"SELECT E'\\':a', e'\\\\', :a", "SELECT E'\\':a', e'\\\\', $1"},
    {"SELECT typee'\\', :a", "SELECT typee'\\', $1"},
    {"SELECT $$:a$$, $x$:a$$:b$x$, :a", "SELECT $$:a$$, $x$:a$$:b$x$, $1"},
    {"SELECT a$b$:c, :a", "SELECT a$b$$1, $2"},
    {"SELECT 1 -- :a\n, :a", "SELECT 1 -- :a\n, $1"},
    {"SELECT /* :a /* :b */ :c */ :a", "SELECT /* :a /* :b */ :c */ $1"},
    {"-- a comment\n/* and one */ (SELECT :a)", "-- a comment\n/* and one */ (SELECT $1)"},
    {"WITH x AS (VALUES (:a)) TABLE x", "WITH x AS (VALUES ($1)) TABLE x"},
    {"SELECT a[1:2], f(x := 1), :long_Name9)", "SELECT a[1:2], f(x := 1), $1)"},
    {"SELECT ':a", "SELECT ':a"},
    {"SELECT /* :a", "SELECT /* :a"},
    {"SELECT $x$:a", "SELECT $x$:a"},
    {"SELECT 1 :", "SELECT 1 :"},
};

START_TEST(parameters_are_numbered_and_all_else_stays)
{
    struct postgres_question question;
    struct error err = {""};
    struct store_ask ask = {.sql = questions[_i].asked};
    ck_assert_int_eq(postgres_question_read(&question, &ask, &err), STORE_OK);
    ck_assert_str_eq(question.sql.data, questions[_i].sent);
    postgres_question_clear(&question);
}
END_TEST

static const char *const refused[] = {"",
                                      "  ",
                                      "-- nothing",
                                      "INSERT INTO x VALUES (1)",
                                      "DELETE FROM events",
                                      "selects",
                                      "EXPLAIN SELECT 1",
                                      "COPY x TO PROGRAM 'x'",
                                      "SET a = b",
                                      ";SELECT 1",
                                      "/* SELECT */ DROP TABLE x"};

START_TEST(what_is_no_select_is_refused)
{
    struct postgres_question question;
    struct error err = {""};
    struct store_ask ask = {.sql = refused[_i]};
    ck_assert_int_eq(postgres_question_read(&question, &ask, &err), STORE_REFUSED);
    ck_assert_str_eq(err.text, "only a SELECT can be asked");
    postgres_question_clear(&question);
}
END_TEST

START_TEST(what_is_given_must_be_asked_for)
{
    struct postgres_question question;
    struct error err = {""};
    const struct store_parameter given[] = {{"b", "two"}, {"c", "three"}};
    struct store_ask ask = {.sql = "SELECT :a, :b", .parameters = given, .parameter_count = 1};
    ck_assert_int_eq(postgres_question_read(&question, &ask, &err), STORE_OK);
    ck_assert_uint_eq(question.count, 2);
    ck_assert_ptr_null(question.values[0]);
    ck_assert_str_eq(question.values[1], "two");
    postgres_question_clear(&question);
    ask.parameter_count = 2;
    ck_assert_int_eq(postgres_question_read(&question, &ask, &err), STORE_REFUSED);
    ck_assert_str_eq(err.text, "there is no parameter c here; there are a, b");
    postgres_question_clear(&question);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_question");
    TCase *tcase = tcase_create("question");
    tcase_add_loop_test(tcase, parameters_are_numbered_and_all_else_stays, 0,
                        (int)(sizeof questions / sizeof *questions));
    tcase_add_loop_test(tcase, what_is_no_select_is_refused, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tcase, what_is_given_must_be_asked_for);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}

#else
#include "without_libpq.h"
#endif
