#include "contract/document.h"

#include "contract/timestamp.h"
#include "contract/utf8.h"

static int document_append(const char *data, size_t len, void *arg)
{
    return bytes_append(arg, data, len);
}

int document_dump(struct bytes *out, json_t *document)
{
    int status =
        document == NULL ? -1 : json_dump_callback(document, document_append, out, JSON_COMPACT);
    json_decref(document);
    return status;
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
