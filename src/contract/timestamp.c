#include "contract/timestamp.h"

#include <stdbool.h>
#include <string.h>

#define TIMESTAMP_DAY_S 86400
#define TIMESTAMP_FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define TIMESTAMP_LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

/* What is still to be read. */
struct timestamp_text {
    const char *at;
    const char *end;
};

/* Days of the months before it in a year that begins in March, so that the day that only some years
 * have is the last of all. */
static const int timestamp_month_days[12] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};

static bool timestamp_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01. year >= 0. */
static int64_t timestamp_days(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1; /* the year that began in March */
    y += 400;                                /* never negative; 400 years are 146,097 days */
    int64_t leaps = y / 4 - y / 100 + y / 400;
    return y * 365 + leaps + timestamp_month_days[(month + 9) % 12] + day - 1 - 146097 - 719468;
}

/* Exactly count digits. -1 when they are not there. */
static int timestamp_digits(struct timestamp_text *text, int count)
{
    if (text->end - text->at < count)
        return -1;
    int value = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->at[i] - '0';
        if (digit > 9)
            return -1;
        value = value * 10 + (int)digit;
    }
    text->at += count;
    return value;
}

/* Steps over the next character when it is one of these. */
static bool timestamp_skip(struct timestamp_text *text, const char *any)
{
    if (text->at == text->end || *text->at == '\0' || strchr(any, *text->at) == NULL)
        return false;
    text->at++;
    return true;
}

static int timestamp_date(struct timestamp_text *text, int64_t *days)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = timestamp_digits(text, 4);
    if (year < 0 || !timestamp_skip(text, "-"))
        return -1;
    int month = timestamp_digits(text, 2);
    if (month < 1 || month > 12 || !timestamp_skip(text, "-"))
        return -1;
    int day = timestamp_digits(text, 2);
    int last = lengths[month - 1] + (month == 2 && timestamp_is_leap(year));
    if (day < 1 || day > last)
        return -1;
    *days = timestamp_days(year, month, day);
    return 0;
}

/* The digits behind a decimal mark. *exact is false when any is not 0. */
static int timestamp_fraction(struct timestamp_text *text, int *ms, bool *exact)
{
    const char *start = text->at;
    int value = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (text->at - start < 3)
            value = value * 10 + (*text->at - '0');
        if (*text->at != '0')
            *exact = false;
    }
    for (int64_t given = text->at - start; given < 3; given++)
        value *= 10;
    *ms = value;
    return text->at > start ? 0 : -1;
}

/* hh:mm[:ss[.f]] as seconds since midnight, 86400 for 24:00; *leap for a second of 60. */
static int timestamp_time(struct timestamp_text *text, int *seconds, int *ms, bool *leap)
{
    int hour = timestamp_digits(text, 2);
    if (hour < 0 || hour > 24 || !timestamp_skip(text, ":"))
        return -1;
    int minute = timestamp_digits(text, 2);
    if (minute < 0 || minute > 59)
        return -1;
    int second = 0;
    bool whole = true;
    *ms = 0;
    if (timestamp_skip(text, ":")) {
        second = timestamp_digits(text, 2);
        if (second < 0 || second > 60)
            return -1;
        if (timestamp_skip(text, ".,") && timestamp_fraction(text, ms, &whole) != 0)
            return -1;
    }
    *leap = second == 60;
    *seconds = hour * 3600 + minute * 60 + second;
    /* Of the hour 24 there is but one instant. */
    return hour == 24 && (*seconds > TIMESTAMP_DAY_S || !whole) ? -1 : 0;
}

/* Z, ±hh:mm, ±hhmm, ±hh or nothing, as seconds east. */
static int timestamp_offset(struct timestamp_text *text, int *east)
{
    *east = 0;
    if (text->at == text->end || timestamp_skip(text, "Zz"))
        return 0;
    int sign = *text->at == '-' ? -1 : 1;
    if (!timestamp_skip(text, "+-"))
        return -1;
    int hours = timestamp_digits(text, 2);
    int minutes = 0;
    if (timestamp_skip(text, ":") || text->at < text->end)
        minutes = timestamp_digits(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return -1;
    *east = sign * (hours * 3600 + minutes * 60);
    return 0;
}

int timestamp_parse(const char *text, size_t len, int64_t *ms)
{
    struct timestamp_text rest = {text, text + len};
    int64_t days;
    int seconds = 0, fraction = 0, east = 0;
    bool leap = false;
    if (timestamp_date(&rest, &days) != 0)
        return -1;
    if (timestamp_skip(&rest, "Tt ") && (timestamp_time(&rest, &seconds, &fraction, &leap) != 0 ||
                                         timestamp_offset(&rest, &east) != 0))
        return -1;
    if (rest.at != rest.end)
        return -1;
    int64_t instant = days * TIMESTAMP_DAY_S + seconds - east;
    /* Leap seconds are inserted at the end of a UTC day, so what follows one is a day's first. */
    if (leap && instant % TIMESTAMP_DAY_S != 0)
        return -1;
    *ms = instant * 1000 + fraction;
    return 0;
}

/* Writes count digits and what stands behind them; returns the place behind. */
static char *timestamp_put(char *out, int value, int count, char behind)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[count] = behind;
    return out + count + 1;
}

void timestamp_format(char out[TIMESTAMP_SIZE], int64_t ms)
{
    if (ms < TIMESTAMP_FIRST_MS)
        ms = TIMESTAMP_FIRST_MS;
    if (ms > TIMESTAMP_LAST_MS)
        ms = TIMESTAMP_LAST_MS;
    /* Counted from -0400-03-01, the begin of a cycle of 400 years, nothing is negative. */
    int64_t past = ms + (719468 + INT64_C(146097)) * TIMESTAMP_DAY_S * 1000;
    int64_t days = past / (TIMESTAMP_DAY_S * 1000);
    int in_day = (int)(past % (TIMESTAMP_DAY_S * 1000));

    int64_t cycle = days / 146097;
    int left = (int)(days % 146097);
    /* The last day of the cycle, and of every four years, belongs to the year before it. */
    int year = (left - left / 1460 + left / 36524 - left / 146096) / 365;
    left -= year * 365 + year / 4 - year / 100;
    int month = 11;
    while (timestamp_month_days[month] > left)
        month--;
    int day = left - timestamp_month_days[month] + 1;
    year += (int)cycle * 400 - 400 + (month >= 10);
    month = (month + 2) % 12 + 1;

    int seconds = in_day / 1000;
    char *to = timestamp_put(out, year, 4, '-');
    to = timestamp_put(to, month, 2, '-');
    to = timestamp_put(to, day, 2, 'T');
    to = timestamp_put(to, seconds / 3600, 2, ':');
    to = timestamp_put(to, seconds / 60 % 60, 2, ':');
    to = timestamp_put(to, seconds % 60, 2, '.');
    to = timestamp_put(to, in_day % 1000, 3, 'Z');
    *to = '\0';
}

void timestamp_format_any(char out[TIMESTAMP_SIZE], int64_t ms)
{
    const int64_t cycle_ms = INT64_C(146097) * TIMESTAMP_DAY_S * 1000; /* 400 years */
    char text[TIMESTAMP_SIZE];
    int years = 0;
    for (; ms < TIMESTAMP_FIRST_MS && years > -8000; years -= 400)
        ms += cycle_ms;
    for (; ms > TIMESTAMP_LAST_MS && years < 8000; years += 400)
        ms -= cycle_ms;
    timestamp_format(text, ms);
    if (years == 0) {
        memcpy(out, text, sizeof text);
        return;
    }
    int year = years;
    for (int i = 0, digit = 1000; i < 4; i++, digit /= 10)
        year += (text[i] - '0') * digit;
    out[0] = year < 0 ? '-' : '+';
    char *rest = timestamp_put(out + 1, year < 0 ? -year : year, 6, '-') - 1;
    memcpy(rest, text + 4, strlen(text + 4) + 1);
}
