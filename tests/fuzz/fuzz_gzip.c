/*
 * fuzz_gzip.c: a gzip body inflated into bounded memory, and a gzip file inflated piece by piece,
 * against zlib one byte at a time.
 *
 * The first byte of the input chooses: bits 0 and 1 the limit, bits 2 and 3 what the rest is (gzip
 * as it stands; plain bytes, compressed here as one member, as two, as one with a flaw). The second
 * how many bytes come at once, the third how many go out, the fourth where the flaw is.
 */
#include <zlib.h>

#include "base/bytes.h"
#include "contract/gunzip.h"
#include "contract/inflate.h"
#include "fuzz.h"

#define FUZZ_HEAD 4
#define FUZZ_MOST 20000 /* bytes that may come out */

/* --- the model: every member, one byte in, one byte out ----------------------------------------
 */

struct fuzz_plain {
    unsigned char data[FUZZ_MOST + 1];
    size_t len;
    int status; /* an inflate_status */
    bool whole; /* it ends behind a member */
};

static void fuzz_model(const unsigned char *in, size_t len, size_t max, struct fuzz_plain *plain)
{
    z_stream stream = {0};
    unsigned char one;
    size_t at = 0;
    int code = Z_OK;
    plain->len = 0;
    plain->status = INFLATE_OK;
    plain->whole = false;
    fuzz_need(inflateInit2(&stream, 31) == Z_OK, "out of memory");
    while (plain->status == INFLATE_OK) {
        if (code == Z_STREAM_END) {
            if (at == len)
                break;
            inflateReset(&stream);
        }
        bool fed = at < len;
        stream.next_in = (unsigned char *)in + at;
        stream.avail_in = fed ? 1 : 0;
        stream.next_out = &one;
        stream.avail_out = 1;
        code = inflate(&stream, Z_NO_FLUSH);
        at += fed && stream.avail_in == 0 ? 1 : 0;
        if (stream.avail_out == 0 && plain->len == max)
            plain->status = INFLATE_TOO_LARGE;
        else if (stream.avail_out == 0)
            plain->data[plain->len++] = one;
        else if (code != Z_OK && code != Z_STREAM_END)
            plain->status = INFLATE_BAD;
    }
    plain->whole = plain->status == INFLATE_OK;
    inflateEnd(&stream);
}

/* --- ours --------------------------------------------------------------------------------------*/

static void fuzz_inflate(const unsigned char *in, size_t len, size_t max,
                         const struct fuzz_plain *plain)
{
    struct bytes out;
    bytes_init(&out);
    fuzz_need(bytes_append(&out, "before", 6) == 0, "out of memory");
    int status = inflate_gzip(in, len, max, &out);
    fuzz_need(status == plain->status, "it ends in another way than zlib");
    fuzz_need(out.len >= 6 && memcmp(out.data, "before", 6) == 0, "what was there is gone");
    fuzz_need(out.len - 6 <= max, "more than the limit");
    fuzz_need(out.capacity <= 2 * (max + 6) + 4 * len + 8192, "too much memory");
    fuzz_need(status != INFLATE_OK || fuzz_same(out.data + 6, out.len - 6, plain->data, plain->len),
              "other bytes than zlib's");
    bytes_clear(&out);
}

static void fuzz_pieces(const unsigned char *in, size_t len, size_t step, size_t room,
                        const struct fuzz_plain *plain)
{
    unsigned char out[256];
    size_t at = 0, made = 0, used, got;
    struct error err = {""};
    struct gunzip *gunzip = gunzip_new();
    fuzz_need(gunzip != NULL, "out of memory");
    for (;;) {
        size_t offered = len - at < step ? len - at : step;
        int status = gunzip_read(gunzip, in + at, offered, &used, out, room, &got, &err);
        fuzz_need(used <= offered && got <= room, "more than there was room for");
        at += used;
        for (size_t i = 0; i < got; i++, made++)
            fuzz_need(made >= plain->len || out[i] == plain->data[made], "other bytes in pieces");
        if (status != 0) {
            fuzz_need(plain->status != INFLATE_OK && err.text[0] != '\0', "zlib took it");
            break;
        }
        if (plain->status == INFLATE_TOO_LARGE && made > plain->len)
            break;
        if (used == 0 && got == 0 && at == len) {
            fuzz_need(gunzip_whole(gunzip) == plain->whole || len == 0, "whole, or not");
            fuzz_need(!plain->whole || made == plain->len, "some is missing");
            break;
        }
        fuzz_need(used > 0 || got > 0, "it does not go on");
    }
    gunzip_free(gunzip);
}

/* --- making gzip ------------------------------------------------------------------------------ */

static void fuzz_pack(struct bytes *out, const unsigned char *data, size_t len, int level)
{
    z_stream stream = {0};
    fuzz_need(deflateInit2(&stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK,
              "out of memory");
    size_t room = deflateBound(&stream, len) + 32;
    fuzz_need(bytes_reserve(out, room) == 0, "out of memory");
    stream.next_in = (unsigned char *)data;
    stream.avail_in = (uInt)len;
    stream.next_out = (unsigned char *)out->data + out->len;
    stream.avail_out = (uInt)room;
    fuzz_need(deflate(&stream, Z_FINISH) == Z_STREAM_END, "it can't be compressed");
    out->len += stream.total_out;
    deflateEnd(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t limits[] = {FUZZ_MOST, 0, 1, 300};
    static struct fuzz_plain plain;
    if (size < FUZZ_HEAD || size > FUZZ_MOST)
        return 0;
    const unsigned char *rest = data + FUZZ_HEAD;
    size_t len = size - FUZZ_HEAD, max = limits[data[0] & 3], half = len / 2;
    int form = data[0] >> 2 & 3;
    struct bytes packed;
    bytes_init(&packed);
    if (form == 0) {
        fuzz_need(len == 0 || bytes_append(&packed, rest, len) == 0, "out of memory");
    } else {
        fuzz_pack(&packed, rest, form == 2 ? half : len, form == 1 ? 1 : 6);
        if (form == 2)
            fuzz_pack(&packed, rest + half, len - half, 0);
        if (form == 3)
            packed.data[data[3] % packed.len] ^= 1;
    }
    /* A copy of that size, for the tools that watch over reads. */
    unsigned char *copy = malloc(packed.len + 1);
    fuzz_need(copy != NULL, "out of memory");
    if (packed.len > 0)
        memcpy(copy + 1, packed.data, packed.len);
    fuzz_model(copy + 1, packed.len, max, &plain);
    fuzz_need((form != 1 && form != 2) || len > max || (plain.whole && plain.len == len),
              "the model is wrong");
    fuzz_inflate(copy + 1, packed.len, max, &plain);
    fuzz_pieces(copy + 1, packed.len, 1 + data[1], 1 + data[2], &plain);
    free(copy);
    bytes_clear(&packed);
    return 0;
}
