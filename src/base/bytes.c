#include "base/bytes.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_FIRST_CAPACITY 64

void bytes_init(struct bytes *b)
{
    *b = (struct bytes){0};
}

void bytes_clear(struct bytes *b)
{
    free(b->data);
    bytes_init(b);
}

int bytes_reserve(struct bytes *b, size_t more)
{
    if (more <= b->capacity - b->len)
        return 0;
    if (more > PTRDIFF_MAX - b->len) /* no object is larger */
        return -1;
    size_t wanted = b->len + more;
    /* By half and not by double: a freed predecessor can then be used again by the allocator. */
    size_t grown = b->capacity + b->capacity / 2;
    if (grown < BYTES_FIRST_CAPACITY)
        grown = BYTES_FIRST_CAPACITY;
    if (grown < wanted)
        grown = wanted;
    char *data = realloc(b->data, grown);
    if (data == NULL)
        return -1;
    b->data = data;
    b->capacity = grown;
    return 0;
}

int bytes_append(struct bytes *b, const void *data, size_t len)
{
    if (len == 0) /* memcpy must not see the NULL of an empty run */
        return 0;
    if (bytes_reserve(b, len) != 0)
        return -1;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int bytes_append_text(struct bytes *b, const char *text)
{
    return bytes_append(b, text, strlen(text));
}

int bytes_append_format(struct bytes *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int status = -1;
    int len = vsnprintf(NULL, 0, format, args);
    /* vsnprintf writes a NUL behind the text: reserved, not counted. */
    if (len >= 0 && bytes_reserve(b, (size_t)len + 1) == 0) {
        vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
        status = 0;
    }
    va_end(again);
    va_end(args);
    return status;
}

char *bytes_steal(struct bytes *b, size_t *len)
{
    char *data = b->data;
    *len = b->len;
    if (b->len == 0) {
        free(data);
        data = NULL;
    }
    bytes_init(b);
    return data;
}
