/*
 * log_file.h: the plain bytes of a file, gzip or not, or of standard input.
 *
 * Whether it is gzip is told by its content. Blocking; a signal that interrupted() has seen ends a
 * wait.
 */
#ifndef BEACOND_COMMANDS_LOG_FILE_H
#define BEACOND_COMMANDS_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "contract/gunzip.h"

enum log_file_status {
    LOG_FILE_END = 0,
    LOG_FILE_FAILED = -1,
    LOG_FILE_STOPPED = -2, /* interrupted */
};

struct log_file {
    int fd;
    bool regular;  /* and plain: it may be read at any place, with pread */
    int64_t size;  /* bytes it had when it was opened; 0: unknown */
    int64_t taken; /* bytes read of it */
    bool begun, ended;
    struct gunzip *gunzip; /* NULL: plain */
    struct bytes in;       /* read, and not handed out: [at, in.len) */
    size_t at;
};

/* path: "-" for standard input. 0, or LOG_FILE_FAILED or _STOPPED with err. Close it in any case.
 */
int log_file_open(struct log_file *file, const char *path, struct error *err) MUST_CHECK;
void log_file_close(struct log_file *file);

/* The next bytes, at most room. Their number, or a log_file_status with err. */
ssize_t log_file_read(struct log_file *file, char *out, size_t room, struct error *err) MUST_CHECK;

/* Whether something can be had without waiting. */
bool log_file_ready(const struct log_file *file);

/* All of [at, at + len) of a regular file. 0, or a status. */
int log_file_read_at(const struct log_file *file, int64_t at, char *out, size_t len,
                     struct error *err) MUST_CHECK;

#endif
