/* The kinds of values: from text to their place in struct options. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options/table.h"

struct options_unit {
    const char *name;
    int64_t factor;
};

static const struct options_unit options_sizes[] = {
    {"", 1},           {"B", 1},           {"K", 1LL << 10},
    {"KB", 1LL << 10}, {"KiB", 1LL << 10}, {"M", 1LL << 20},
    {"MB", 1LL << 20}, {"MiB", 1LL << 20}, {"G", 1LL << 30},
    {"GB", 1LL << 30}, {"GiB", 1LL << 30}, {NULL, 0},
};

/* No unit, no duration: whether 10 meant seconds or milliseconds is nobody's to guess. */
static const struct options_unit options_durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static const struct options_unit options_counts[] = {{"", 1}, {NULL, 0}};

/* Digits and a unit (in upper or lower case). What exceeds 64 bits is taken as INT64_MAX, which is
 * beyond every option's range. 0 or -1. */
static int options_read_number(const char *text, const struct options_unit *units, int64_t *out)
{
    int64_t value = 0;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++) {
        int digit = *c - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    if (c == text)
        return -1;
    for (; units->name != NULL; units++) {
        if (strcasecmp(units->name, c) == 0) {
            *out = value > INT64_MAX / units->factor ? INT64_MAX : value * units->factor;
            return 0;
        }
    }
    return -1;
}

/* The largest unit that says it without a fraction: ranges are shown as people write them. */
static void options_show(char *out, size_t size, int64_t value, const struct options_unit *units)
{
    const struct options_unit *best = units;
    for (; units->name != NULL; units++) {
        if (value != 0 && value % units->factor == 0 && units->factor > best->factor)
            best = units;
    }
    snprintf(out, size, "%lld%s", (long long)(value / best->factor), best->name);
}

static int options_read_in_range(const struct options_row *row, const char *value,
                                 const struct options_unit *units, const char *what,
                                 int64_t *number, struct error *err)
{
    char least[32], most[32];

    if (options_read_number(value, units, number) != 0) {
        error_set(err, "expected %s, got \"%s\"", what, value);
        return -1;
    }
    if (*number < row->least || *number > row->most) {
        options_show(least, sizeof(least), row->least, units);
        options_show(most, sizeof(most), row->most, units);
        error_set(err, "expected %s to %s, got \"%s\"", least, most, value);
        return -1;
    }
    return 0;
}

static int options_read_choice(const struct options_row *row, const char *value, int64_t *number,
                               struct error *err)
{
    char words[128] = "";

    for (size_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], value) == 0) {
            *number = (int64_t)i;
            return 0;
        }
        size_t used = strlen(words);
        const char *between = i == 0 ? "" : row->choices[i + 1] == NULL ? " or " : ", ";
        snprintf(words + used, sizeof(words) - used, "%s%s", between, row->choices[i]);
    }
    error_set(err, "expected %s, got \"%s\"", words, value);
    return -1;
}

int options_value_read(const struct options_row *row, const char *value, int64_t *number,
                       struct error *err)
{
    static const char *const yes_no[] = {"yes", "no", NULL};
    const struct options_row flag = {.choices = yes_no};

    *number = 0;
    switch (row->kind) {
    case OPTIONS_TEXT:
    case OPTIONS_LIST:
        return row->check != NULL ? row->check(value, err) : 0;
    case OPTIONS_FLAG:
        if (options_read_choice(&flag, value, number, err) != 0)
            return -1;
        *number = *number == 0;
        return 0;
    case OPTIONS_CHOICE:
        return options_read_choice(row, value, number, err);
    case OPTIONS_COUNT:
        return options_read_in_range(row, value, options_counts, "a whole number", number, err);
    case OPTIONS_SIZE:
        return options_read_in_range(row, value, options_sizes, "a size such as 8M", number, err);
    case OPTIONS_DURATION:
        return options_read_in_range(row, value, options_durations, "a duration such as 10s",
                                     number, err);
    }
    return -1;
}

int options_duration(const char *text, int64_t *ms, struct error *err)
{
    const struct options_row row = {.kind = OPTIONS_DURATION, .most = OPTIONS_LONGEST_MS};
    return options_value_read(&row, text, ms, err);
}

static void *options_place(struct options *options, const struct options_row *row)
{
    return (char *)options + row->offset;
}

int options_value_store(struct options *options, const struct options_row *row, const char *value,
                        int64_t number)
{
    void *place = options_place(options, row);
    char *text = NULL;
    bool flag = number != 0;
    unsigned choice = (unsigned)number;

    switch (row->kind) {
    case OPTIONS_TEXT:
        if (*value != '\0' || row->fallback != NULL) {
            text = strdup(value);
            if (text == NULL)
                return -1;
        }
        options_value_clear(options, row);
        memcpy(place, &text, sizeof(text));
        break;
    case OPTIONS_LIST:
        return options_list_append(place, value);
    case OPTIONS_FLAG:
        memcpy(place, &flag, sizeof(flag));
        break;
    case OPTIONS_CHOICE:
        memcpy(place, &choice, sizeof(choice));
        break;
    case OPTIONS_COUNT:
    case OPTIONS_SIZE:
    case OPTIONS_DURATION:
        memcpy(place, &number, sizeof(number));
        break;
    }
    return 0;
}

void options_value_clear(struct options *options, const struct options_row *row)
{
    void *place = options_place(options, row);
    char *text = NULL;

    if (row->kind == OPTIONS_LIST) {
        options_list_clear(place);
    } else if (row->kind == OPTIONS_TEXT) {
        memcpy(&text, place, sizeof(text));
        free(text);
        memset(place, 0, sizeof(text));
    }
}

static size_t options_value_size(const struct options_row *row)
{
    switch (row->kind) {
    case OPTIONS_TEXT:
        return sizeof(char *);
    case OPTIONS_LIST:
        return sizeof(struct options_list);
    case OPTIONS_FLAG:
        return sizeof(bool);
    case OPTIONS_CHOICE:
        return sizeof(unsigned);
    default:
        return sizeof(int64_t);
    }
}

static bool options_text_same(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool options_list_same(const struct options_list *one, const struct options_list *other)
{
    bool same = one->count == other->count;
    for (size_t i = 0; same && i < one->count; i++)
        same = strcmp(one->items[i], other->items[i]) == 0;
    return same;
}

bool options_value_same(const struct options *one, const struct options *other,
                        const struct options_row *row)
{
    const char *here = (const char *)one + row->offset, *there = (const char *)other + row->offset;
    const char *text, *other_text;

    switch (row->kind) {
    case OPTIONS_TEXT:
        memcpy(&text, here, sizeof(text));
        memcpy(&other_text, there, sizeof(other_text));
        return options_text_same(text, other_text);
    case OPTIONS_LIST:
        return options_list_same((const void *)here, (const void *)there);
    default:
        return memcmp(here, there, options_value_size(row)) == 0;
    }
}

int options_value_copy(struct options *options, const struct options *from,
                       const struct options_row *row)
{
    void *place = options_place(options, row);
    const char *source = (const char *)from + row->offset;
    const struct options_list *list = (const void *)source;
    char *text;
    int status = 0;

    options_value_clear(options, row);
    if (row->kind == OPTIONS_LIST) {
        for (size_t i = 0; status == 0 && i < list->count; i++)
            status = options_list_append(place, list->items[i]);
    } else if (row->kind == OPTIONS_TEXT) {
        memcpy(&text, source, sizeof(text));
        if (text != NULL && (text = strdup(text)) == NULL)
            status = -1;
        memcpy(place, &text, sizeof(text));
    } else {
        memcpy(place, source, options_value_size(row));
    }
    return status;
}

int options_list_append(struct options_list *list, const char *text)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    char *copy = items == NULL ? NULL : strdup(text);

    if (items != NULL)
        list->items = items;
    if (copy == NULL)
        return -1;
    list->items[list->count++] = copy;
    return 0;
}

void options_list_clear(struct options_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct options_list){0};
}
