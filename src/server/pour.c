#include "server/pour.h"

#include <stdlib.h>

/* The last text of a rope with a lease. */
struct pour_last {
    char *text;
    struct leases *leases;
    size_t leased;
};

static void pour_free(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    free(arg);
}

static void pour_free_last(const void *data, size_t len, void *arg)
{
    struct pour_last *last = arg;
    (void)data;
    (void)len;
    leases_give(last->leases, last->leased);
    free(last->text);
    free(last);
}

static void pour_drop(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    segment_drop(arg);
}

int pour_bytes(struct evbuffer *buffer, struct bytes *bytes)
{
    size_t len = 0;
    char *data = bytes_steal(bytes, &len);
    if (data == NULL)
        return 0;
    if (evbuffer_add_reference(buffer, data, len, pour_free, data) == 0)
        return 0;
    free(data);
    return -1;
}

static int pour_piece(struct evbuffer *buffer, struct rope_piece *piece)
{
    if (piece->segment == NULL)
        return pour_bytes(buffer, &piece->text);
    if (evbuffer_add_reference(buffer, piece->segment->deflated, piece->len, pour_drop,
                               piece->segment) != 0)
        return -1;
    piece->segment = NULL; /* the reference is the buffer's now */
    return 0;
}

/* The text that ends a rope takes the lease along. */
static int pour_end(struct evbuffer *buffer, struct rope *rope, struct bytes *text)
{
    size_t len = 0;
    struct pour_last *last = malloc(sizeof *last);
    if (last == NULL)
        return -1;
    *last = (struct pour_last){bytes_steal(text, &len), rope->leases, rope->leased};
    if (last->text == NULL ||
        evbuffer_add_reference(buffer, last->text, len, pour_free_last, last)) {
        free(last->text);
        free(last);
        return -1;
    }
    rope->leases = NULL;
    return 0;
}

int pour_rope(struct evbuffer *buffer, struct rope *rope)
{
    int status = 0;
    for (size_t i = 0; i < rope->count && status == 0; i++) {
        struct rope_piece *piece = &rope->pieces[i];
        bool ends = i + 1 == rope->count && rope->leases != NULL && piece->segment == NULL;
        status = ends ? pour_end(buffer, rope, &piece->text) : pour_piece(buffer, piece);
    }
    rope_clear(rope);
    return status;
}
