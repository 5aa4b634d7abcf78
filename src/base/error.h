/*
 * error.h: a sentence that says what went wrong, carried up to the room that decides.
 *
 * Lower rooms fill one in and return a negative status; they do not log. Text longer than the
 * room is cut, never overflowed. Plain data: copy it, keep it, no clean-up.
 */
#ifndef BEACOND_BASE_ERROR_H
#define BEACOND_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define MUST_CHECK __attribute__((warn_unused_result))
#else
#define PRINTF_LIKE(text, first)
#define MUST_CHECK
#endif

struct error {
    char text[512]; /* one sentence without control characters, "" for none */
};

/* Sets the sentence; a control character in it, or one that turns the direction of a text, becomes
 * question marks; what does not fit is cut, never within a UTF-8 character. err may be NULL: nobody
 * wants to know. */
void error_set(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Whether the sentence tells of memory that there was none of: whoever decides about an exit code
 * must not take that for a file or a value that is not right. */
bool error_of_memory(const struct error *err);

#endif
