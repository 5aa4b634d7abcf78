#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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

static const char *const log_level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format)
{
    log_set_level(level);
    log_shape = format;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_threshold, level, memory_order_relaxed);
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
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    char stamp[40] = "";
    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    const char *shape = log_shape == LOG_FORMAT_JSON
                            ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"message\":\""
                            : "%s.%03dZ %-5s ";
    int len = snprintf(out, size, shape, stamp, (int)(now % 1000), log_level_names[level]);
    return len > 0 ? (size_t)len : 0;
}

static void log_line(enum log_level level, const char *format, va_list args)
{
    if (!log_enabled(level))
        return;
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
