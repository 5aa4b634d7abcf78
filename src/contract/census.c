#include "contract/census.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"

#define CENSUS_SLOTS 4096 /* a power of two, well above CENSUS_MOST */

int census_init(struct census *census)
{
    *census = (struct census){0};
    census->values = calloc(CENSUS_MOST, sizeof *census->values);
    census->slots = calloc(CENSUS_SLOTS, sizeof *census->slots);
    /* Values are chosen by strangers. */
    random_fill(census->key, sizeof census->key);
    return census->values != NULL && census->slots != NULL ? 0 : -1;
}

void census_clear(struct census *census)
{
    for (size_t i = 0; i < census->count; i++)
        free(census->values[i].text);
    free(census->values);
    free(census->slots);
    *census = (struct census){0};
}

static bool census_is(const struct census_value *value, const char *text, size_t len)
{
    return value->len == len && memcmp(value->text, text, len) == 0;
}

/* The slot where the value is, or would be. */
static uint16_t *census_slot(const struct census *census, const char *text, size_t len)
{
    size_t at = (size_t)siphash(census->key, text, len) & (CENSUS_SLOTS - 1);
    while (census->slots[at] != 0 && !census_is(&census->values[census->slots[at] - 1], text, len))
        at = (at + 1) & (CENSUS_SLOTS - 1);
    return &census->slots[at];
}

static int census_count(struct census *census, const char *text, size_t len)
{
    if (census->last != NULL && census_is(census->last, text, len)) {
        census->last->events++;
        return 0;
    }
    uint16_t *slot = census_slot(census, text, len);
    if (*slot == 0 && census->count == CENSUS_MOST) {
        census->others++;
        return 0;
    }
    if (*slot == 0) {
        struct census_value *value = &census->values[census->count];
        value->text = malloc(len + 1);
        if (value->text == NULL)
            return -1;
        memcpy(value->text, text, len);
        value->len = len;
        *slot = (uint16_t)++census->count;
    }
    census->last = &census->values[*slot - 1];
    census->last->events++;
    return 0;
}

int census_add(struct census *census, const char *text, const struct scan_field *field)
{
    char plain[6 * CENSUS_VALUE_BYTES];
    const char *value = text + field->value.at;
    size_t len = field->value.len;
    if (field->kind != SCAN_STRING) {
        census->none++;
        return 0;
    }
    if (field->escaped && len <= sizeof plain) {
        len = scan_unescape(value, len, plain);
        value = plain;
    }
    if (len <= CENSUS_VALUE_BYTES)
        return census_count(census, value, len);
    census->others++;
    return 0;
}

const struct members_name census_names[CENSUS_MEMBERS] = {
    MEMBERS_NAME("appId"),
    MEMBERS_NAME("type"),
    MEMBERS_NAME("level"),
};

int census_add_event(struct census members[CENSUS_MEMBERS], const char *text, size_t len)
{
    struct scan_field fields[CENSUS_MEMBERS];
    (void)!members_read(text, len, census_names, CENSUS_MEMBERS, fields);
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        if (census_add(&members[i], text, &fields[i]) != 0)
            return -1;
    return 0;
}

static int census_compare(const void *a, const void *b)
{
    const struct census_value *x = a, *y = b;
    if (x->events != y->events)
        return x->events < y->events ? 1 : -1;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, least);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

void census_sort(struct census *census)
{
    if (census->count > 0)
        qsort(census->values, census->count, sizeof *census->values, census_compare);
    census->last = NULL;
}
