/*
 * log_reader.h: a log file in chunks of whole lines, in the order in which they are to be stored.
 *
 * That is the order of the file, but for one whose first event is newer than its last, as exports
 * can be: it is read backwards where that is possible, so that events of one timestamp come out as
 * they were. Memory: a chunk, or the longest line that is taken. What is there when the end is
 * reached is what the file holds; one read backwards holds what it held when it was opened.
 */
#ifndef BEACOND_COMMANDS_LOG_READER_H
#define BEACOND_COMMANDS_LOG_READER_H

#include "commands/log_file.h"
#include "contract/lines.h"

#define LOG_READER_CHUNK ((size_t)1 << 20)

struct log_reader {
    struct log_file file;
    size_t line_bytes;  /* longer lines are passed over */
    struct bytes text;  /* the chunk, and what has been read behind it */
    struct bytes block; /* backwards: a piece of the file */
    size_t chunk_len;   /* of text: handed out last */
    int64_t line;       /* the next one's number */
    bool backwards;
    int64_t end;  /* backwards: the place behind what is left */
    bool endless; /* in the middle of a line that is too long */
    bool half;    /* backwards: a last line without a line feed is still to come */

    bool any;            /* forwards: an event was seen; */
    int64_t first, last; /* the timestamps of the first, and of the last of a chunk */
};

enum log_reader_status {
    LOG_READER_CHUNK_READ,
    LOG_READER_LONG_LINE, /* a line that was passed over */
    LOG_READER_END,
    LOG_READER_FAILED,
    LOG_READER_STOPPED, /* interrupted */
};

struct log_reader_item {
    struct lines_chunk chunk; /* CHUNK_READ; its text is valid until the next call */
    int64_t line;             /* LONG_LINE: its number */
};

/* As log_file_open. */
int log_reader_open(struct log_reader *reader, const char *path, size_t line_bytes,
                    struct error *err) MUST_CHECK;
void log_reader_close(struct log_reader *reader);

enum log_reader_status log_reader_next(struct log_reader *reader, struct log_reader_item *item,
                                       struct error *err) MUST_CHECK;

/* Whether the file turned out to have its newest event first, and was read forwards all the same.
 */
bool log_reader_turned(const struct log_reader *reader);

/* Bytes of the file that have been read, and how many it has (0: unknown). */
int64_t log_reader_done(const struct log_reader *reader);

/* log_backwards.c: whether the file is to be read backwards, and if so, prepares that. The next
 * chunk of one that is. */
int log_backwards_begin(struct log_reader *reader, struct error *err) MUST_CHECK;
enum log_reader_status log_backwards_next(struct log_reader *reader, struct log_reader_item *item,
                                          struct error *err) MUST_CHECK;

#endif
