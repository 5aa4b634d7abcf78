#include "server/files.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/sha1.h"
#include "contract/media.h"

/* What a compressed answer must be shorter by: less is not worth inflating it. */
#define FILES_WORTH(len) ((len) / 16 + 32)

struct files {
    atomic_uint references;
    struct file *items; /* in the order of their names behind files_end */
    size_t count, capacity;
    size_t bytes;
};

struct files *files_new(void)
{
    struct files *files = calloc(1, sizeof *files);
    if (files != NULL)
        atomic_init(&files->references, 1);
    return files;
}

static void files_etag(struct file_form *form)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA1_BYTES];
    char *at = form->etag;
    sha1(form->data != NULL ? form->data : "", form->len, sum);
    *at++ = '"';
    for (size_t i = 0; i < SHA1_BYTES; i++) {
        *at++ = digits[sum[i] >> 4];
        *at++ = digits[sum[i] & 0x0f];
    }
    *at++ = '"';
    *at = '\0';
}

/* Makes the compressed form, unless it is not worth it. 0, or -1 when out of memory. */
static int files_compress(struct file *file)
{
    const struct file_form *plain = &file->plain;
    if (plain->len <= FILES_WORTH(plain->len))
        return 0;
    z_stream stream = {0};
    size_t room = plain->len - FILES_WORTH(plain->len);
    char *packed = malloc(room), *fitted;
    if (packed == NULL)
        return -1;
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        free(packed);
        return -1;
    }
    stream.next_in = (Bytef *)plain->data;
    stream.avail_in = (uInt)plain->len;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    bool fits = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    (void)deflateEnd(&stream);
    if (!fits) {
        free(packed);
        return 0;
    }
    file->gzip.len = room - stream.avail_out;
    fitted = realloc(packed, file->gzip.len);
    file->gzip.data = fitted != NULL ? fitted : packed;
    files_etag(&file->gzip);
    return 0;
}

static void files_clear_one(struct file *file)
{
    free(file->name);
    free(file->plain.data);
    free(file->gzip.data);
}

static int files_grow(struct files *files)
{
    if (files->count < files->capacity)
        return 0;
    size_t capacity = files->capacity == 0 ? 16 : files->capacity * 2;
    struct file *items = realloc(files->items, capacity * sizeof *items);
    if (items == NULL)
        return -1;
    files->items = items;
    files->capacity = capacity;
    return 0;
}

int files_add_take(struct files *files, const char *name, struct bytes *data)
{
    struct media media = media_of(name);
    struct file file = {.name = strdup(name), .type = media.type, .lasting = media_hashed(name)};
    file.plain.data = bytes_steal(data, &file.plain.len);
    if (file.name == NULL || files_grow(files) != 0 ||
        (media.packs && files_compress(&file) != 0)) {
        files_clear_one(&file);
        return -1;
    }
    files_etag(&file.plain);
    files->bytes += file.plain.len;
    files->items[files->count++] = file;
    return 0;
}

static int files_compare(const void *left, const void *right)
{
    return strcmp(((const struct file *)left)->name, ((const struct file *)right)->name);
}

void files_end(struct files *files)
{
    if (files->count > 0)
        qsort(files->items, files->count, sizeof *files->items, files_compare);
}

const struct file *files_find(const struct files *files, const char *name)
{
    struct file wanted = {.name = (char *)name};
    if (files->count == 0)
        return NULL;
    return bsearch(&wanted, files->items, files->count, sizeof wanted, files_compare);
}

size_t files_count(const struct files *files)
{
    return files->count;
}

size_t files_bytes(const struct files *files)
{
    return files->bytes;
}

struct files *files_hold(struct files *files)
{
    atomic_fetch_add_explicit(&files->references, 1, memory_order_relaxed);
    return files;
}

void files_drop(struct files *files)
{
    if (files == NULL ||
        atomic_fetch_sub_explicit(&files->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < files->count; i++)
        files_clear_one(&files->items[i]);
    free(files->items);
    free(files);
}
