/* What a terminal is shown while a command works. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/meter.h"
#include "unit.h"

static int terminal = -1, before = -1;

static void setup(void)
{
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int theirs = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    before = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(theirs, STDERR_FILENO), 0);
    close(theirs);
}

static void teardown(void)
{
    fflush(stderr);
    (void)dup2(before, STDERR_FILENO);
    close(before);
    close(terminal);
}

/* What has been drawn since. Valid until the next call. */
static const char *drawn(void)
{
    static char text[4096];
    size_t len = 0;
    fputc('|', stderr); /* a terminal passes things on in its own time: this is read up to */
    fflush(stderr);
    do {
        ssize_t got = read(terminal, text + len, sizeof text - 1 - len);
        ck_assert_int_gt(got, 0);
        len += (size_t)got;
    } while (text[len - 1] != '|');
    text[len - 1] = '\0';
    return text;
}

/* As if it had begun ten thousand seconds ago, and drawn for the last time then. */
static void age(struct meter *meter)
{
    meter->begun_ms -= 10000000;
    meter->drawn_ms -= 10000000;
}

#define CK_SHOWS(text, what) ck_assert_msg(strstr((text), (what)) != NULL, "%s", (text))

START_TEST(rate_and_time_left_are_those_of_what_is_done)
{
    struct meter meter;
    meter_init(&meter);
    meter_step(&meter, "a.log", 0, 200000000, "bytes");
    const char *text = drawn();
    CK_SHOWS(text, "a.log [........................]   0 %");
    ck_assert_ptr_null(strstr(text, "left")); /* nothing is known yet */
    age(&meter);
    meter_step(&meter, "a.log", 50000000, 200000000, "bytes");
    text = drawn();
    CK_SHOWS(text, "a.log [######..................]  25 % 50.0 MB, 0.0/s, 500:0");
    CK_SHOWS(text, " left\033[K");
    meter_step(&meter, "a.log", 60000000, 200000000, "bytes");
    ck_assert_str_eq(drawn(), ""); /* not so soon again */
    age(&meter);
    meter_step(&meter, "a.log", 200000000, 200000000, "bytes");
    text = drawn();
    CK_SHOWS(text, "[########################] 100 % 200.0 MB");
    ck_assert_ptr_null(strstr(text, "left"));
    meter_clear(&meter);
    ck_assert_str_eq(drawn(), "\r\033[K");
}
END_TEST

START_TEST(what_is_next_is_measured_anew)
{
    struct meter meter;
    meter_init(&meter);
    meter_step(&meter, "first", 10, 20, "events");
    age(&meter);
    meter_step(&meter, "first", 10000, 20000, "events");
    const char *text = drawn();
    CK_SHOWS(text, " 10000 events, 1/s, 16");
    meter_step(&meter, "second", 0, 20000, "events");
    text = drawn();
    CK_SHOWS(text, "second [........................]   0 % 0 events, 0/s");
    ck_assert_ptr_null(strstr(text, "left"));
    meter_step(&meter, "without an end", 7, 0, "events");
    text = drawn();
    CK_SHOWS(text, "without an end 7 events, ");
    ck_assert_ptr_null(strstr(text, " ["));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("meter");
    TCase *tcase = tcase_create("meter");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rate_and_time_left_are_those_of_what_is_done);
    tcase_add_test(tcase, what_is_next_is_measured_anew);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
