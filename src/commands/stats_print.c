#include "commands/stats_print.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "contract/timestamp.h"

/* Values of a member that are shown as text; JSON has them all. */
#define STATS_SHOWN 20
#define STATS_DAYS 60 /* the newest */

int stats_add_day(void *arg, int64_t at_ms, int64_t events)
{
    struct stats *stats = arg;
    if (stats->day_count == stats->day_room) {
        size_t room = stats->day_room == 0 ? 64 : stats->day_room * 2;
        struct stats_day *days = realloc(stats->days, room * sizeof *days);
        if (days == NULL) {
            stats->failed = true;
            return -1;
        }
        stats->days = days;
        stats->day_room = room;
    }
    stats->days[stats->day_count++] = (struct stats_day){at_ms, events};
    return 0;
}

void stats_clear(struct stats *stats)
{
    free(stats->days);
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_clear(&stats->members[i]);
}

static void stats_day_text(char out[TIMESTAMP_SIZE], int64_t at_ms)
{
    timestamp_format(out, at_ms);
    out[strcspn(out, "T")] = '\0';
}

/* ---- text ---- */

/* What a stranger has sent, on a terminal: nothing of it may act there. */
static void stats_put(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c <= '~' && c != '\\')
            putchar(c);
        else
            printf("\\x%02x", c);
    }
}

static void stats_put_member(const struct stats *stats, int n)
{
    const struct census *census = &stats->members[n];
    int64_t rest = census->others;
    size_t shown = census->count < STATS_SHOWN ? census->count : STATS_SHOWN;
    printf("\nevents by %s\n", stats->names[n]);
    for (size_t i = 0; i < shown; i++) {
        printf("%14" PRId64 "  ", census->values[i].events);
        stats_put(census->values[i].text, census->values[i].len);
        putchar('\n');
    }
    for (size_t i = shown; i < census->count; i++)
        rest += census->values[i].events;
    if (rest > 0)
        printf("%14" PRId64 "  (others)\n", rest);
    if (census->none > 0)
        printf("%14" PRId64 "  (none)\n", census->none);
}

static void stats_put_size(const struct store_facts *facts)
{
    if (facts->page_bytes == 0) {
        printf("size           %" PRId64 " bytes\n", facts->file_bytes);
        return;
    }
    printf("file           %" PRId64 " bytes\n", facts->file_bytes);
    printf("WAL            %" PRId64 " bytes\n", facts->wal_bytes);
    printf("pages          %" PRId64 " of %" PRId64 " bytes, %" PRId64 " of them free\n",
           facts->pages, facts->page_bytes, facts->free_pages);
}

void stats_print_text(const struct stats *stats)
{
    const struct store_facts *facts = &stats->facts;
    char name[PATH_MAX];
    char oldest[TIMESTAMP_SIZE] = "-", newest[TIMESTAMP_SIZE] = "-", at[TIMESTAMP_SIZE] = "";
    if (facts->events > 0) {
        timestamp_format(oldest, facts->oldest_ms);
        timestamp_format(newest, facts->newest_ms);
    }
    if (facts->receipts > 0)
        timestamp_format(at, facts->receipts_oldest_ms);
    store_name(stats->database, name, sizeof name);
    printf("database       %s\n", name);
    printf("schema         %" PRId64 "\n", facts->schema);
    printf("events         %" PRId64 "\n", facts->events);
    if (stats->whole)
        printf("bytes of them  %" PRId64 "\n", stats->bytes);
    printf("oldest         %s\n", oldest);
    printf("newest         %s\n", newest);
    stats_put_size(facts);
    printf("rejects        %" PRId64 " rows, %" PRId64 " bytes\n", facts->rejects,
           facts->rejects_bytes);
    printf("receipts       %" PRId64 " rows, %" PRId64 " bytes%s%s\n", facts->receipts,
           facts->receipts_bytes, facts->receipts > 0 ? ", the oldest of " : "", at);
    for (int i = 0; i < CENSUS_MEMBERS && stats->whole; i++)
        stats_put_member(stats, i);
    printf("\nevents by day\n");
    size_t shown = stats->day_count < STATS_DAYS ? stats->day_count : STATS_DAYS;
    for (size_t i = stats->day_count; i-- > stats->day_count - shown;) {
        stats_day_text(at, stats->days[i].at_ms);
        printf("%14" PRId64 "  %s\n", stats->days[i].events, at);
    }
    int64_t before = 0;
    for (size_t i = 0; i < stats->day_count - shown; i++)
        before += stats->days[i].events;
    if (before > 0)
        printf("%14" PRId64 "  (before)\n", before);
}

/* ---- JSON ---- */

/* JSON text is UTF-8; a lone surrogate, which JavaScript can send, is not. */
static json_t *stats_json_text(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);
    char *plain = value == NULL ? malloc(len + 1) : NULL;
    if (plain == NULL)
        return value;
    for (size_t i = 0; i < len; i++)
        plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    value = json_stringn(plain, len);
    free(plain);
    return value;
}

static json_t *stats_json_member(const struct census *census)
{
    json_t *values = json_array();
    for (size_t i = 0; i < census->count; i++) {
        const struct census_value *value = &census->values[i];
        json_t *one = json_pack("{sosI}", "value", stats_json_text(value->text, value->len),
                                "events", (json_int_t)value->events);
        if (json_array_append_new(values, one) != 0) {
            json_decref(values);
            return NULL;
        }
    }
    return json_pack("{sosIsI}", "values", values, "others", (json_int_t)census->others, "none",
                     (json_int_t)census->none);
}

static json_t *stats_json_days(const struct stats *stats)
{
    char day[TIMESTAMP_SIZE];
    json_t *days = json_array();
    for (size_t i = 0; i < stats->day_count; i++) {
        stats_day_text(day, stats->days[i].at_ms);
        json_t *one = json_pack("{sssI}", "day", day, "events", (json_int_t)stats->days[i].events);
        if (json_array_append_new(days, one) != 0) {
            json_decref(days);
            return NULL;
        }
    }
    return days;
}

static json_t *stats_json_time(bool any, int64_t ms)
{
    char text[TIMESTAMP_SIZE];
    timestamp_format(text, ms);
    return any ? json_string(text) : json_null();
}

static json_t *stats_json_size(const struct store_facts *facts)
{
    if (facts->page_bytes == 0)
        return json_pack("{sI}", "bytes", (json_int_t)facts->file_bytes);
    return json_pack("{sI sI sI sI sI}", "bytes", (json_int_t)facts->file_bytes, "walBytes",
                     (json_int_t)facts->wal_bytes, "pageBytes", (json_int_t)facts->page_bytes,
                     "pages", (json_int_t)facts->pages, "freePages", (json_int_t)facts->free_pages);
}

static json_t *stats_json(const struct stats *stats)
{
    const struct store_facts *facts = &stats->facts;
    char name[PATH_MAX];
    store_name(stats->database, name, sizeof name);
    json_t *out = json_pack(
        "{so sI sI so so so s{sI sI} s{sI sI so} so}", "database",
        stats_json_text(name, strlen(name)), "schema", (json_int_t)facts->schema, "events",
        (json_int_t)facts->events, "oldest", stats_json_time(facts->events > 0, facts->oldest_ms),
        "newest", stats_json_time(facts->events > 0, facts->newest_ms), "file",
        stats_json_size(facts), "rejects", "rows", (json_int_t)facts->rejects, "bytes",
        (json_int_t)facts->rejects_bytes, "receipts", "rows", (json_int_t)facts->receipts, "bytes",
        (json_int_t)facts->receipts_bytes, "oldest",
        stats_json_time(facts->receipts > 0, facts->receipts_oldest_ms), "days",
        stats_json_days(stats));
    int status = out == NULL ? -1 : 0;
    if (status == 0 && stats->whole)
        status = json_object_set_new(out, "bytes", json_integer((json_int_t)stats->bytes));
    for (int i = 0; i < CENSUS_MEMBERS && status == 0 && stats->whole; i++)
        status = json_object_set_new(out, stats->names[i], stats_json_member(&stats->members[i]));
    if (status == 0)
        return out;
    json_decref(out);
    return NULL;
}

int stats_print_json(const struct stats *stats)
{
    json_t *json = stats_json(stats);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL)
        return -1;
    puts(text);
    free(text);
    return 0;
}
