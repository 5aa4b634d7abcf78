#include "contract/document.h"

#include "contract/timestamp.h"
#include "contract/utf8.h"

/* Once a piece did not fit, none is taken: jansson goes on behind a key that failed. */
struct document_dump {
    struct bytes *out;
    int status;
};

static int document_append(const char *data, size_t len, void *arg)
{
    struct document_dump *dump = arg;
    if (dump->status == 0)
        dump->status = bytes_append(dump->out, data, len);
    return dump->status;
}

int document_dump(struct bytes *out, json_t *document)
{
    return document_dump_as(out, document, JSON_COMPACT);
}

int document_dump_as(struct bytes *out, json_t *document, size_t flags)
{
    struct document_dump dump = {.out = out};
    if (document == NULL || json_dump_callback(document, document_append, &dump, flags) != 0)
        dump.status = -1;
    json_decref(document);
    return dump.status;
}

json_t *document_text(const char *text, size_t len, bool beginning)
{
    json_t *value = NULL;
    struct bytes plain;
    bytes_init(&plain);
    if (utf8_repair(&plain, text, len, beginning) == 0)
        value = json_stringn_nocheck(plain.len > 0 ? plain.data : "", plain.len);
    bytes_clear(&plain);
    return value;
}

json_t *document_time(bool any, int64_t ms)
{
    char text[TIMESTAMP_SIZE];
    if (!any)
        return json_null();
    timestamp_format_any(text, ms);
    return json_string(text);
}

int document_add_pair(json_t *array, json_t *first, int64_t number)
{
    json_t *pair = json_pack("[oI]", first, (json_int_t)number);
    if (pair == NULL)
        return -1;
    return json_array_append_new(array, pair);
}
