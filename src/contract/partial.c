#include "contract/partial.h"

#include <string.h>

#define PARTIAL_WINDOW (-15)       /* the largest window; raw deflate */
#define PARTIAL_ROOM 1024          /* zlib is offered no less than that */
#define PARTIAL_INFLATE_HELD 40960 /* what zlib's context takes, its window included */

enum partial_status partial_begin(struct partial *partial, bool compressed)
{
    partial->begun = true;
    partial->announced = 0;
    partial->text.len = 0;
    partial->utf8 = (struct utf8){0};
    if (!compressed)
        return PARTIAL_OK;
    partial->inflate = (z_stream){0};
    if (inflateInit2(&partial->inflate, PARTIAL_WINDOW) != Z_OK)
        return PARTIAL_NO_MEMORY;
    partial->compressed = true;
    return PARTIAL_OK;
}

/* How many bytes all parts may have. A compressed message may be a little longer than its text:
 * what can't be compressed is stored in blocks, each with some bytes of its own. */
static uint64_t partial_most(const struct partial *partial)
{
    uint64_t most = partial->max;
    uint64_t more = most / 8 + 1024;
    if (!partial->compressed)
        return most;
    return more <= UINT64_MAX - most ? most + more : UINT64_MAX;
}

enum partial_status partial_announce(struct partial *partial, uint64_t len)
{
    uint64_t most = partial_most(partial);
    if (len > most || partial->announced > most - len)
        return PARTIAL_TOO_LARGE;
    partial->announced += len;
    return PARTIAL_OK;
}

/* How many bytes the text may still grow by. */
static size_t partial_room(const struct partial *partial)
{
    return partial->text.len < partial->max ? partial->max - partial->text.len : 0;
}

/* The bytes behind the text are its next part. Those within the limit are looked at first, so that
 * the verdict does not depend on how many came at once. */
static enum partial_status partial_accept(struct partial *partial, size_t len)
{
    struct bytes *text = &partial->text;
    size_t room = partial_room(partial);
    size_t good = len < room ? len : room;
    if (good > 0 && !utf8_add(&partial->utf8, text->data + text->len, good))
        return PARTIAL_NOT_UTF8;
    text->len += good;
    return len > good || text->len > partial->max ? PARTIAL_TOO_LARGE : PARTIAL_OK;
}

static enum partial_status partial_add_plain(struct partial *partial, const void *data, size_t len)
{
    struct bytes *text = &partial->text;
    if (len > 0) {
        if (bytes_reserve(text, len) != 0)
            return PARTIAL_NO_MEMORY;
        memcpy(text->data + text->len, data, len);
    }
    return partial_accept(partial, len);
}

/* Inflates what next_in holds, as far as fits behind the text: up to one byte beyond the limit,
 * which is enough to know that it is passed. */
static enum partial_status partial_inflate_step(struct partial *partial)
{
    struct bytes *text = &partial->text;
    z_stream *stream = &partial->inflate;
    if (bytes_reserve(text, PARTIAL_ROOM) != 0)
        return PARTIAL_NO_MEMORY;
    size_t offered = text->capacity - text->len;
    if (offered > partial_room(partial))
        offered = partial_room(partial) + 1;
    if (offered > UINT32_MAX / 2)
        offered = UINT32_MAX / 2;
    stream->next_out = (unsigned char *)text->data + text->len;
    stream->avail_out = (uInt)offered;
    int code = inflate(stream, Z_SYNC_FLUSH);
    if (code == Z_MEM_ERROR)
        return PARTIAL_NO_MEMORY;
    enum partial_status status = partial_accept(partial, offered - stream->avail_out);
    if (status != PARTIAL_OK)
        return status;
    /* A block may say that it is the last one (RFC 7692, 7.2.3.4): another stream follows then. */
    if (code == Z_STREAM_END)
        inflateReset(stream);
    else if (code != Z_OK && code != Z_BUF_ERROR) /* the latter: there was nothing left to do */
        return PARTIAL_DAMAGED;
    return PARTIAL_OK;
}

static enum partial_status partial_add_compressed(struct partial *partial, const void *data,
                                                  size_t len)
{
    z_stream *stream = &partial->inflate;
    enum partial_status status;
    stream->next_in = (unsigned char *)(uintptr_t)data; /* zlib takes it without const */
    stream->avail_in = (uInt)len;
    do {
        status = partial_inflate_step(partial);
    } while (status == PARTIAL_OK && (stream->avail_in > 0 || stream->avail_out == 0));
    return status;
}

enum partial_status partial_add(struct partial *partial, const void *data, size_t len)
{
    return partial->compressed ? partial_add_compressed(partial, data, len)
                               : partial_add_plain(partial, data, len);
}

/* The four bytes that the sender left out (RFC 7692, 7.2.2) must lead to the end of a block, and of
 * a byte. An empty payload, and one that ends with a last block, do without. */
static enum partial_status partial_end_compressed(struct partial *partial)
{
    static const unsigned char tail[] = {0x00, 0x00, 0xff, 0xff};
    const z_stream *stream = &partial->inflate;
    if (stream->total_in == 0)
        return PARTIAL_OK;
    enum partial_status status = partial_add_compressed(partial, tail, sizeof tail);
    /* data_type: 128 is set behind a block, and below 64 are the bits left over. */
    if (status == PARTIAL_OK && stream->total_in > 0 &&
        ((stream->data_type & 128) == 0 || (stream->data_type & 63) != 0))
        status = PARTIAL_CUT;
    return status;
}

/* The message is over, its text stays. */
static void partial_close(struct partial *partial)
{
    if (partial->compressed)
        inflateEnd(&partial->inflate);
    partial->compressed = false;
    partial->begun = false;
}

enum partial_status partial_end(struct partial *partial)
{
    enum partial_status status = PARTIAL_OK;
    if (partial->compressed)
        status = partial_end_compressed(partial);
    if (status == PARTIAL_OK && !utf8_whole(&partial->utf8))
        status = PARTIAL_NOT_UTF8;
    if (status == PARTIAL_OK)
        partial_close(partial);
    return status;
}

void partial_clear(struct partial *partial)
{
    partial_close(partial);
    bytes_clear(&partial->text);
}

size_t partial_held(const struct partial *partial)
{
    if (!partial->begun)
        return 0;
    return partial->text.capacity + (partial->compressed ? PARTIAL_INFLATE_HELD : 0);
}
