/*
 * fuzz_time.c: timestamps against a reader of another make: a regular expression, and the C
 * library's calendar. Then there and back, and whether later is greater.
 *
 * The input is a text; its first 16 bytes are also taken as two moments.
 */
#include <regex.h>
#include <time.h>

#include "contract/range.h"
#include "contract/timestamp.h"
#include "fuzz.h"

#define FUZZ_FIRST_MS INT64_C(-62167219200000) /* 0000-01-01 */
#define FUZZ_LAST_MS INT64_C(253402300799999)  /* the end of 9999 */
#define FUZZ_LONGEST 200                       /* of what is matched with the expression */

static const char fuzz_form[] = "^([0-9]{4})-([0-9]{2})-([0-9]{2})"
                                "([Tt ]([0-9]{2}):([0-9]{2})(:([0-9]{2})([.,]([0-9]+))?)?"
                                "([Zz]|([+-])([0-9]{2})(:?([0-9]{2}))?)?)?$";
enum {
    YEAR = 1,
    MONTH,
    DAY,
    TIME,
    HOUR,
    MINUTE,
    SECOND = 8,
    FRACTION = 10,
    SIGN = 12,
    EAST,
    EAST_M = 15,
    GROUPS
};

static int fuzz_group(const char *text, const regmatch_t *match)
{
    int value = 0;
    for (regoff_t i = match->rm_so; i >= 0 && i < match->rm_eo; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* Milliseconds, and whether a digit behind the point is not 0. */
static int fuzz_fraction(const char *text, const regmatch_t *match, bool *exact)
{
    char digits[4] = "000";
    *exact = true;
    for (regoff_t i = match->rm_so; i >= 0 && i < match->rm_eo; i++) {
        if (i - match->rm_so < 3)
            digits[i - match->rm_so] = text[i];
        *exact = *exact && text[i] == '0';
    }
    return atoi(digits);
}

/* As timestamp_parse, for a text without NUL. */
static int fuzz_read(const char *text, int64_t *ms)
{
    static regex_t form;
    static bool made;
    regmatch_t m[GROUPS];
    if (!made)
        fuzz_need(regcomp(&form, fuzz_form, REG_EXTENDED) == 0, "no such expression");
    made = true;
    if (strchr(text, '\n') != NULL || regexec(&form, text, GROUPS, m, 0) != 0)
        return -1;
    struct tm day = {.tm_year = fuzz_group(text, &m[YEAR]) - 1900,
                     .tm_mon = fuzz_group(text, &m[MONTH]) - 1,
                     .tm_mday = fuzz_group(text, &m[DAY])};
    struct tm asked = day;
    time_t midnight = timegm(&day);
    if (day.tm_year != asked.tm_year || day.tm_mon != asked.tm_mon || day.tm_mday != asked.tm_mday)
        return -1;
    bool exact;
    int hour = fuzz_group(text, &m[HOUR]), minute = fuzz_group(text, &m[MINUTE]);
    int second = fuzz_group(text, &m[SECOND]), fraction = fuzz_fraction(text, &m[FRACTION], &exact);
    int hours = fuzz_group(text, &m[EAST]), minutes = fuzz_group(text, &m[EAST_M]);
    if (minute > 59 || second > 60 || hours > 23 || minutes > 59 || hour > 24 ||
        (hour == 24 && (minute > 0 || second > 0 || !exact)))
        return -1;
    bool west = m[SIGN].rm_so >= 0 && text[m[SIGN].rm_so] == '-';
    int64_t utc = (int64_t)midnight + hour * 3600 + minute * 60 -
                  (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    /* A leap second is one at 23:59:60 UTC alone. */
    if (second == 60 && (utc % 86400 + 86400) % 86400 != 86340)
        return -1;
    *ms = (utc + second) * 1000 + fraction;
    return 0;
}

static void fuzz_against(const char *text, size_t len)
{
    int64_t ms = 0, wanted = 0;
    int status = timestamp_parse(text, len, &ms);
    if (memchr(text, '\0', len) != NULL) {
        fuzz_need(status != 0, "a NUL in a timestamp");
        return;
    }
    if (len > FUZZ_LONGEST)
        return;
    char *copy = fuzz_string(text, len);
    fuzz_need(fuzz_read(copy, &wanted) == status, "one takes it, the other does not");
    fuzz_need(status != 0 || ms == wanted, "another moment");
    free(copy);
    if (status != 0)
        return;
    /* What is behind the milliseconds is cut towards the past: it must not have made more of it. */
    char out[TIMESTAMP_SIZE];
    int64_t again;
    timestamp_format(out, ms);
    if (ms >= FUZZ_FIRST_MS && ms <= FUZZ_LAST_MS)
        fuzz_need(timestamp_parse(out, strlen(out), &again) == 0 && again == ms,
                  "not the same moment when it is written and read");
}

/* The form of any moment, made by the C library. */
static void fuzz_expect_any(char out[64], int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t time = (time_t)seconds;
    struct tm tm;
    fuzz_need(gmtime_r(&time, &tm) != NULL, "no calendar");
    int year = tm.tm_year + 1900;
    char years[16];
    if (year < 0 || year > 9999)
        snprintf(years, sizeof years, "%c%06d", year < 0 ? '-' : '+', abs(year));
    else
        snprintf(years, sizeof years, "%04d", year);
    snprintf(out, 64, "%s-%02d-%02dT%02d:%02d:%02d.%03dZ", years, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - seconds * 1000));
}

static void fuzz_moment(int64_t ms)
{
    char out[TIMESTAMP_SIZE], any[TIMESTAMP_SIZE], wanted[64];
    int64_t again, clamped = ms < FUZZ_FIRST_MS  ? FUZZ_FIRST_MS
                             : ms > FUZZ_LAST_MS ? FUZZ_LAST_MS
                                                 : ms;
    timestamp_format(out, ms);
    fuzz_need(timestamp_parse(out, strlen(out), &again) == 0 && again == clamped,
              "a moment is written as another one");
    fuzz_expect_any(wanted, clamped);
    fuzz_need(strcmp(out, wanted) == 0, "a moment is written in another way");
    /* Some thousand years beyond. */
    const int64_t far = INT64_C(5000) * 365 * 86400 * 1000;
    if (ms > FUZZ_FIRST_MS - far && ms < FUZZ_LAST_MS + far) {
        timestamp_format_any(any, ms);
        fuzz_expect_any(wanted, ms);
        fuzz_need(strcmp(any, wanted) == 0, "a moment outside is written in another way");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_against((const char *)data, size);
    int64_t moments[2];
    if (size < sizeof moments)
        return 0;
    memcpy(moments, data, sizeof moments);
    for (int i = 0; i < 2; i++) {
        char one[TIMESTAMP_SIZE], other[TIMESTAMP_SIZE];
        fuzz_moment(moments[i]);
        moments[i] %= FUZZ_LAST_MS;
        fuzz_moment(moments[i]);
        timestamp_format(one, moments[0]);
        timestamp_format(other, moments[1]);
        fuzz_need(i == 0 || moments[0] > moments[1] || strcmp(one, other) <= 0,
                  "later is not greater");
    }
    return 0;
}
