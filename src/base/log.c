#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_MESSAGE_BYTES 2048                       /* a longer message is cut */
#define LOG_LINE_BYTES (LOG_MESSAGE_BYTES * 5 + 128) /* one byte becomes \\xNN at most */

/* May change while other threads log; no line depends on when they see it. */
static _Atomic enum log_level log_threshold = LOG_LEVEL_INFO;
/* Written before the first thread starts, only read afterwards. */
static enum log_format log_shape = LOG_FORMAT_TEXT;

static _Atomic uint64_t log_counts[LOG_LEVEL_DEBUG + 1];

static const char *const log_level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* syslog's priorities, as sd-daemon(3) has them in front of a line. */
static const char *const log_priorities[] = {
    [LOG_LEVEL_ERROR] = "<3>",
    [LOG_LEVEL_WARN] = "<4>",
    [LOG_LEVEL_INFO] = "<6>",
    [LOG_LEVEL_DEBUG] = "<7>",
};

/* Whether standard error is what JOURNAL_STREAM, "DEVICE:INODE", speaks of: the variable alone is
 * inherited by those too whose output goes elsewhere. */
static bool log_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    char ours[64];
    if (stream == NULL || fstat(STDERR_FILENO, &info) != 0)
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    return strcmp(stream, ours) == 0;
}

void log_setup(enum log_level level, enum log_format format)
{
    if (format == LOG_FORMAT_AUTO)
        format = log_to_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
    log_set_level(level);
    log_shape = format;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_threshold, level, memory_order_relaxed);
}

uint64_t log_count(enum log_level level)
{
    return atomic_load_explicit(&log_counts[level], memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

/* Writes message to out with every byte that is not printable ASCII as \xNN. In JSON the backslash
 * of that is escaped in its turn: the reader of the JSON sees the same text as the other log has.
 */
static size_t log_escape(char *out, const char *message)
{
    static const char digits[] = "0123456789abcdef";
    bool json = log_shape == LOG_FORMAT_JSON;
    char *at = out;
    for (; *message != '\0'; message++) {
        unsigned char c = (unsigned char)*message;
        if (c < 0x20 || c > 0x7e) {
            if (json)
                *at++ = '\\';
            *at++ = '\\';
            *at++ = 'x';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        } else {
            if (json && (c == '"' || c == '\\'))
                *at++ = '\\';
            *at++ = (char)c;
        }
    }
    return (size_t)(at - out);
}

static size_t log_head(char *out, size_t size, enum log_level level)
{
    if (log_shape == LOG_FORMAT_JOURNAL) {
        memcpy(out, log_priorities[level], 3);
        return 3;
    }
    int64_t now = clock_wall_ms();
    int ms = (int)((now % 1000 + 1000) % 1000); /* before 1970 too */
    time_t seconds = (time_t)((now - ms) / 1000);
    struct tm tm;
    char stamp[40] = "";
    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    const char *shape = log_shape == LOG_FORMAT_JSON
                            ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"message\":\""
                            : "%s.%03dZ %-5s ";
    int len = snprintf(out, size, shape, stamp, ms, log_level_names[level]);
    return len > 0 ? (size_t)len : 0;
}

static void log_line(enum log_level level, const char *format, va_list args)
{
    if (!log_enabled(level))
        return;
    atomic_fetch_add_explicit(&log_counts[level], 1, memory_order_relaxed);
    int saved = errno; /* a caller may log first and look at errno then */
    char message[LOG_MESSAGE_BYTES];
    char line[LOG_LINE_BYTES];
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';
    size_t len = log_head(line, sizeof line, level);
    len += log_escape(line + len, message);
    if (log_shape == LOG_FORMAT_JSON) {
        memcpy(line + len, "\"}", 2);
        len += 2;
    }
    line[len++] = '\n';

    ssize_t written;
    do
        written = write(STDERR_FILENO, line, len);
    while (written < 0 && errno == EINTR);
    errno = saved;
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_WARN, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}
