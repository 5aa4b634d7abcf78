#include "commands/log_reader.h"

#include <string.h>

int log_reader_open(struct log_reader *reader, const char *path, size_t line_bytes,
                    struct error *err)
{
    *reader = (struct log_reader){.line_bytes = line_bytes, .line = 1};
    bytes_init(&reader->text);
    bytes_init(&reader->block);
    int status = log_file_open(&reader->file, path, err);
    return status == 0 && reader->file.regular ? log_backwards_begin(reader, err) : status;
}

void log_reader_close(struct log_reader *reader)
{
    log_file_close(&reader->file);
    bytes_clear(&reader->text);
    bytes_clear(&reader->block);
}

static enum log_reader_status log_reader_failure(ssize_t status)
{
    return status == LOG_FILE_STOPPED ? LOG_READER_STOPPED : LOG_READER_FAILED;
}

/* Reads more behind text. Its bytes, or a log_file_status. */
static ssize_t log_reader_fill(struct log_reader *reader, struct error *err)
{
    size_t room = LOG_READER_CHUNK / 4;
    if (bytes_reserve(&reader->text, room) != 0) {
        error_set(err, "out of memory");
        return LOG_FILE_FAILED;
    }
    ssize_t n = log_file_read(&reader->file, reader->text.data + reader->text.len, room, err);
    if (n > 0)
        reader->text.len += (size_t)n;
    return n;
}

static void log_reader_drop(struct log_reader *reader, size_t len)
{
    reader->text.len -= len;
    if (reader->text.len > 0)
        memmove(reader->text.data, reader->text.data + len, reader->text.len);
    /* What one long line has swollen is given back. */
    if (reader->text.len == 0 && reader->text.capacity > 4 * LOG_READER_CHUNK)
        bytes_clear(&reader->text);
}

/* Throws a line away whose beginning has gone already. */
static enum log_reader_status log_reader_skip(struct log_reader *reader,
                                              struct log_reader_item *item, struct error *err)
{
    for (;;) {
        const char *feed = memchr(reader->text.data, '\n', reader->text.len);
        if (feed != NULL)
            log_reader_drop(reader, (size_t)(feed + 1 - reader->text.data));
        else
            reader->text.len = 0;
        ssize_t n = feed != NULL ? 0 : log_reader_fill(reader, err);
        if (n < 0)
            return log_reader_failure(n);
        if (n == 0)
            break;
    }
    reader->endless = false;
    item->line = reader->line++;
    return LOG_READER_LONG_LINE;
}

/* Notes the timestamps of a chunk's first and last events, if there are any. */
static void log_reader_note(struct log_reader *reader, size_t len)
{
    const char *text = reader->text.data;
    int64_t ts;
    if (!reader->any) {
        reader->any = lines_timestamp(text, len, &ts);
        if (reader->any)
            reader->first = reader->last = ts;
    }
    const char *feed = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
    const char *last = feed != NULL ? feed + 1 : text;
    if (lines_timestamp(last, len - (size_t)(last - text), &ts))
        reader->last = ts;
}

static enum log_reader_status log_reader_give(struct log_reader *reader, size_t len,
                                              struct log_reader_item *item)
{
    const char *text = reader->text.data, *end = text + len;
    item->chunk = (struct lines_chunk){.text = text, .len = len, .first = reader->line, .step = 1};
    for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at++)
        reader->line++;
    if (end[-1] != '\n')
        reader->line++;
    log_reader_note(reader, len);
    reader->chunk_len = len;
    return LOG_READER_CHUNK_READ;
}

/* Whole lines of at least a chunk's size, unless there is no more, or none to be had without
 * waiting. */
static enum log_reader_status log_reader_forwards(struct log_reader *reader,
                                                  struct log_reader_item *item, struct error *err)
{
    size_t whole = 0, seen = 0; /* of text: ends with a line feed; looked through */
    for (;;) {
        const char *text = reader->text.data;
        const char *feed =
            reader->text.len > seen ? memrchr(text + seen, '\n', reader->text.len - seen) : NULL;
        seen = reader->text.len;
        if (feed != NULL)
            whole = (size_t)(feed + 1 - text);
        if (whole > 0 && (seen >= LOG_READER_CHUNK || !log_file_ready(&reader->file)))
            return log_reader_give(reader, whole, item);
        if (whole == 0 && seen > reader->line_bytes) {
            reader->endless = true;
            return log_reader_skip(reader, item, err);
        }
        ssize_t n = log_reader_fill(reader, err);
        if (n == 0)
            return seen > 0 ? log_reader_give(reader, seen, item) : LOG_READER_END;
        if (n < 0) {
            /* What came before is whole: it is handed out, and the failure will be met again. */
            return whole > 0 ? log_reader_give(reader, whole, item) : log_reader_failure(n);
        }
    }
}

enum log_reader_status log_reader_next(struct log_reader *reader, struct log_reader_item *item,
                                       struct error *err)
{
    if (reader->backwards)
        return log_backwards_next(reader, item, err);
    if (reader->chunk_len > 0)
        log_reader_drop(reader, reader->chunk_len);
    reader->chunk_len = 0;
    return reader->endless ? log_reader_skip(reader, item, err)
                           : log_reader_forwards(reader, item, err);
}

bool log_reader_turned(const struct log_reader *reader)
{
    return !reader->backwards && reader->any && reader->first > reader->last;
}

int64_t log_reader_done(const struct log_reader *reader)
{
    return reader->backwards ? reader->file.size - reader->end : reader->file.taken;
}
