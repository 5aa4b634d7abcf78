#include "contract/gunzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define GUNZIP_WINDOW (15 + 16) /* the largest window; gzip, and nothing else */
#define GUNZIP_MOST ((size_t)1 << 30)

struct gunzip {
    z_stream stream;
    bool ended; /* behind a member */
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *gunzip = calloc(1, sizeof *gunzip);
    if (gunzip != NULL && inflateInit2(&gunzip->stream, GUNZIP_WINDOW) == Z_OK)
        return gunzip;
    free(gunzip);
    return NULL;
}

void gunzip_free(struct gunzip *gunzip)
{
    if (gunzip == NULL)
        return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

bool gunzip_is(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    return len >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

int gunzip_read(struct gunzip *gunzip, const void *data, size_t len, size_t *used, void *out,
                size_t room, size_t *got, struct error *err)
{
    z_stream *stream = &gunzip->stream;
    uInt in = (uInt)(len < GUNZIP_MOST ? len : GUNZIP_MOST);
    uInt offered = (uInt)(room < GUNZIP_MOST ? room : GUNZIP_MOST);
    *used = *got = 0;
    if (gunzip->ended && in > 0) {
        inflateReset(stream);
        gunzip->ended = false;
    }
    if (gunzip->ended)
        return 0;
    stream->next_in = (unsigned char *)(uintptr_t)data; /* zlib takes it without const */
    stream->avail_in = in;
    stream->next_out = out;
    stream->avail_out = offered;
    int code = inflate(stream, Z_NO_FLUSH);
    *used = in - stream->avail_in;
    *got = offered - stream->avail_out;
    gunzip->ended = code == Z_STREAM_END;
    /* What came out in front of the damage counts; zlib will say it again. */
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR || *got > 0)
        return 0;
    error_set(err, code == Z_MEM_ERROR ? "out of memory" : "damaged gzip");
    return -1;
}

bool gunzip_whole(const struct gunzip *gunzip)
{
    return gunzip->ended;
}
