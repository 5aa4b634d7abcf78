/*
 * fuzz_head.c: a request head, and a chunked body, against readers of another make that know the
 * letter of RFC 9112 and nothing else.
 *
 * The first byte of the input chooses: bit 0 whether the rest is a head or a chunked body, the
 * others how many bytes come at once. What a head that is found fit says of its framing must be
 * what the other reader says: where two of them differ, requests are smuggled.
 */
#include <ctype.h>
#include <strings.h>

#include "fuzz.h"
#include "server/chunked.h"
#include "server/head.h"

#define FUZZ_MAX_BODY 100

/* --- a head as the RFC has it ------------------------------------------------------------------
 */

struct fuzz_head {
    unsigned lengths, codings, hosts, origins, keys, types;
    const char *host, *origin, *key, *target;
    size_t host_len, origin_len, key_len, target_len;
    uint64_t length;
    bool chunked, lines;
};

static bool fuzz_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static void fuzz_value(struct fuzz_head *head, const char *name, size_t name_len, const char *value,
                       size_t len)
{
    if (fuzz_is(name, name_len, "Content-Length")) {
        head->lengths++;
        head->length = 0;
        for (size_t i = 0; i < len; i++) {
            fuzz_need(isdigit((unsigned char)value[i]), "a length of other than digits");
            head->length = head->length * 10 + (uint64_t)(value[i] - '0');
        }
    } else if (fuzz_is(name, name_len, "Transfer-Encoding")) {
        head->codings++;
        head->chunked = fuzz_is(value, len, "chunked");
    } else if (fuzz_is(name, name_len, "Host")) {
        head->hosts++, head->host = value, head->host_len = len;
    } else if (fuzz_is(name, name_len, "Origin")) {
        head->origins++, head->origin = value, head->origin_len = len;
    } else if (fuzz_is(name, name_len, "X-Tracker-Key")) {
        head->keys++, head->key = value, head->key_len = len;
    } else if (fuzz_is(name, name_len, "Content-Type")) {
        const char *end = memchr(value, ';', len);
        size_t type = end != NULL ? (size_t)(end - value) : len;
        while (type > 0 && (value[type - 1] == ' ' || value[type - 1] == '\t'))
            type--;
        head->types++, head->lines = fuzz_is(value, type, "application/x-ndjson");
    }
}

/* Reads one that was found fit; what no fit one may hold ends the process. */
static void fuzz_read_head(const char *text, size_t len, struct fuzz_head *head)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *end = text + len, *line = text;
    *head = (struct fuzz_head){0};
    for (bool first = true; line < end; first = false) {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        fuzz_need(stop != NULL, "a line without an end");
        size_t length = (size_t)(stop - line);
        for (size_t i = 0; i < length; i++)
            fuzz_need((unsigned char)line[i] >= ' ' || line[i] == '\t', "a control character");
        if (first) {
            const char *space = memchr(line, ' ', length);
            const char *last = memrchr(line, ' ', length);
            fuzz_need(last != space, "a request line of other than three words");
            head->target = space + 1;
            head->target_len = (size_t)(last - space - 1);
            fuzz_need(memchr(head->target, ' ', head->target_len) == NULL, "a space in a target");
        } else if (length > 0) {
            const char *colon = memchr(line, ':', length);
            const char *value = colon != NULL ? colon + 1 : line;
            fuzz_need(value > line + 1, "a line without a name");
            for (const char *c = line; c < colon; c++)
                fuzz_need(strchr(token, *c) != NULL, "a name that is no token");
            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t'))
                stop--;
            fuzz_value(head, line, (size_t)(colon - line), value, (size_t)(stop - value));
            stop = memmem(stop, (size_t)(end - stop), "\r\n", 2);
        } else {
            fuzz_need(stop + 2 == end, "something behind the empty line");
        }
        line = stop + 2;
    }
}

static bool fuzz_slice(struct head_slice slice, const char *text, size_t len)
{
    return slice.at == NULL ? text == NULL
                            : text != NULL && fuzz_same(slice.at, slice.len, text, len);
}

static void fuzz_fit(const char *text, size_t len, const struct head *head)
{
    struct fuzz_head model;
    fuzz_read_head(text, len, &model);
    fuzz_need(head->method.len > 0 && memcmp(text, head->method.at, head->method.len) == 0 &&
                  text[head->method.len] == ' ',
              "another method");
    bool body = *head->method.at == 'P';
    fuzz_need(model.lengths + model.codings <= 1, "a body has two lengths");
    fuzz_need(!body || model.lengths + model.codings == 1, "a body has no length");
    fuzz_need(body || (model.length == 0 && model.codings == 0), "a body where there is none");
    fuzz_need(model.codings == (head->chunked ? 1U : 0U) && model.chunked == head->chunked,
              "chunked, or not");
    fuzz_need(!head->chunked || !head->http_1_0, "chunks in HTTP/1.0");
    fuzz_need(model.length == head->content_length, "another length");
    fuzz_need(head->content_length <= FUZZ_MAX_BODY || head->lines, "a body over the limit");
    fuzz_need(model.hosts == 1 || (model.hosts == 0 && head->http_1_0), "not one Host");
    fuzz_need(model.origins <= 1 && model.keys <= 1, "a header that stands twice");
    fuzz_need(head->lines == (model.lines && model.types == 1), "lines, or none");
    fuzz_need(fuzz_slice(head->host, model.host, model.host_len) &&
                  fuzz_slice(head->origin, model.origin, model.origin_len) &&
                  fuzz_slice(head->key, model.key, model.key_len) &&
                  fuzz_slice(head->target, model.target, model.target_len),
              "another Host, Origin, key or target");
    fuzz_need(head->target.at[0] == '/' && (head->target.len < 2 || head->target.at[1] != '/'),
              "a target that is no path");
}

/* The head as it is handed on must say the same, and have that length. */
static void fuzz_again(const char *text, size_t len, const struct head *head)
{
    struct bytes out;
    struct head again;
    size_t seen = 0;
    bytes_init(&out);
    fuzz_need(head_with_length(text, len, 77, &out) == 0, "out of memory");
    fuzz_need(head_end(out.data, out.len, &seen) == out.len, "its end is elsewhere");
    head_check(out.data, out.len, FUZZ_MAX_BODY, &again);
    bool body = *head->method.at == 'P';
    fuzz_need((again.refuse == 0) == body, "fit, and then not");
    fuzz_need(!body || (again.content_length == 77 && !again.chunked && !again.expects &&
                        fuzz_slice(again.host, head->host.at, head->host.len) &&
                        fuzz_slice(again.origin, head->origin.at, head->origin.len) &&
                        fuzz_slice(again.key, head->key.at, head->key.len) &&
                        fuzz_slice(again.target, head->target.at, head->target.len)),
              "it is handed on as another");
    bytes_clear(&out);
}

static void fuzz_one_head(const char *text, size_t size, size_t step)
{
    size_t seen = 0, bit = 0, len = head_end(text, size, &seen), found = 0;
    /* In pieces the same end is found, with the first byte that can tell it. */
    seen = 0;
    for (bit = 0; bit < size && found == 0;) {
        bit = size - bit < step ? size : bit + step;
        found = head_end(text, bit, &seen);
        fuzz_need(seen <= bit, "beyond what has come");
    }
    fuzz_need(found == len, "another end when it comes in pieces");
    if (len == 0)
        return;
    const char *dos = memmem(text, size, "\r\n\r\n", 4);
    fuzz_need(dos == NULL || len <= (size_t)(dos + 4 - text), "an end that was missed");
    struct head head;
    head_check(text, len, FUZZ_MAX_BODY, &head);
    fuzz_need((head.refuse == 0) == (head.why == NULL), "refused without a word");
    if (head.refuse != 0)
        return;
    fuzz_fit(text, len, &head);
    fuzz_again(text, len, &head);
}

/* --- chunks ------------------------------------------------------------------------------------
 */

/* Reads it all at once. The bytes used, or -1. Takes no more than the RFC does. */
static long fuzz_read_chunks(const char *text, size_t size, struct bytes *out)
{
    const char *at = text, *end = text + size;
    for (;;) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL || !isxdigit((unsigned char)*at))
            return -1;
        uint64_t left = 0;
        const char *digit = at;
        for (; isxdigit((unsigned char)*digit); digit++)
            left = left << 4 | (uint64_t)(isdigit((unsigned char)*digit)
                                              ? *digit - '0'
                                              : tolower((unsigned char)*digit) - 'a' + 10);
        if (digit != stop && strchr("; \t", *digit) == NULL)
            return -1;
        at = stop + 2;
        if (left == 0)
            break;
        if ((uint64_t)(end - at) < left + 2 || memcmp(at + left, "\r\n", 2) != 0)
            return -1;
        fuzz_need(bytes_append(out, at, (size_t)left) == 0, "out of memory");
        at += left + 2;
    }
    for (;;) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL)
            return -1;
        bool last = stop == at;
        at = stop + 2;
        if (last)
            return at - text;
    }
}

static int fuzz_chunked(const char *text, size_t size, size_t step, struct bytes *out,
                        size_t *total)
{
    struct chunked chunked = {0};
    int status = CHUNKED_MORE;
    *total = 0;
    while (*total < size && status == CHUNKED_MORE) {
        size_t used, len = size - *total < step ? size - *total : step;
        status = chunked_read(&chunked, text + *total, len, FUZZ_MAX_BODY, out, &used);
        fuzz_need(used <= len && (used == len || status != CHUNKED_MORE), "it stopped early");
        fuzz_need(out->len <= FUZZ_MAX_BODY, "a body over the limit");
        *total += used;
    }
    return status;
}

static void fuzz_one_body(const char *text, size_t size, size_t step)
{
    struct bytes whole, pieces, model;
    size_t used, total;
    bytes_init(&whole);
    bytes_init(&pieces);
    bytes_init(&model);
    int status = fuzz_chunked(text, size, size + 1, &whole, &used);
    fuzz_need(fuzz_chunked(text, size, step, &pieces, &total) == status && total == used &&
                  fuzz_same(whole.data, whole.len, pieces.data, pieces.len),
              "the pieces make a difference");
    if (status == CHUNKED_DONE)
        fuzz_need(fuzz_read_chunks(text, size, &model) == (long)used &&
                      fuzz_same(whole.data, whole.len, model.data, model.len),
                  "other chunks than the RFC's");
    bytes_clear(&whole);
    bytes_clear(&pieces);
    bytes_clear(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t step = 1 + (data[0] >> 1);
    if ((data[0] & 1) == 0)
        fuzz_one_head(text, size - 1, step);
    else
        fuzz_one_body(text, size - 1, step);
    return 0;
}
