#include "engine/figures_json.h"

#include "contract/document.h"
#include "store/step.h"

static json_t *figures_json_cache(const struct ring_survey *cache)
{
    if (cache == NULL)
        return json_null();
    /* Without an edge all that is stored is in it, or nothing. */
    bool edge = cache->events > 0 && cache->floor.ts != INT64_MIN;
    return json_pack("{sIsIso}", "events", (json_int_t)cache->events, "bytes",
                     (json_int_t)cache->bytes, "floor", document_time(edge, cache->floor.ts));
}

static json_t *figures_json_database(const struct store_facts *facts)
{
    if (facts->page_bytes == 0)
        return json_pack("{sI}", "bytes", (json_int_t)facts->file_bytes);
    return json_pack("{sIsIsI}", "bytes", (json_int_t)facts->file_bytes, "free",
                     (json_int_t)facts->free_pages * facts->page_bytes, "wal",
                     (json_int_t)facts->wal_bytes);
}

static json_t *figures_json_steps(const struct store_steps *steps)
{
    json_t *array = json_array();
    for (size_t i = 0; i < steps->count; i++) {
        const struct tally_step *step = &steps->steps[i];
        if (document_add_pair(array, document_time(true, step->at), step->events) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *figures_json_member(const struct figures_values *values, int member)
{
    const struct census *census = &values->members[member];
    int64_t left = values->counted;
    int status = 0;
    json_t *array = json_array();
    for (size_t i = 0; i < census->count && i < values->most && status == 0; i++) {
        const struct census_value *value = &census->values[i];
        left -= value->events;
        status =
            document_add_pair(array, document_text(value->text, value->len, false), value->events);
    }
    if (status == 0 && left > 0)
        status = document_add_pair(array, json_null(), left);
    if (status == 0)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *figures_json_values(const struct figures_values *values)
{
    json_t *out = json_pack("{sIso}", "counted", (json_int_t)values->counted, "since",
                            document_time(values->counted > 0, values->since_ms));
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        if (json_object_set_new(out, census_names[i].text, figures_json_member(values, i)) != 0) {
            json_decref(out);
            return NULL;
        }
    return out;
}

int figures_json(struct bytes *out, const struct figures_told *told)
{
    const struct store_steps *steps = told->steps;
    const struct store_facts *facts = &steps->facts;
    bool events = facts->events > 0;
    json_t *document = json_pack(
        "{sssssI sIsososI so so so so ss sI so}", "state", told->state, "version", told->version,
        "uptime", (json_int_t)told->up_s, "events", (json_int_t)facts->events, "oldest",
        document_time(events, facts->oldest_ms), "newest", document_time(events, facts->newest_ms),
        "rejects", (json_int_t)facts->rejects, "database", figures_json_database(facts), "cache",
        figures_json_cache(told->cache), "since", document_time(steps->any, steps->since), "until",
        document_time(steps->any, steps->until), "step", step_names[steps->step], "total",
        (json_int_t)steps->total, "steps", figures_json_steps(steps));
    if (document != NULL && told->values != NULL &&
        json_object_set_new(document, "values", figures_json_values(told->values)) != 0) {
        json_decref(document);
        return -1;
    }
    return document_dump(out, document);
}
