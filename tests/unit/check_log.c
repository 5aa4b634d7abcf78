#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

static FILE *log_file;

/* Standard error of this (forked) test into a file. */
static void log_catch(void)
{
    log_file = tmpfile();
    ck_assert_ptr_nonnull(log_file);
    fflush(stderr);
    ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
}

static size_t log_caught(char *out, size_t size)
{
    rewind(log_file);
    size_t len = fread(out, 1, size - 1, log_file);
    out[len] = '\0';
    return len;
}

START_TEST(log_writes_time_level_and_message)
{
    log_catch();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("took %d events", 25);
    char line[200];
    log_caught(line, sizeof line);
    int year, month, day, hour, minute, second, ms, behind = 0;
    ck_assert_int_eq(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
                            &minute, &second, &ms, &behind),
                     7);
    ck_assert_int_eq(behind, 24);
    ck_assert_str_eq(line + behind, " info  took 25 events\n");
}
END_TEST

START_TEST(log_leaves_out_what_is_below_the_level)
{
    log_catch();
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    log_debug("no");
    log_info("no");
    log_warn("yes");
    log_error("yes");
    ck_assert(!log_enabled(LOG_LEVEL_INFO));
    ck_assert(log_enabled(LOG_LEVEL_WARN));
    char lines[400];
    log_caught(lines, sizeof lines);
    ck_assert_ptr_null(strstr(lines, "no"));
    ck_assert_ptr_nonnull(strstr(lines, " warn  yes\n"));
    ck_assert_ptr_nonnull(strstr(lines, " error yes\n"));
}
END_TEST

START_TEST(log_escapes_what_could_forge_a_line)
{
    log_catch();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("%s", "a\n2026-11-21 fake\x1b[2J\r\x7f\xc3\xa9 \"quoted\"");
    char line[300];
    log_caught(line, sizeof line);
    ck_assert_str_eq(line + 24,
                     " info  a\\x0a2026-11-21 fake\\x1b[2J\\x0d\\x7f\\xc3\\xa9 \"quoted\"\n");
}
END_TEST

START_TEST(log_writes_json_that_a_parser_reads)
{
    log_catch();
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug("%s", "say \"no\" to C:\\ and \x01");
    char line[300];
    log_caught(line, sizeof line);
    ck_assert_mem_eq(line, "{\"time\":\"", 9);
    ck_assert_str_eq(line + 9 + 24, "\",\"level\":\"debug\",\"message\":"
                                    "\"say \\\"no\\\" to C:\\\\ and \\\\x01\"}\n");
}
END_TEST

START_TEST(log_cuts_a_message_and_still_ends_the_line)
{
    log_catch();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    static char message[100000];
    memset(message, '\\', sizeof message - 1);
    log_info("%s", message);
    memset(message, '\x80', sizeof message - 1);
    log_info("%s", message);
    static char lines[60000];
    size_t len = log_caught(lines, sizeof lines);
    ck_assert_uint_lt(len, 30000);
    char *first_end = strchr(lines, '\n');
    ck_assert_ptr_nonnull(first_end);
    ck_assert_mem_eq(first_end - 2, "\"}\n", 3);
    ck_assert_str_eq(lines + len - 3, "\"}\n");
}
END_TEST

START_TEST(log_leaves_errno_alone)
{
    log_catch();
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_error("%s", strerror(errno));
    ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(error_texts_are_cut_not_overflowed)
{
    struct error err;
    error_set(&err, "%1000d", 7);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    error_set(NULL, "nobody wants to know %d", 1);
    error_set(&err, "%s", "short");
    ck_assert_str_eq(err.text, "short");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, log_writes_time_level_and_message);
    tcase_add_test(tests, log_leaves_out_what_is_below_the_level);
    tcase_add_test(tests, log_escapes_what_could_forge_a_line);
    tcase_add_test(tests, log_writes_json_that_a_parser_reads);
    tcase_add_test(tests, log_cuts_a_message_and_still_ends_the_line);
    tcase_add_test(tests, log_leaves_errno_alone);
    tcase_add_test(tests, error_texts_are_cut_not_overflowed);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
