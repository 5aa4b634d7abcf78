#include "contract/lines.h"

#include <stdio.h>
#include <string.h>

#include "contract/batch_build.h"
#include "contract/timestamp.h"

#define LINES_DEPTH 512 /* of a line whose timestamp alone is looked for */

struct lines_slice {
    const char *at;
    size_t len;
    bool ended; /* by a line feed */
};

/* Takes the next line off [*at, end), white space around it taken off. */
static struct lines_slice lines_next(const char **at, const char *end)
{
    const char *from = *at, *feed = memchr(from, '\n', (size_t)(end - from));
    const char *to = feed != NULL ? feed : end;
    *at = feed != NULL ? feed + 1 : end;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
        to--;
    while (from < to && (*from == ' ' || *from == '\t' || *from == '\r'))
        from++;
    return (struct lines_slice){from, (size_t)(to - from), feed != NULL};
}

static void lines_fault(struct lines_report *report, const struct lines_chunk *chunk,
                        const char *why)
{
    if (report->fault_count < LINES_FAULTS_KEPT) {
        struct lines_fault *fault = &report->faults[report->fault_count++];
        fault->line = chunk->first + (report->lines - 1) * chunk->step;
        snprintf(fault->why, sizeof fault->why, "%.*s", (int)sizeof fault->why - 1, why);
    }
    report->malformed++;
}

static int lines_import_one(struct batch_builder *b, const struct lines_chunk *chunk,
                            struct lines_slice line, struct lines_report *report)
{
    struct scan_event event;
    struct error why;
    enum batch_reason reason;
    int64_t ts = 0;
    report->lines++;
    if (line.len == 0 || *line.at == '[') {
        report->skipped++;
        return 0;
    }
    int status = scan_event(line.at, line.len, b->limits->depth, &event, &why);
    if (status == SCAN_NO_MEMORY)
        return -1;
    if (status != SCAN_OK) {
        lines_fault(report, chunk, line.ended ? why.text : "half a line, at the end of the file");
        return 0;
    }
    b->text = line.at;
    int unfit = build_judge(b, &event, &ts, &reason);
    if (unfit > 0)
        lines_fault(report, chunk, batch_reason_text(reason));
    return unfit == 0 ? build_keep(b, &event, ts) : unfit < 0 ? -1 : 0;
}

int lines_import(const struct lines_chunk *chunk, const struct batch_limits *limits,
                 struct line_ids *ids, int64_t now_ms, struct lines_report *report,
                 struct batch **out, struct error *err)
{
    struct batch_builder b = {
        .text_len = chunk->len, .limits = limits, .name = line_ids_name, .name_arg = ids};
    const char *at = chunk->text, *end = chunk->text + chunk->len;
    *out = NULL;
    *report = (struct lines_report){0};
    int status = build_begin(&b, now_ms);
    while (status == 0 && at < end)
        status = lines_import_one(&b, chunk, lines_next(&at, end), report);
    if (status == 0) {
        *out = build_finish(&b);
        return BATCH_OK;
    }
    build_abandon(&b);
    error_set(err, "out of memory");
    return BATCH_NO_MEMORY;
}

/* A line of a body. *objects counts those that are a JSON object. */
static int lines_body_one(struct batch_builder *b, struct lines_slice line, size_t *objects)
{
    struct scan_event event;
    if (line.len == 0)
        return 0;
    b->text = line.at;
    if (line.len > b->limits->event_bytes) {
        /* It may have been cut where it was received. */
        event = (struct scan_event){.raw = {0, line.len}};
        *objects += *line.at == '{';
        return build_refuse(b, &event, BATCH_TOO_LARGE);
    }
    int status = scan_event(line.at, line.len, b->limits->depth, &event, NULL);
    if (status == SCAN_NO_MEMORY)
        return -1;
    if (status != SCAN_OK) {
        event = (struct scan_event){.raw = {0, line.len}};
        return build_refuse(b, &event, BATCH_NOT_JSON);
    }
    if (event.fault != SCAN_FAULT_NOT_OBJECT)
        ++*objects;
    return build_take(b, &event);
}

int lines_body(const char *text, size_t len, const struct batch_limits *limits,
               struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
               size_t *objects, struct batch **out, struct error *err)
{
    struct batch_builder b = {.text_len = len, .limits = limits, .uuids = uuids, .secret = secret};
    const char *at = len > 0 ? text : "", *end = at + len;
    *out = NULL;
    *objects = 0;
    int status = build_begin(&b, now_ms);
    while (status == 0 && at < end)
        status = lines_body_one(&b, lines_next(&at, end), objects);
    if (status == 0) {
        *out = build_finish(&b);
        return BATCH_OK;
    }
    build_abandon(&b);
    error_set(err, "out of memory");
    return BATCH_NO_MEMORY;
}

bool lines_timestamp(const char *text, size_t len, int64_t *ts)
{
    struct scan_event event;
    const char *at = text;
    struct lines_slice line = lines_next(&at, text + len);
    return line.len > 0 && *line.at == '{' &&
           scan_event(line.at, line.len, LINES_DEPTH, &event, NULL) == SCAN_OK &&
           event.timestamp_kind == SCAN_STRING && !event.timestamp_escaped &&
           timestamp_parse(line.at + event.timestamp.at, event.timestamp.len, ts) == 0;
}
