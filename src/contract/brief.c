#include "contract/brief.h"

#include "contract/line.h"
#include "contract/members.h"
#include "contract/timestamp.h"

#define BRIEF_WORD 24  /* characters of level, type, app */
#define BRIEF_PART 100 /* of one member of the payload */
#define BRIEF_REST 160 /* of a payload that has none of them */

enum { BRIEF_LEVEL, BRIEF_TYPE, BRIEF_APP, BRIEF_PAYLOAD, BRIEF_NAMES };

static const struct members_name brief_names[BRIEF_NAMES] = {
    MEMBERS_NAME("level"), MEMBERS_NAME("type"), MEMBERS_NAME("appId"), MEMBERS_NAME("payload")};

/* What the stock client's payloads tell most by, in the order of the line. */
static const struct members_name brief_parts[] = {
    MEMBERS_NAME("message"), MEMBERS_NAME("name"),   MEMBERS_NAME("action"), MEMBERS_NAME("method"),
    MEMBERS_NAME("url"),     MEMBERS_NAME("status"), MEMBERS_NAME("tag"),    MEMBERS_NAME("text"),
    MEMBERS_NAME("from"),    MEMBERS_NAME("to"),
};
enum { BRIEF_PARTS = sizeof brief_parts / sizeof *brief_parts };

static int brief_field(struct bytes *out, const char *text, const struct scan_field *field,
                       size_t most)
{
    const char *value = text + field->value.at;
    struct bytes plain;
    if (field->kind == SCAN_ABSENT)
        return bytes_append_text(out, "-");
    if (!field->escaped)
        return line_append_plain(out, value, field->value.len, most);
    bytes_init(&plain);
    int status = bytes_reserve(&plain, field->value.len);
    if (status == 0) {
        plain.len = scan_unescape(value, field->value.len, plain.data);
        status = line_append_plain(out, plain.data, plain.len, most);
    }
    bytes_clear(&plain);
    return status;
}

/* Whether it is one that tells something: neither empty nor a container. */
static bool brief_tells(const char *text, const struct scan_field *field)
{
    if (field->kind == SCAN_STRING)
        return field->value.len > 0;
    return field->kind == SCAN_OTHER && text[field->value.at] != '{' &&
           text[field->value.at] != '[';
}

static int brief_payload(struct bytes *out, const char *text, const struct scan_field *payload)
{
    struct scan_field fields[BRIEF_PARTS];
    const char *inner = text + payload->value.at;
    int status = 0, told = 0;
    if (payload->kind == SCAN_ABSENT)
        return 0;
    if (payload->kind == SCAN_OTHER &&
        members_read(inner, payload->value.len, brief_parts, BRIEF_PARTS, fields) == 0) {
        for (size_t i = 0; i < BRIEF_PARTS && status == 0; i++) {
            if (!brief_tells(inner, &fields[i]))
                continue;
            told++;
            status = bytes_append(out, " ", 1);
            if (status == 0)
                status = brief_field(out, inner, &fields[i], BRIEF_PART);
        }
    }
    if (status != 0 || told > 0)
        return status;
    return bytes_append(out, " ", 1) == 0 ? brief_field(out, text, payload, BRIEF_REST) : -1;
}

int brief_append(struct bytes *out, int64_t ts, const char *text, size_t len)
{
    struct scan_field fields[BRIEF_NAMES];
    char when[TIMESTAMP_SIZE];
    timestamp_format(when, ts);
    if (bytes_append_text(out, when) != 0)
        return -1;
    if (members_read(text, len, brief_names, BRIEF_NAMES, fields) != 0) {
        /* Changed by hand. */
        return bytes_append(out, " ", 1) == 0 ? line_append_plain(out, text, len, BRIEF_REST) : -1;
    }
    for (int i = BRIEF_LEVEL; i <= BRIEF_APP; i++)
        if (bytes_append(out, " ", 1) != 0 || brief_field(out, text, &fields[i], BRIEF_WORD) != 0)
            return -1;
    return bytes_append(out, ":", 1) == 0 ? brief_payload(out, text, &fields[BRIEF_PAYLOAD]) : -1;
}
