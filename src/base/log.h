/*
 * log.h: one line on standard error per thing worth knowing.
 *
 * Every byte of a message outside printable ASCII is escaped here, in one place, so that nothing a
 * client sent can forge a line or move a terminal's cursor; UTF-8 comes out as \xNN. Keys are never
 * passed to a log call. A line is written by one write(2), so lines of several threads do not mix.
 * Any thread, once log_setup has run.
 */
#ifndef BEACOND_BASE_LOG_H
#define BEACOND_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format {
    LOG_FORMAT_AUTO,    /* JOURNAL where standard error leads to systemd's journal, else TEXT */
    LOG_FORMAT_TEXT,    /* 2026-11-21T10:23:45.123Z info  the message */
    LOG_FORMAT_JSON,    /* {"time":"…","level":"info","message":"the message"} */
    LOG_FORMAT_JOURNAL, /* <6>the message: its priority; the journal notes the time itself */
};

/* Before the first thread is started; the defaults are info and text. AUTO looks at JOURNAL_STREAM,
 * the device and inode of the journal's stream: a standard error that was redirected since is none.
 */
void log_setup(enum log_level level, enum log_format format);

/* Any time, any thread. */
void log_set_level(enum log_level level);

bool log_enabled(enum log_level level);

/* How many lines of that level have been written. Any thread. */
uint64_t log_count(enum log_level level);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
