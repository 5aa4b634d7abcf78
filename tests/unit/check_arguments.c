/* What a command takes beside the options of the table: flags of its own, operands. */
#include <string.h>

#include "options/options.h"
#include "unit.h"

static const struct arguments_flag own[] = {
    {"since", "TIME", "from then on"},
    {"all", NULL, "everything"},
    {NULL, NULL, NULL},
};
static const char *const some[] = {"database", "allow-keyless", NULL};
static const struct arguments_usage usage = {
    .flags = own, .options = some, .operands = "FILE...", .least = 1, .most = 3};

static struct options options;
static struct arguments arguments;
static struct error err;

/* argv behind the command, ended by NULL. */
static int read_all(const struct arguments_usage *of, const char *const *words)
{
    static char no_config[] = "BEACOND_CONFIG="; /* not the one that this machine may have */
    static char *argv[16], *environment[] = {no_config, NULL};
    int argc = 1;
    options_clear(&options);
    argv[0] = "beacond";
    for (; *words != NULL; words++)
        argv[argc++] = (char *)*words;
    argv[argc] = NULL;
    arguments = (struct arguments){.usage = of};
    err.text[0] = '\0';
    return options_read(&options, &arguments, argc, argv, environment, &err);
}

#define READ(of, ...) read_all(of, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(flags_of_its_own_and_operands_are_told_apart)
{
    ck_assert_int_eq(READ(&usage, "--since", "today", "a", "b"), OPTIONS_OK);
    ck_assert_str_eq(arguments_value(&arguments, "since"), "today");
    ck_assert_ptr_null(arguments_value(&arguments, "all"));
    ck_assert_uint_eq(arguments.operand_count, 2);
    ck_assert_str_eq(arguments.operands[0], "a");
    ck_assert_str_eq(arguments.operands[1], "b");
}
END_TEST

START_TEST(flags_may_stand_behind_operands)
{
    ck_assert_int_eq(READ(&usage, "a", "--all", "b", "--database=x.db", "--since", "s"),
                     OPTIONS_OK);
    ck_assert_str_eq(arguments_value(&arguments, "all"), "");
    ck_assert_str_eq(arguments_value(&arguments, "since"), "s");
    ck_assert_str_eq(options.database, "x.db");
    ck_assert_uint_eq(arguments.operand_count, 2);
    ck_assert_str_eq(arguments.operands[1], "b");
}
END_TEST

START_TEST(two_hyphens_end_the_flags)
{
    ck_assert_int_eq(READ(&usage, "--", "--all"), OPTIONS_OK);
    ck_assert_ptr_null(arguments_value(&arguments, "all"));
    ck_assert_str_eq(arguments.operands[0], "--all");
}
END_TEST

START_TEST(a_single_hyphen_is_an_operand)
{
    ck_assert_int_eq(READ(&usage, "-"), OPTIONS_OK);
    ck_assert_str_eq(arguments.operands[0], "-");
}
END_TEST

START_TEST(a_value_may_look_like_a_flag)
{
    ck_assert_int_eq(READ(&usage, "--since", "--all", "a"), OPTIONS_OK);
    ck_assert_str_eq(arguments_value(&arguments, "since"), "--all");
    ck_assert_ptr_null(arguments_value(&arguments, "all"));
}
END_TEST

START_TEST(the_last_of_two_values_counts)
{
    ck_assert_int_eq(READ(&usage, "--since", "a", "--since=b", "x"), OPTIONS_OK);
    ck_assert_str_eq(arguments_value(&arguments, "since"), "b");
}
END_TEST

static const struct {
    const char *words[6];
    const char *text;
} wrong[] = {
    {{"--listen", "127.0.0.1:1", "a"}, "there is no option --listen"},
    {{"a", "--nonsense=secret"}, "there is no option --nonsense"},
    {{"a", "b", "c", "d"}, "\"d\" is not expected here"},
    {{"--all"}, "expected FILE..."},
    {{"a", "--since"}, "--since needs a value"},
    {{"a", "--all=no"}, "--all takes no value"},
    {{"a", "--sinc", "x"}, "there is no option --sinc"},
    {{"a", "--sin=x"}, "there is no option --sin"},
    {{"a", "-x"}, "there is no option -x"},
    {{"-xy", "a"}, "there is no option -xy"},
    {{"a", "--database"}, "--database needs a value"},
};

START_TEST(what_a_command_does_not_take_is_named)
{
    ck_assert_int_eq(read_all(&usage, wrong[_i].words), OPTIONS_USAGE);
    ck_assert_str_eq(err.text, wrong[_i].text);
}
END_TEST

START_TEST(a_command_without_operands_takes_none)
{
    static const struct arguments_usage bare = {.serves = true};
    ck_assert_int_eq(READ(&bare, "word"), OPTIONS_USAGE);
    ck_assert_str_eq(err.text, "\"word\" is not expected here");
    ck_assert_int_eq(READ(&bare, "--listen", "127.0.0.1:1"), OPTIONS_OK);
}
END_TEST

START_TEST(who_does_not_serve_needs_no_key)
{
    static const struct arguments_usage all = {.serves = false};
    static const struct arguments_usage serving = {.serves = true};
    ck_assert_int_eq(READ(&serving, "--listen", "0.0.0.0:1"), OPTIONS_CONFIG);
    ck_assert_int_eq(READ(&all, "--listen", "0.0.0.0:1"), OPTIONS_OK);
    ck_assert_int_eq(READ(&serving, "--key-file", "/nonexistent"), OPTIONS_CONFIG);
    ck_assert_int_eq(READ(&all, "--key-file", "/nonexistent"), OPTIONS_OK);
    options_clear(&options);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments");
    TCase *cases = tcase_create("arguments");
    tcase_add_test(cases, flags_of_its_own_and_operands_are_told_apart);
    tcase_add_test(cases, flags_may_stand_behind_operands);
    tcase_add_test(cases, two_hyphens_end_the_flags);
    tcase_add_test(cases, a_single_hyphen_is_an_operand);
    tcase_add_test(cases, a_value_may_look_like_a_flag);
    tcase_add_test(cases, the_last_of_two_values_counts);
    tcase_add_loop_test(cases, what_a_command_does_not_take_is_named, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(cases, a_command_without_operands_takes_none);
    tcase_add_test(cases, who_does_not_serve_needs_no_key);
    suite_add_tcase(suite, cases);
    return unit_main(suite);
}
