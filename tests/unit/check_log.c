#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
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

/* JOURNAL_STREAM for what standard error is now, its inode so much off. */
static void log_name_stream(unsigned off, const char *behind)
{
    struct stat info;
    char stream[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &info), 0);
    snprintf(stream, sizeof stream, "%ju:%ju%s", (uintmax_t)info.st_dev,
             (uintmax_t)info.st_ino + off, behind);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
}

START_TEST(log_gives_the_journal_priorities_and_no_time)
{
    log_catch();
    log_name_stream(0, "");
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO);
    log_error("a %d", 1);
    log_warn("<3>b");
    log_info("c\nd");
    log_debug("e");
    char lines[200];
    log_caught(lines, sizeof lines);
    ck_assert_str_eq(lines, "<3>a 1\n<4><3>b\n<6>c\\x0ad\n<7>e\n");
}
END_TEST

START_TEST(log_takes_no_other_stream_for_the_journal)
{
    static const char *const wrong[] = {"", ":", "1", "1:", "x:y", "journal"};
    log_catch();
    char lines[2000];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(setenv("JOURNAL_STREAM", wrong[i], 1), 0);
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
        log_info("plain");
    }
    log_name_stream(1, ""); /* redirected since */
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_info("plain");
    log_name_stream(0, "x");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_info("plain");
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_info("plain");
    log_caught(lines, sizeof lines);
    ck_assert_ptr_null(strchr(lines, '<'));
    size_t count = 0;
    for (const char *at = lines; (at = strstr(at, "Z info  plain\n")) != NULL; at++)
        count++;
    ck_assert_uint_eq(count, sizeof wrong / sizeof wrong[0] + 3);
}
END_TEST

START_TEST(log_is_told_the_format_whatever_the_stream)
{
    log_catch();
    log_name_stream(0, "");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("text");
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL);
    log_info("journal");
    char lines[200];
    log_caught(lines, sizeof lines);
    ck_assert_ptr_nonnull(strstr(lines, "Z info  text\n<6>journal\n"));
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
    /* Not within a character: what is left is UTF-8. */
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 3; i++)
        for (int before = 0; before < 4; before++) {
            struct bytes text = {NULL, 0, 0};
            ck_assert_int_eq(bytes_append(&text, "xxxx", (size_t)before), 0);
            for (int n = 0; n < 300; n++)
                ck_assert_int_eq(bytes_append_text(&text, characters[i]), 0);
            error_set(&err, "%.*s", (int)text.len, text.data);
            size_t size = i + 2, room = sizeof err.text - 1 - (size_t)before;
            ck_assert_uint_eq(strlen(err.text), (size_t)before + room / size * size);
            bytes_clear(&text);
        }
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
    tcase_add_test(tests, log_gives_the_journal_priorities_and_no_time);
    tcase_add_test(tests, log_takes_no_other_stream_for_the_journal);
    tcase_add_test(tests, log_is_told_the_format_whatever_the_stream);
    tcase_add_test(tests, log_leaves_errno_alone);
    tcase_add_test(tests, error_texts_are_cut_not_overflowed);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
