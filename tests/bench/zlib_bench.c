/*
 * zlib_bench.c: what zlib takes for a document, as the measure of all reads.
 *
 *   zlib_bench FILE SECONDS
 *
 * Compresses the file's bytes to one gzip stream at level 1, and inflates that again, over and over
 * for so long, on one core. Neither side waits for memory: the file is in it before, what is
 * inflated goes into a buffer that stays in the processor's cache. Writes one line: the bytes,
 * plain and packed, and the seconds each way took at best.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/bytes.h"

#define ZLIB_GZIP_BITS 31
#define ZLIB_STEP (256 << 10)
#define ZLIB_MOST (UINT32_C(1) << 30) /* zlib counts what is waiting in 32 bits */

static void zlib_must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "zlib_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static double zlib_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uInt zlib_part(size_t left)
{
    return left > ZLIB_MOST ? ZLIB_MOST : (uInt)left;
}

static void zlib_read(const char *path, struct bytes *out)
{
    FILE *file = fopen(path, "rb");
    zlib_must(file != NULL, "the file can't be opened");
    size_t n = 1;
    while (n > 0) {
        zlib_must(bytes_reserve(out, 16 << 20) == 0, "out of memory");
        n = fread(out->data + out->len, 1, 16 << 20, file);
        out->len += n;
    }
    zlib_must(!ferror(file) && out->len > 0, "the file can't be read");
    fclose(file);
}

/* Seconds that it takes to compress plain into packed, which has the room. */
static double zlib_deflate(const struct bytes *plain, struct bytes *packed)
{
    z_stream stream = {0};
    double began = zlib_now();
    zlib_must(deflateInit2(&stream, 1, Z_DEFLATED, ZLIB_GZIP_BITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
              "deflateInit2");
    stream.next_in = (unsigned char *)plain->data;
    stream.next_out = (unsigned char *)packed->data;
    int code = Z_OK;
    while (code == Z_OK) {
        size_t left = plain->len - stream.total_in;
        stream.avail_in = zlib_part(left);
        stream.avail_out = zlib_part(packed->capacity - stream.total_out);
        code = deflate(&stream, left > ZLIB_MOST ? Z_NO_FLUSH : Z_FINISH);
    }
    zlib_must(code == Z_STREAM_END, "deflate");
    packed->len = stream.total_out;
    deflateEnd(&stream);
    return zlib_now() - began;
}

static double zlib_inflate(const struct bytes *packed, size_t plain)
{
    static unsigned char buffer[ZLIB_STEP];
    z_stream stream = {0};
    double began = zlib_now();
    zlib_must(inflateInit2(&stream, ZLIB_GZIP_BITS) == Z_OK, "inflateInit2");
    stream.next_in = (unsigned char *)packed->data;
    int code = Z_OK;
    while (code == Z_OK) {
        stream.avail_in = zlib_part(packed->len - stream.total_in);
        stream.next_out = buffer;
        stream.avail_out = sizeof buffer;
        code = inflate(&stream, Z_NO_FLUSH);
    }
    zlib_must(code == Z_STREAM_END && stream.total_out == plain, "inflate");
    inflateEnd(&stream);
    return zlib_now() - began;
}

int main(int argc, char **argv)
{
    struct bytes plain, packed;
    double deflated = 0, inflated = 0;
    zlib_must(argc == 3, "usage: zlib_bench FILE SECONDS");
    bytes_init(&plain);
    bytes_init(&packed);
    zlib_read(argv[1], &plain);
    zlib_must(bytes_reserve(&packed, compressBound(plain.len) + 64) == 0, "out of memory");
    double end = zlib_now() + atof(argv[2]);
    do {
        double took = zlib_deflate(&plain, &packed);
        deflated = deflated == 0 || took < deflated ? took : deflated;
        took = zlib_inflate(&packed, plain.len);
        inflated = inflated == 0 || took < inflated ? took : inflated;
    } while (zlib_now() < end);
    printf("plain=%zu packed=%zu deflate=%.6f inflate=%.6f\n", plain.len, packed.len, deflated,
           inflated);
    bytes_clear(&plain);
    bytes_clear(&packed);
    return EXIT_SUCCESS;
}
