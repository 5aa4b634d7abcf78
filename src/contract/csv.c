#include "contract/csv.h"

#include <inttypes.h>
#include <string.h>

#include "contract/line.h"
#include "contract/members.h"
#include "contract/timestamp.h"

static const struct members_name csv_names[] = {
    MEMBERS_NAME("level"),     MEMBERS_NAME("type"),   MEMBERS_NAME("appId"),
    MEMBERS_NAME("sessionId"), MEMBERS_NAME("userId"), MEMBERS_NAME("groupId"),
    MEMBERS_NAME("id"),
};
enum { CSV_NAMES = sizeof csv_names / sizeof *csv_names };

int csv_append_header(struct bytes *out)
{
    return bytes_append_text(out, "seq,received,timestamp,level,type,appId,sessionId,userId,"
                                  "groupId,id,event\r\n");
}

/* Puts what stands from at to the end of out into quotes if it must be. */
static int csv_quote(struct bytes *out, size_t at)
{
    size_t len = out->len - at, quotes = 0, odd = 0;
    for (size_t i = at; i < out->len; i++) {
        char c = out->data[i];
        quotes += c == '"';
        odd += c == ',' || c == '\n' || c == '\r';
    }
    /* White space at the ends is trimmed by some readers. */
    if (quotes == 0 && odd == 0 &&
        (len == 0 || (out->data[at] != ' ' && out->data[out->len - 1] != ' ')))
        return 0;
    if (bytes_reserve(out, quotes + 2) != 0)
        return -1;
    /* From the back: each quote moves what is behind it by one. */
    char *to = out->data + out->len + quotes + 2;
    *--to = '"';
    for (size_t i = out->len; i-- > at;) {
        *--to = out->data[i];
        if (out->data[i] == '"')
            *--to = '"';
    }
    *--to = '"';
    out->len += quotes + 2;
    return 0;
}

int csv_append_field(struct bytes *out, const char *text, size_t len)
{
    size_t at = out->len;
    return bytes_append(out, text, len) == 0 ? csv_quote(out, at) : -1;
}

/* Puts text into quotes, which an event needs in any case. */
static int csv_append_quoted(struct bytes *out, const char *text, size_t len)
{
    const char *end = text + len;
    if (bytes_reserve(out, len * 2 + 2) != 0)
        return -1;
    char *to = out->data + out->len;
    *to++ = '"';
    while (text < end) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        size_t n = (size_t)((quote != NULL ? quote + 1 : end) - text);
        memcpy(to, text, n);
        to += n;
        text += n;
        if (quote != NULL)
            *to++ = '"';
    }
    *to++ = '"';
    out->len = (size_t)(to - out->data);
    return 0;
}

/* What is unescaped is UTF-8 but for NUL and halves of surrogate pairs (ED A0..BF xx). */
static int csv_mend(struct bytes *out, size_t at)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t nuls = 0;
    for (size_t i = at; i < out->len; i++) {
        unsigned char c = (unsigned char)out->data[i];
        nuls += c == '\0';
        if (c == 0xed && out->len - i >= 3 && (unsigned char)out->data[i + 1] >= 0xa0)
            memcpy(out->data + i, replacement, 3);
    }
    if (nuls == 0)
        return 0;
    if (bytes_reserve(out, nuls * 2) != 0)
        return -1;
    char *to = out->data + out->len + nuls * 2;
    for (size_t i = out->len; i-- > at;) {
        if (out->data[i] != '\0') {
            *--to = out->data[i];
            continue;
        }
        to -= 3;
        memcpy(to, replacement, 3);
    }
    out->len += nuls * 2;
    return 0;
}

static int csv_append_member(struct bytes *out, const char *text, const struct scan_field *field)
{
    size_t at = out->len;
    const char *value = text + field->value.at;
    if (field->kind == SCAN_ABSENT)
        return 0;
    if (field->kind != SCAN_STRING)
        return line_append(out, value, field->value.len) == 0 ? csv_quote(out, at) : -1;
    if (!field->escaped)
        return csv_append_field(out, value, field->value.len);
    if (bytes_reserve(out, field->value.len) != 0)
        return -1;
    out->len += scan_unescape(value, field->value.len, out->data + out->len);
    return csv_mend(out, at) == 0 ? csv_quote(out, at) : -1;
}

int csv_append_event(struct bytes *out, int64_t seq, int64_t received, int64_t ts, const char *text,
                     size_t len)
{
    struct scan_field fields[CSV_NAMES];
    char came[TIMESTAMP_SIZE], happened[TIMESTAMP_SIZE];
    /* What someone has changed by hand may be no object: those in front of the fault count. */
    int whole = members_read(text, len, csv_names, CSV_NAMES, fields);
    (void)whole;
    timestamp_format(came, received);
    timestamp_format(happened, ts);
    int status = bytes_append_format(out, "%" PRId64 ",%s,%s,", seq, came, happened);
    for (size_t i = 0; i < CSV_NAMES && status == 0; i++) {
        status = csv_append_member(out, text, &fields[i]);
        if (status == 0)
            status = bytes_append(out, ",", 1);
    }
    size_t at = out->len;
    if (status == 0)
        status = csv_append_quoted(out, text, len);
    if (status == 0)
        line_join(out->data + at, out->len - at);
    return status == 0 ? bytes_append(out, "\r\n", 2) : -1;
}
