/* A file that has its newest event first, from its end to its beginning. */

#include <string.h>

#include "commands/interrupt.h"
#include "commands/log_reader.h"

/* The first and the last event are looked for within so many bytes of either end. */
#define LOG_BACKWARDS_LOOK ((size_t)256 << 10)

static int log_backwards_read(struct log_reader *reader, int64_t from, int64_t to,
                              struct error *err)
{
    size_t len = (size_t)(to - from);
    reader->block.len = 0;
    if (bytes_reserve(&reader->block, len + 1) != 0) {
        error_set(err, "out of memory");
        return LOG_FILE_FAILED;
    }
    reader->block.len = len;
    return log_file_read_at(&reader->file, from, reader->block.data, len, err);
}

/* The timestamp of the first (or last) event among the block's whole lines. */
static bool log_backwards_stamp(const struct log_reader *reader, bool last, int64_t *ts)
{
    const char *at = reader->block.data, *end = at + reader->block.len;
    bool found = false;
    while (at < end && !(found && !last)) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((feed != NULL ? feed : end) - at);
        found = lines_timestamp(at, len, ts) || found;
        at += len + 1;
    }
    return found;
}

/* The number of the file's last line. */
static int log_backwards_count(struct log_reader *reader, struct error *err)
{
    int64_t size = reader->file.size, lines = 0;
    for (int64_t from = 0; from < size; from += (int64_t)LOG_READER_CHUNK) {
        int64_t to = from + (int64_t)LOG_READER_CHUNK;
        if (interrupted()) {
            error_set(err, "interrupted");
            return LOG_FILE_STOPPED;
        }
        int status = log_backwards_read(reader, from, to < size ? to : size, err);
        if (status != 0)
            return status;
        const char *at = reader->block.data, *end = at + reader->block.len;
        for (; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
            lines++;
    }
    reader->half = reader->block.data[reader->block.len - 1] != '\n';
    reader->line = lines + (reader->half ? 1 : 0);
    return 0;
}

int log_backwards_begin(struct log_reader *reader, struct error *err)
{
    int64_t size = reader->file.size, look = (int64_t)LOG_BACKWARDS_LOOK, first = 0, last = 0;
    if (size == 0)
        return 0;
    int status = log_backwards_read(reader, 0, look < size ? look : size, err);
    bool newest_first = status == 0 && log_backwards_stamp(reader, false, &first);
    if (newest_first)
        status = log_backwards_read(reader, look < size ? size - look : 0, size, err);
    newest_first =
        newest_first && status == 0 && log_backwards_stamp(reader, true, &last) && first > last;
    if (status == 0 && newest_first)
        status = log_backwards_count(reader, err);
    reader->backwards = newest_first;
    reader->end = size;
    return status;
}

/* Finds the beginning of the line that ends in front of end and is too long: nothing of it is
 * kept. */
static enum log_reader_status log_backwards_skip(struct log_reader *reader,
                                                 struct log_reader_item *item, struct error *err)
{
    int64_t to = reader->end - 1; /* without its line feed */
    const char *feed = NULL;
    while (to > 0 && feed == NULL) {
        int64_t from = to > (int64_t)LOG_READER_CHUNK ? to - (int64_t)LOG_READER_CHUNK : 0;
        int status = log_backwards_read(reader, from, to, err);
        if (status != 0)
            return status == LOG_FILE_STOPPED ? LOG_READER_STOPPED : LOG_READER_FAILED;
        feed = memrchr(reader->block.data, '\n', reader->block.len);
        to = feed != NULL ? from + (feed + 1 - reader->block.data) : from;
    }
    reader->end = to;
    reader->half = false;
    item->line = reader->line--;
    return LOG_READER_LONG_LINE;
}

/* Puts the lines of text[0..len) into reader->text, the last one first. */
static int log_backwards_turn(struct log_reader *reader, const char *text, size_t len)
{
    reader->text.len = 0;
    while (len > 0) {
        const char *feed = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
        size_t from = feed != NULL ? (size_t)(feed + 1 - text) : 0;
        if (bytes_append(&reader->text, text + from, len - from) != 0)
            return -1;
        len = from;
    }
    return 0;
}

/* Hands out the lines of the block from its byte from on. */
static enum log_reader_status log_backwards_give(struct log_reader *reader, size_t from,
                                                 struct log_reader_item *item, struct error *err)
{
    const char *text = reader->block.data + from;
    size_t len = reader->block.len - from;
    if (reader->half) {
        /* Alone: in front of others it would need a line feed, and not be half a line. */
        const char *feed = memrchr(text, '\n', len);
        size_t whole = feed != NULL ? (size_t)(feed + 1 - text) : 0;
        text += whole;
        len -= whole;
        reader->half = false;
    }
    if (log_backwards_turn(reader, text, len) != 0) {
        error_set(err, "out of memory");
        return LOG_READER_FAILED;
    }
    int64_t lines = text[len - 1] == '\n' ? 0 : 1;
    for (const char *at = text, *end = text + len;
         at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    item->chunk = (struct lines_chunk){
        .text = reader->text.data, .len = len, .first = reader->line, .step = -1};
    reader->line -= lines;
    reader->end -= (int64_t)len;
    return LOG_READER_CHUNK_READ;
}

enum log_reader_status log_backwards_next(struct log_reader *reader, struct log_reader_item *item,
                                          struct error *err)
{
    int64_t want = (int64_t)LOG_READER_CHUNK;
    while (reader->end > 0) {
        int64_t from = reader->end > want ? reader->end - want : 0;
        int status = log_backwards_read(reader, from, reader->end, err);
        if (status != 0)
            return status == LOG_FILE_STOPPED ? LOG_READER_STOPPED : LOG_READER_FAILED;
        if (from == 0)
            return log_backwards_give(reader, 0, item, err);
        /* What stands in front of the first line feed belongs to a line that begins earlier. */
        const char *feed = memchr(reader->block.data, '\n', reader->block.len - 1);
        if (feed != NULL)
            return log_backwards_give(reader, (size_t)(feed + 1 - reader->block.data), item, err);
        if ((size_t)want > reader->line_bytes)
            return log_backwards_skip(reader, item, err);
        want *= 2;
    }
    return LOG_READER_END;
}
