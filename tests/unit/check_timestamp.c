#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "contract/timestamp.h"
#include "dice.h"
#include "unit.h"

#define BASE INT64_C(1710498225123) /* 2024-03-15T10:23:45.123Z */
#define WHOLE INT64_C(1710498225000)

static const struct {
    const char *text;
    int64_t ms;
} timestamp_legal[] = {
    {"2024-03-15T10:23:45.123Z", BASE},
    {"2024-03-15t10:23:45.123z", BASE},
    {"2024-03-15 10:23:45.123Z", BASE},
    {"2024-03-15T10:23:45,123Z", BASE},
    {"2024-03-15T10:23:45.123", BASE},
    {"2024-03-15T10:23:45.123+00:00", BASE},
    {"2024-03-15T10:23:45.123-00:00", BASE},
    {"2024-03-15T12:23:45.123+02:00", BASE},
    {"2024-03-15T12:23:45.123+0200", BASE},
    {"2024-03-15T12:23:45.123+02", BASE},
    {"2024-03-15T00:53:45.123-09:30", BASE},
    {"2024-03-15T00:53:45.123-0930", BASE},
    {"2024-03-16T10:22:45.123+23:59", BASE},
    {"2024-03-14T10:24:45.123-23:59", BASE},
    {"2024-03-15T10:23:45Z", WHOLE},
    {"2024-03-15T10:23:45", WHOLE},
    {"2024-03-15T10:23Z", WHOLE - 45000},
    {"2024-03-15T10:23", WHOLE - 45000},
    {"2024-03-15T10:23+01:00", WHOLE - 45000 - 3600000},
    {"2024-03-15", INT64_C(1710460800000)},
    {"2024-03-15T10:23:45.1Z", WHOLE + 100},
    {"2024-03-15T10:23:45.12Z", WHOLE + 120},
    {"2024-03-15T10:23:45.1239Z", BASE},
    {"2024-03-15T10:23:45.123999999999999999999999999999Z", BASE},
    {"2024-03-15T10:23:45.0009Z", WHOLE},
    {"2024-03-15T24:00:00Z", INT64_C(1710547200000)},
    {"2024-03-15T24:00Z", INT64_C(1710547200000)},
    {"2024-03-15T24:00:00.000+02:00", INT64_C(1710540000000)},
    {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
    {"2016-12-31T23:59:60.500Z", INT64_C(1483228800500)},
    {"2017-01-01T05:29:60+05:30", INT64_C(1483228800000)},
    {"2016-12-31T15:59:60.25-0800", INT64_C(1483228800250)},
    {"1970-01-01T00:00:00.000Z", 0},
    {"1969-12-31T23:59:59.999Z", -1},
    {"1969-12-31T23:59:59.9999Z", -1},
    {"1969-12-31T23:59:59.0001Z", -1000},
    {"0000-01-01T00:00:00.000Z", INT64_C(-62167219200000)},
    {"0000-02-29T00:00:00.000Z", INT64_C(-62167219200000) + INT64_C(59) * 86400000},
    {"0000-01-01T00:00:00+14:00", INT64_C(-62167219200000) - INT64_C(14) * 3600000},
    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    {"9999-12-31T23:59:59.999-12:00", INT64_C(253402300799999) + INT64_C(12) * 3600000},
    {"2000-02-29", INT64_C(951782400000)},
    {"2024-02-29", INT64_C(1709164800000)},
};

static const char *const timestamp_illegal[] = {
    "",
    "2024",
    "2024-03",
    "2024-3-15",
    "24-03-15",
    "20240315",
    "20240315T102345Z",
    "+2024-03-15",
    "-2024-03-15",
    "+012024-03-15T00:00:00Z",
    "12024-03-15",
    "2024-00-15",
    "2024-13-15",
    "2024-03-00",
    "2024-03-32",
    "2024-04-31",
    "2023-02-29",
    "1900-02-29",
    "2024-02-30",
    "2024/03/15",
    "2024-075",
    "2024-W11-5",
    "2024-03-15T",
    "2024-03-15Z",
    "2024-03-15+02:00",
    "2024-03-15T10",
    "2024-03-15T10Z",
    "2024-03-15T1023Z",
    "2024-03-15T10:2",
    "2024-03-15T10:23:4",
    "2024-03-15T10:23:45.",
    "2024-03-15T10:23:45.Z",
    "2024-03-15T10:23.5Z",
    "2024-03-15T25:00:00Z",
    "2024-03-15T24:00:01Z",
    "2024-03-15T24:01Z",
    "2024-03-15T24:00:00.0001Z",
    "2024-03-15T10:60:00Z",
    "2024-03-15T10:23:61Z",
    "2024-03-15T10:23:60Z",
    "2016-12-31T23:59:60+01:00",
    "2016-12-31T22:59:60Z",
    "2024-03-15T24:00:60Z",
    "2024-03-15T10:23:45+24:00",
    "2024-03-15T10:23:45+02:60",
    "2024-03-15T10:23:45+2:00",
    "2024-03-15T10:23:45+02:",
    "2024-03-15T10:23:45+020",
    "2024-03-15T10:23:45+02:0",
    "2024-03-15T10:23:45+",
    "2024-03-15T10:23:45 Z",
    "2024-03-15T10:23:45 +02:00",
    "2024-03-15T10:23:45ZZ",
    "2024-03-15T10:23:45Z ",
    " 2024-03-15T10:23:45Z",
    "2024-03-15  10:23:45Z",
    "2024-03-15T10:23:45EST",
    "2024-03-15T-1:23:45Z",
    "2024-03-15T10:23:4\xd9\xa5Z",
    "Fri, 15 Mar 2024 10:23:45 GMT",
    "1710498225123",
    "now",
};

START_TEST(timestamp_reads_every_legal_form)
{
    int64_t ms = 77;
    const char *text = timestamp_legal[_i].text;
    ck_assert_msg(timestamp_parse(text, strlen(text), &ms) == 0, "%s is refused", text);
    ck_assert_msg(ms == timestamp_legal[_i].ms, "%s: %lld", text, (long long)ms);
}
END_TEST

START_TEST(timestamp_refuses_every_other_form)
{
    int64_t ms;
    const char *text = timestamp_illegal[_i];
    ck_assert_msg(timestamp_parse(text, strlen(text), &ms) == -1, "%s is accepted", text);
}
END_TEST

START_TEST(timestamp_refuses_a_nul_in_any_place)
{
    const char text[] = "2024-03-15T10:23:45.123+02:00";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        int64_t ms;
        ck_assert_int_eq(timestamp_parse(copy, sizeof text - 1, &ms), -1);
    }
    int64_t ms;
    ck_assert_int_eq(timestamp_parse("2024-03-15", 11, &ms), -1);
}
END_TEST

START_TEST(timestamp_reads_nothing_behind_its_end)
{
    const char text[] = "2024-03-15T10:23:45.123+02:00";
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = malloc(len + 1); /* a tool that watches the heap sees a read too far */
        char *exact = copy + 1;
        memcpy(exact, text, len);
        int64_t ms;
        int status = timestamp_parse(exact, len, &ms);
        bool legal =
            len == 10 || len == 16 || len == 19 || (len > 20 && len < 24) || len == 26 || len == 29;
        ck_assert_msg((status == 0) == legal, "%zu characters", len);
        free(copy);
    }
}
END_TEST

START_TEST(timestamp_agrees_with_the_calendar_of_the_c_library)
{
    struct dice dice = dice_new();
    const int64_t first = INT64_C(-62167219200), span = INT64_C(315569520000); /* 10,000 years */
    for (unsigned i = 0, rounds = unit_rounds(200000); i < rounds; i++) {
        int64_t second = first + (int64_t)(dice_next(&dice) % (uint64_t)span);
        time_t as_time = (time_t)second;
        if ((int64_t)as_time != second)
            continue; /* time_t of 32 bits */
        struct tm tm;
        ck_assert_ptr_nonnull(gmtime_r(&as_time, &tm));
        char text[96];
        int len =
            snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, i % 1000);
        int64_t ms;
        ck_assert_int_eq(timestamp_parse(text, (size_t)len, &ms), 0);
        ck_assert_int_eq(ms, (int64_t)timegm(&tm) * 1000 + i % 1000);
        char formatted[TIMESTAMP_SIZE];
        timestamp_format(formatted, ms);
        ck_assert_str_eq(formatted, text);
    }
}
END_TEST

START_TEST(timestamp_counts_every_day_from_year_0_to_9999)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = INT64_C(-62167219200000);
    for (int year = 0; year <= 9999; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (unit_slow() && year % 100 > 4) {
            expected += (365 + leap) * INT64_C(86400000);
            continue;
        }
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= lengths[month - 1] + (month == 2 && leap); day++) {
                char text[64], formatted[TIMESTAMP_SIZE];
                snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00.000Z", year, month, day);
                int64_t ms;
                if (timestamp_parse(text, 10, &ms) != 0 || ms != expected)
                    ck_abort_msg("%s is read as %lld", text, (long long)ms);
                timestamp_format(formatted, expected);
                if (strcmp(formatted, text) != 0)
                    ck_abort_msg("%s is written as %s", text, formatted);
                expected += 86400000;
            }
    }
}
END_TEST

START_TEST(timestamp_format_stays_within_four_digit_years)
{
    char text[TIMESTAMP_SIZE];
    timestamp_format(text, INT64_MIN);
    ck_assert_str_eq(text, "0000-01-01T00:00:00.000Z");
    timestamp_format(text, INT64_MAX);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    timestamp_format(text, INT64_C(-62167219200001));
    ck_assert_str_eq(text, "0000-01-01T00:00:00.000Z");
    timestamp_format(text, INT64_C(253402300800000));
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    timestamp_format(text, -1);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(timestamp_format_any_goes_on_beyond_four_digit_years)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(-62167219200001), "-000001-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000) - INT64_C(86400000), "-000001-12-31T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_C(253402300800000), "+010000-01-01T00:00:00.000Z"},
        {INT64_C(253402300800000) + 60 * INT64_C(86400000), "+010000-03-01T00:00:00.000Z"},
        {INT64_C(253402300800000) + INT64_C(146097) * 86400000, "+010400-01-01T00:00:00.000Z"},
        {INT64_C(-62167219200000) - INT64_C(146097) * 86400000, "-000400-01-01T00:00:00.000Z"},
    };
    char text[TIMESTAMP_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        timestamp_format_any(text, cases[i].ms);
        ck_assert_str_eq(text, cases[i].text);
    }
    timestamp_format_any(text, INT64_MIN);
    timestamp_format_any(text, INT64_MAX);
    ck_assert_uint_lt(strlen(text), TIMESTAMP_SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timestamp");
    TCase *tests = tcase_create("timestamp");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, timestamp_reads_every_legal_form, 0,
                        sizeof timestamp_legal / sizeof *timestamp_legal);
    tcase_add_loop_test(tests, timestamp_refuses_every_other_form, 0,
                        sizeof timestamp_illegal / sizeof *timestamp_illegal);
    tcase_add_test(tests, timestamp_refuses_a_nul_in_any_place);
    tcase_add_test(tests, timestamp_reads_nothing_behind_its_end);
    tcase_add_test(tests, timestamp_agrees_with_the_calendar_of_the_c_library);
    tcase_add_test(tests, timestamp_counts_every_day_from_year_0_to_9999);
    tcase_add_test(tests, timestamp_format_stays_within_four_digit_years);
    tcase_add_test(tests, timestamp_format_any_goes_on_beyond_four_digit_years);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
