/*
 * fuzz_text.c: the text of an event, any bytes, as it is looked into and written out: members,
 * counts, CSV, lines for a terminal, Server-Sent Events, repaired UTF-8, hashes of what was sent.
 *
 * The first two bytes of the input choose: a member's name is cut from the rest, as long as the
 * first says. What is written must be read again, by a reader of its own, as what it was.
 */
#include <jansson.h>

#include "contract/brief.h"
#include "contract/census.h"
#include "contract/csv.h"
#include "contract/document.h"
#include "contract/line.h"
#include "contract/marks.h"
#include "contract/members.h"
#include "contract/resent.h"
#include "contract/sse.h"
#include "contract/utf8.h"
#include "fuzz.h"

#define FUZZ_NOW INT64_C(1710498225123)
#define FUZZ_CSV_COLUMNS 11

/* --- UTF-8, by its table -----------------------------------------------------------------------
 */

/* The bytes of the character at text, 0 for one that is no UTF-8 (RFC 3629, 4). */
static size_t fuzz_character(const unsigned char *at, size_t len, uint32_t *number)
{
    size_t n = at[0] < 0x80       ? 1
               : at[0] >> 5 == 6  ? 2
               : at[0] >> 4 == 14 ? 3
               : at[0] >> 3 == 30 ? 4
                                  : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 0 || n > len)
        return 0;
    uint32_t value = n == 1 ? at[0] : at[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        value = value << 6 | (at[i] & 0x3fU);
    }
    *number = value;
    return value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : n;
}

static bool fuzz_is_utf8(const char *text, size_t len, bool *controls)
{
    *controls = false;
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = fuzz_character((const unsigned char *)text + i, len - i, &c);
        if (n == 0)
            return false;
        *controls = *controls || c < 0x20 || (c >= 0x7f && c < 0xa0);
        i += n;
    }
    return true;
}

static void fuzz_utf8(const char *text, size_t len)
{
    bool controls, right = fuzz_is_utf8(text, len, &controls);
    struct utf8 utf8 = {0}, bits = {0};
    bool taken = utf8_add(&utf8, text, len), piecewise = true;
    for (size_t i = 0; i < len && piecewise; i++)
        piecewise = utf8_add(&bits, text + i, 1);
    fuzz_need((taken && utf8_whole(&utf8)) == right && piecewise == taken, "UTF-8, or not");
    struct bytes out;
    bytes_init(&out);
    fuzz_need(utf8_repair(&out, text, len, false) == 0, "out of memory");
    fuzz_need(fuzz_is_utf8(out.data, out.len, &controls), "repaired, and no UTF-8");
    fuzz_need(!right || fuzz_same(out.data, out.len, text, len), "repaired, and was right");
    /* A part of it, from the beginning, is shown as the beginning of all, but for the end. */
    size_t whole = out.len;
    fuzz_need(utf8_repair(&out, text, len / 2, true) == 0, "out of memory");
    size_t part = out.len - whole;
    fuzz_need(part <= whole && (part == 0 || memcmp(out.data, out.data + whole, part) == 0),
              "half of it is repaired in another way");
    bytes_clear(&out);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void fuzz_lines(const char *text, size_t len)
{
    struct bytes out;
    bool controls;
    bytes_init(&out);
    fuzz_need(line_append(&out, text, len) == 0, "out of memory");
    fuzz_need(out.len == len, "a line of another length");
    for (size_t i = 0; i < len; i++)
        fuzz_need(out.data[i] == text[i] ||
                      (out.data[i] == ' ' && (text[i] == '\r' || text[i] == '\n')),
                  "a line was changed");
    out.len = 0;
    fuzz_need(line_append_visible(&out, text, len) == 0, "out of memory");
    fuzz_need(fuzz_is_utf8(out.data, out.len, &controls) && !controls, "a cursor is moved");
    out.len = 0;
    fuzz_need(line_append_plain(&out, text, len, 40) == 0, "out of memory");
    fuzz_need(fuzz_is_utf8(out.data, out.len, &controls) && !controls, "a cursor is moved, plain");
    fuzz_need(out.len <= 40 * 6 + 3, "more than was asked for");
    out.len = 0;
    fuzz_need(brief_append(&out, FUZZ_NOW, text, len) == 0, "out of memory");
    fuzz_need(fuzz_is_utf8(out.data, out.len, &controls) && !controls, "a cursor is moved, brief");
    fuzz_need(out.len < 12000, "not brief");
    out.len = 0;
    fuzz_need(sse_append_event(&out, 7, text, len) == 0, "out of memory");
    fuzz_need(out.len == len + 14 && memcmp(out.data, "id: 7\ndata: ", 12) == 0 &&
                  memcmp(out.data + out.len - 2, "\n\n", 2) == 0 &&
                  memchr(out.data + 12, '\n', len + 1) == out.data + 12 + len &&
                  memchr(out.data, '\r', out.len) == NULL,
              "one event is several");
    bytes_clear(&out);
}

/* --- CSV ---------------------------------------------------------------------------------------
 */

/* Reads a field by RFC 4180. The place behind it, at a comma, CR or the end. */
static const char *fuzz_field(const char *at, const char *end, struct bytes *out)
{
    out->len = 0;
    if (at == end || *at != '"') {
        const char *stop = at;
        while (stop < end && *stop != ',' && *stop != '\r') {
            fuzz_need(*stop != '"' && *stop != '\n', "a field that is not quoted");
            stop++;
        }
        fuzz_need(stop == at || bytes_append(out, at, (size_t)(stop - at)) == 0, "out of memory");
        return stop;
    }
    for (at++; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            return at + 1;
        at += *at == '"';
        fuzz_need(bytes_append(out, at, 1) == 0, "out of memory");
    }
    fuzz_need(false, "a quote that is not closed");
    return NULL;
}

static void fuzz_csv(const char *text, size_t len)
{
    struct bytes out, field, line;
    bytes_init(&out);
    bytes_init(&field);
    bytes_init(&line);
    fuzz_need(bytes_reserve(&out, 1) == 0, "out of memory");
    fuzz_need(csv_append_field(&out, text, len) == 0, "out of memory");
    fuzz_need(fuzz_field(out.data, out.data + out.len, &field) == out.data + out.len &&
                  fuzz_same(field.data, field.len, text, len),
              "a field comes back as another");
    out.len = 0;
    fuzz_need(csv_append_event(&out, 7, FUZZ_NOW, FUZZ_NOW, text, len) == 0 &&
                  line_append(&line, text, len) == 0,
              "out of memory");
    const char *at = out.data, *end = out.data + out.len;
    bool controls, right = fuzz_is_utf8(text, len, &controls);
    for (int column = 0; column < FUZZ_CSV_COLUMNS; column++) {
        at = fuzz_field(at, end, &field);
        fuzz_need(!right || column == FUZZ_CSV_COLUMNS - 1 ||
                      (fuzz_is_utf8(field.data, field.len, &controls) &&
                       (field.len == 0 || memchr(field.data, '\0', field.len) == NULL)),
                  "a member that is no UTF-8, or has a NUL");
        fuzz_need(at < end && *at == (column == FUZZ_CSV_COLUMNS - 1 ? '\r' : ','), "a column");
        at++;
    }
    fuzz_need(fuzz_same(field.data, field.len, line.data, line.len), "the event is another");
    fuzz_need(end - at == 1 && *at == '\n', "a row that does not end");
    bytes_clear(&out);
    bytes_clear(&field);
    bytes_clear(&line);
}

/* --- members -----------------------------------------------------------------------------------
 */

static bool fuzz_equal(const char *text, const struct scan_field *field, const json_t *wanted)
{
    if (field->kind == SCAN_ABSENT || wanted == NULL)
        return field->kind == SCAN_ABSENT && wanted == NULL;
    size_t quote = field->kind == SCAN_STRING ? 1 : 0;
    json_t *found = json_loadb(text + field->value.at - quote, field->value.len + 2 * quote,
                               JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    bool same = found != NULL && json_equal(found, wanted);
    json_decref(found);
    /* And by its characters. */
    if (same && json_is_string(wanted))
        same = members_equal(text, field, json_string_value(wanted), json_string_length(wanted));
    return same;
}

static void fuzz_members(const char *text, size_t len, const char *name)
{
    const struct members_name names[] = {{name, strlen(name)}, MEMBERS_NAME("type")};
    struct scan_field fields[2];
    if (strcmp(name, "type") == 0) /* each name once */
        return;
    int status = members_read(text, len, names, 2, fields);
    for (int i = 0; i < 2; i++)
        fuzz_need(fields[i].kind == SCAN_ABSENT || fields[i].value.at + fields[i].value.len <= len,
                  "a member outside of its text");
    json_t *object =
        memchr(text, '\0', len) == NULL ? json_loadb(text, len, JSON_ALLOW_NUL, NULL) : NULL;
    if (json_is_object(object)) {
        fuzz_need(status == 0, "jansson reads it, we do not");
        const json_t *wanted = json_object_get(object, name);
        fuzz_need(fuzz_equal(text, &fields[0], wanted) &&
                      fuzz_equal(text, &fields[1], json_object_get(object, "type")),
                  "another member");
        fuzz_need(!json_is_string(wanted) ||
                      members_any(text, len, names, json_string_value(wanted),
                                  json_string_length(wanted)),
                  "a value that is there was not found");
    }
    json_decref(object);
}

static void fuzz_census(const char *text, size_t len)
{
    struct census census[CENSUS_MEMBERS];
    int64_t counted = 0;
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        fuzz_need(census_init(&census[i]) == 0, "out of memory");
    fuzz_need(census_add_event(census, text, len) == 0 &&
                  census_add_event(census, "{\"type\":\"a\"}", 12) == 0 &&
                  census_add_event(census, text, len) == 0,
              "out of memory");
    for (int i = 0; i < CENSUS_MEMBERS; i++) {
        census_sort(&census[i]);
        counted = census[i].none + census[i].others;
        for (size_t n = 0; n < census[i].count; n++)
            counted += census[i].values[n].events;
        fuzz_need(counted == 3 && census[i].count <= 2, "not each event is counted once");
        census_clear(&census[i]);
    }
}

/* The element that a client sent must be among those that it may have sent. */
static void fuzz_resent(const char *text, size_t len)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = "0123456789abcdef";
    uint64_t hashes[RESENT_MOST];
    size_t count = 0;
    struct bytes scratch;
    bytes_init(&scratch);
    fuzz_need(resent_hashes(key, text, len, &scratch, hashes, &count) == 0, "out of memory");
    fuzz_need(count >= 1 && count <= RESENT_MOST && hashes[0] == marks_hash(key, text, len),
              "not what is stored");
    bytes_clear(&scratch);
}

static void fuzz_document(const char *text, size_t len)
{
    struct bytes out;
    bytes_init(&out);
    fuzz_need(document_dump(&out, json_pack("{s:o}", "a", document_text(text, len, false))) == 0,
              "out of memory");
    json_t *again = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
    bool controls;
    const json_t *value = json_object_get(again, "a");
    fuzz_need(json_is_string(value), "a document that is none");
    fuzz_need(!fuzz_is_utf8(text, len, &controls) ||
                  fuzz_same(json_string_value(value), json_string_length(value), text, len),
              "a text comes back as another");
    json_decref(again);
    bytes_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[SCAN_WANTED_MOST + 1] = "";
    if (size < 2)
        return 0;
    /* A name of the event's own. */
    const char *text = (const char *)data + 2;
    size_t len = size - 2, from = len > 0 ? data[1] % len : 0, n = 0;
    while (n < (data[0] & 15U) && from + n < len && text[from + n] > ' ' && text[from + n] < 0x7f)
        n++;
    memcpy(name, text + from, n);
    fuzz_utf8(text, len);
    fuzz_lines(text, len);
    fuzz_csv(text, len);
    fuzz_members(text, len, name);
    if (data[0] >> 4 == 0) /* it takes long */
        fuzz_census(text, len);
    fuzz_resent(text, len);
    fuzz_document(text, len);
    return 0;
}
