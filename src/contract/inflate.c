#include "contract/inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#define INFLATE_WINDOW (15 + 16) /* the largest window; gzip, and nothing else */
#define INFLATE_LEAST_ROOM 4096

/* How much to offer zlib next: some times what came in at first, half of what there is later. */
static size_t inflate_room(const struct bytes *out, size_t start, size_t len, size_t max_len)
{
    size_t got = out->len - start;
    size_t room = got == 0 && len < SIZE_MAX / 4 ? len * 4 : got / 2;
    if (room < INFLATE_LEAST_ROOM)
        room = INFLATE_LEAST_ROOM;
    return room < max_len - got ? room : max_len - got;
}

/* One step: zlib writes behind out, or at the limit into a byte that must not come. */
static int inflate_step(z_stream *stream, struct bytes *out, size_t start, size_t len,
                        size_t max_len, int *code)
{
    size_t room = inflate_room(out, start, len, max_len);
    if (room > 0 && bytes_reserve(out, room) != 0)
        return INFLATE_NO_MEMORY;
    if (room > UINT32_MAX / 2)
        room = UINT32_MAX / 2;
    unsigned char beyond;
    stream->next_out = room > 0 ? (unsigned char *)out->data + out->len : &beyond;
    stream->avail_out = room > 0 ? (uInt)room : 1;
    uInt offered = stream->avail_out;
    *code = inflate(stream, Z_NO_FLUSH);
    size_t written = offered - stream->avail_out;
    if (room == 0)
        return written > 0 ? INFLATE_TOO_LARGE : INFLATE_OK;
    out->len += written;
    return INFLATE_OK;
}

int inflate_gzip(const void *data, size_t len, size_t max_len, struct bytes *out)
{
    z_stream stream = {0};
    int code = inflateInit2(&stream, INFLATE_WINDOW);
    if (code != Z_OK)
        return code == Z_MEM_ERROR ? INFLATE_NO_MEMORY : INFLATE_BAD;

    const size_t start = out->len;
    const unsigned char *at = data;
    size_t left = len; /* not yet given to zlib: it counts in 32 bits */
    bool ended = false;
    int status = INFLATE_OK;
    while (status == INFLATE_OK) {
        if (stream.avail_in == 0 && left > 0) {
            uInt part = left < UINT32_MAX / 2 ? (uInt)left : (uInt)(UINT32_MAX / 2);
            stream.next_in = (unsigned char *)(uintptr_t)at; /* zlib takes it without const */
            stream.avail_in = part;
            at += part;
            left -= part;
        }
        /* Behind a member there is another one or nothing. */
        if (ended) {
            if (stream.avail_in == 0)
                break;
            inflateReset(&stream);
            ended = false;
        }
        status = inflate_step(&stream, out, start, len, max_len, &code);
        if (status != INFLATE_OK)
            break;
        if (code == Z_STREAM_END)
            ended = true;
        else if (code == Z_MEM_ERROR)
            status = INFLATE_NO_MEMORY;
        else if (code != Z_OK)
            status = INFLATE_BAD; /* Z_BUF_ERROR too: there is nothing left, so it was cut short */
    }
    inflateEnd(&stream);
    return status;
}
