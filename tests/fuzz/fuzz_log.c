/*
 * fuzz_log.c: a log file as `beacond import` reads it, with chunks of a few dozen bytes in place of
 * a megabyte; and a body of lines.
 *
 * The first two bytes of the input choose: bits 0 and 1 of the first the longest line, bit 2
 * whether the file is gzip; the second nothing yet. The rest is the file. Whatever its chunks,
 * forwards or backwards, each line must come once, in order, with its number; what is imported must
 * be the same as from one piece, twice; and a body of lines must be what the same events are in a
 * batch.
 */
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "commands/log_reader.h"

#undef LOG_READER_CHUNK
#define LOG_READER_CHUNK ((size_t)64)
#define log_reader_open small_reader_open
#define log_reader_close small_reader_close
#define log_reader_next small_reader_next
#define log_reader_turned small_reader_turned
#define log_reader_done small_reader_done
#define log_backwards_begin small_backwards_begin
#define log_backwards_next small_backwards_next
int small_backwards_begin(struct log_reader *reader, struct error *err) MUST_CHECK;
enum log_reader_status small_backwards_next(struct log_reader *reader, struct log_reader_item *item,
                                            struct error *err) MUST_CHECK;
#include "commands/log_backwards.c"
#include "commands/log_reader.c"

#include "fuzz.h"

#define FUZZ_NOW INT64_C(1710498225123)

static const struct batch_limits fuzz_limits = {.event_bytes = 4096, .depth = 32};

struct fuzz_line {
    const char *text;
    size_t len; /* its line feed included */
};

/* The file's lines, as they stand. free() it. */
static struct fuzz_line *fuzz_split(const char *text, size_t len, size_t *count)
{
    struct fuzz_line *lines = calloc(len + 1, sizeof *lines);
    fuzz_need(lines != NULL, "out of memory");
    *count = 0;
    for (size_t at = 0; at < len;) {
        const char *feed = memchr(text + at, '\n', len - at);
        size_t end = feed != NULL ? (size_t)(feed + 1 - text) : len;
        lines[(*count)++] = (struct fuzz_line){text + at, end - at};
        at = end;
    }
    return lines;
}

/* Whether the first event is newer than the last, which is when a file is read backwards. */
static bool fuzz_descends(const struct fuzz_line *lines, size_t count)
{
    int64_t first = 0, last = 0, ts;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        size_t len = lines[i].len - (lines[i].text[lines[i].len - 1] == '\n');
        if (!lines_timestamp(lines[i].text, len, &ts))
            continue;
        first = any ? first : ts;
        last = ts;
        any = true;
    }
    return first > last;
}

/* What an import makes of it, put together from its chunks. */
struct fuzz_import {
    struct line_ids ids;
    struct bytes events; /* their ids and texts */
    int64_t lines, skipped, malformed;
};

static void fuzz_import_chunk(struct fuzz_import *import, const struct lines_chunk *chunk)
{
    struct lines_report report;
    struct batch *batch;
    fuzz_need(lines_import(chunk, &fuzz_limits, &import->ids, FUZZ_NOW, &report, &batch, NULL) ==
                  BATCH_OK,
              "out of memory");
    fuzz_need(report.lines == report.skipped + report.malformed + (int64_t)batch->event_count,
              "a line is neither stored, skipped nor malformed");
    for (size_t i = 0; i < report.fault_count; i++)
        fuzz_need(report.faults[i].why[0] != '\0', "malformed, and not told why");
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        fuzz_need(event->given && event->id_len > 0, "an id that is not for good");
        fuzz_need(bytes_append(&import->events, event->id, event->id_len) == 0 &&
                      bytes_append(&import->events, event->text, event->text_len) == 0,
                  "out of memory");
    }
    import->lines += report.lines;
    import->skipped += report.skipped;
    import->malformed += report.malformed;
    batch_free(batch);
}

static void fuzz_import_init(struct fuzz_import *import)
{
    *import = (struct fuzz_import){.lines = 0};
    line_ids_init(&import->ids);
    bytes_init(&import->events);
}

static void fuzz_import_clear(struct fuzz_import *import)
{
    line_ids_clear(&import->ids);
    bytes_clear(&import->events);
}

/* Holds a chunk against the lines. next: of which line it must begin, moved on. */
static void fuzz_chunk(const struct lines_chunk *chunk, const struct fuzz_line *lines, size_t count,
                       size_t line_bytes, int64_t *next)
{
    size_t at = 0;
    fuzz_need(chunk->len > 0 && chunk->first == *next, "a chunk of another number");
    while (at < chunk->len) {
        fuzz_need(*next >= 1 && *next <= (int64_t)count, "more lines than there are");
        const struct fuzz_line *line = &lines[*next - 1];
        fuzz_need(line->len <= chunk->len - at &&
                      memcmp(chunk->text + at, line->text, line->len) == 0,
                  "another line");
        (void)line_bytes;
        at += line->len;
        *next += chunk->step;
    }
}

static void fuzz_reader(const char *path, const struct fuzz_line *lines, size_t count,
                        size_t line_bytes, bool zipped, struct fuzz_import *import, bool *skipped)
{
    struct log_reader reader;
    struct log_reader_item item;
    struct error err = {""};
    enum log_reader_status status;
    fuzz_need(small_reader_open(&reader, path, line_bytes, &err) == 0, "it can't be opened");
    fuzz_need(zipped || reader.backwards == fuzz_descends(lines, count), "the other way round");
    int64_t step = reader.backwards ? -1 : 1, next = reader.backwards ? (int64_t)count : 1;
    *skipped = false;
    while ((status = small_reader_next(&reader, &item, &err)) <= LOG_READER_LONG_LINE) {
        if (status == LOG_READER_CHUNK_READ) {
            fuzz_need(item.chunk.step == step, "another direction");
            fuzz_chunk(&item.chunk, lines, count, line_bytes, &next);
            fuzz_import_chunk(import, &item.chunk);
            continue;
        }
        *skipped = true;
        fuzz_need(item.line == next && lines[next - 1].len > line_bytes,
                  "a line that was not long");
        next += step;
    }
    fuzz_need(status == LOG_READER_END && err.text[0] == '\0', "it can't be read");
    fuzz_need(next == (step > 0 ? (int64_t)count + 1 : 0), "lines are missing");
    fuzz_need(small_reader_done(&reader) >= 0, "less than nothing");
    small_reader_close(&reader);
}

/* --- as a body ---------------------------------------------------------------------------------
 */

/* The same events as a batch of one document must be stored the same. */
static void fuzz_body(const char *text, size_t len, const struct fuzz_line *lines, size_t count)
{
    struct uuid_source uuids, same;
    struct batch *from_lines, *from_body;
    struct bytes body;
    size_t objects, whole = 0;
    uuid_source_init(&uuids);
    same = uuids;
    bytes_init(&body);
    fuzz_need(lines_body(text, len, &fuzz_limits, &uuids, NULL, FUZZ_NOW, &objects, &from_lines,
                         NULL) == BATCH_OK,
              "out of memory");
    fuzz_need(bytes_append_text(&body, "{\"events\":[") == 0, "out of memory");
    size_t beyond = 0; /* no JSON, or too large: what else they are is not the same */
    for (size_t i = 0; i < count; i++) {
        struct scan_event event;
        const char *at = lines[i].text, *end = at + lines[i].len;
        while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
            at++;
        if (at == end)
            continue;
        while (strchr(" \t\r\n", end[-1]) != NULL && end[-1] != '\0')
            end--;
        bool bom = end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0;
        if (bom || (size_t)(end - at) > fuzz_limits.event_bytes ||
            scan_event(at, (size_t)(end - at), fuzz_limits.depth, &event, NULL) != SCAN_OK) {
            beyond += !bom;
            if (bom)
                goto out; /* it may stand in front of a line, not of an element */
            continue;
        }
        fuzz_need(bytes_append(&body, ",", whole++ > 0 ? 1 : 0) == 0 &&
                      bytes_append(&body, at, (size_t)(end - at)) == 0,
                  "out of memory");
    }
    fuzz_need(bytes_append_text(&body, "]}") == 0, "out of memory");
    fuzz_need(batch_read(body.data, body.len, &fuzz_limits, &same, NULL, FUZZ_NOW, &from_body,
                         NULL) == BATCH_OK,
              "lines that are JSON are none together");
    fuzz_need(from_lines->event_count == from_body->event_count &&
                  from_lines->reject_count == from_body->reject_count + beyond,
              "other events than in a batch");
    for (size_t i = 0; i < from_body->event_count; i++) {
        const struct batch_event *a = &from_lines->events[i], *b = &from_body->events[i];
        fuzz_need(a->ts == b->ts && a->given == b->given &&
                      (!a->given || (fuzz_same(a->text, a->text_len, b->text, b->text_len) &&
                                     fuzz_same(a->id, a->id_len, b->id, b->id_len))) &&
                      a->text_len == b->text_len,
                  "another event than in a batch");
    }
    batch_free(from_body);
out:
    batch_free(from_lines);
    bytes_clear(&body);
}

/* --- the file ----------------------------------------------------------------------------------
 */

static void fuzz_write(int fd, const char *text, size_t len, bool zipped)
{
    fuzz_need(ftruncate(fd, 0) == 0, "no file to write");
    if (!zipped) {
        fuzz_need(pwrite(fd, text, len, 0) == (ssize_t)len, "no file to write");
        return;
    }
    uLong room = compressBound(len) + 64;
    unsigned char *packed = malloc(room);
    z_stream stream = {0};
    fuzz_need(packed != NULL && deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, 0) == Z_OK,
              "out of memory");
    stream.next_in = (unsigned char *)text;
    stream.avail_in = (uInt)len;
    stream.next_out = packed;
    stream.avail_out = (uInt)room;
    fuzz_need(deflate(&stream, Z_FINISH) == Z_STREAM_END &&
                  pwrite(fd, packed, stream.total_out, 0) == (ssize_t)stream.total_out,
              "no file to write");
    deflateEnd(&stream);
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t longest[] = {10, 64, 200, 100000};
    static int fd = -1;
    struct fuzz_import whole, first, second;
    char path[32];
    size_t count;
    bool zipped = size > 0 && (data[0] & 4) != 0, skipped;
    if (size < 1 || (!zipped && gunzip_is(data + 1, size - 1)))
        return 0;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    const char *text = (const char *)data + 1;
    size_t len = size - 1, line_bytes = longest[data[0] & 3];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct fuzz_line *lines = fuzz_split(text, len, &count);
    fuzz_write(fd, text, len, zipped);
    fuzz_import_init(&whole);
    fuzz_import_init(&first);
    fuzz_import_init(&second);
    fuzz_reader(path, lines, count, line_bytes, zipped, &first, &skipped);
    fuzz_reader(path, lines, count, line_bytes, zipped, &second, &skipped);
    fuzz_need(fuzz_same(first.events.data, first.events.len, second.events.data, second.events.len),
              "the same file twice is not the same");
    if (!skipped && (zipped || !fuzz_descends(lines, count))) {
        struct lines_chunk chunk = {.text = text, .len = len, .first = 1, .step = 1};
        fuzz_import_chunk(&whole, &chunk);
        fuzz_need(
            whole.lines == first.lines && whole.skipped == first.skipped &&
                whole.malformed == first.malformed &&
                fuzz_same(whole.events.data, whole.events.len, first.events.data, first.events.len),
            "the chunks make a difference");
    }
    fuzz_body(text, len, lines, count);
    fuzz_import_clear(&whole);
    fuzz_import_clear(&first);
    fuzz_import_clear(&second);
    free(lines);
    return 0;
}
