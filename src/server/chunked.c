#include "server/chunked.h"

/* 15 digits are 2^60: no overflow, and far beyond every limit. */
#define CHUNKED_DIGITS 15

static int chunked_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int chunked_size(struct chunked *chunked, char c)
{
    int digit = chunked_digit(c);
    if (digit >= 0) {
        if (++chunked->digits > CHUNKED_DIGITS)
            return CHUNKED_TOO_LARGE;
        chunked->left = chunked->left * 16 + (uint64_t)digit;
        return CHUNKED_MORE;
    }
    if (chunked->digits == 0)
        return CHUNKED_BAD;
    if (c == '\r')
        chunked->state = CHUNKED_SIZE_LF;
    else if (c == ';')
        chunked->state = CHUNKED_EXTENSION;
    else if (c == ' ' || c == '\t')
        chunked->state = CHUNKED_BLANK;
    else
        return CHUNKED_BAD;
    return CHUNKED_MORE;
}

/* What neither an extension nor a trailer may hold. */
static int chunked_text(struct chunked *chunked, char c)
{
    if (++chunked->line > CHUNKED_LINE_BYTES || ((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
        return CHUNKED_BAD;
    return CHUNKED_MORE;
}

/* One byte that is no data. */
static int chunked_byte(struct chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNKED_SIZE:
        return chunked_size(chunked, c);
    case CHUNKED_BLANK:
        /* Some pad their sizes. "1 2" is no size: one reader takes it for 1, another for 18. */
        if (c == ' ' || c == '\t')
            return chunked_text(chunked, c);
        chunked->state = c == ';' ? CHUNKED_EXTENSION : CHUNKED_SIZE_LF;
        return c == ';' || c == '\r' ? CHUNKED_MORE : CHUNKED_BAD;
    case CHUNKED_EXTENSION:
        if (c != '\r')
            return chunked_text(chunked, c);
        chunked->state = CHUNKED_SIZE_LF;
        return CHUNKED_MORE;
    case CHUNKED_SIZE_LF:
        chunked->state = chunked->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
        chunked->digits = 0;
        chunked->line = chunked->column = 0;
        return c == '\n' ? CHUNKED_MORE : CHUNKED_BAD;
    case CHUNKED_DATA_CR:
        chunked->state = CHUNKED_DATA_LF;
        return c == '\r' ? CHUNKED_MORE : CHUNKED_BAD;
    case CHUNKED_DATA_LF:
        chunked->state = CHUNKED_SIZE;
        return c == '\n' ? CHUNKED_MORE : CHUNKED_BAD;
    case CHUNKED_TRAILER:
        if (c != '\r') {
            chunked->column++;
            return chunked_text(chunked, c);
        }
        chunked->state = CHUNKED_TRAILER_LF;
        return CHUNKED_MORE;
    default: /* CHUNKED_TRAILER_LF */
        if (c != '\n')
            return CHUNKED_BAD;
        if (chunked->column == 0)
            return CHUNKED_DONE;
        chunked->state = CHUNKED_TRAILER;
        chunked->column = 0;
        return CHUNKED_MORE;
    }
}

int chunked_read(struct chunked *chunked, const char *data, size_t len, size_t max_len,
                 struct bytes *out, size_t *used)
{
    size_t at = 0;
    int status = CHUNKED_MORE;
    while (at < len && status == CHUNKED_MORE) {
        if (chunked->state != CHUNKED_DATA) {
            status = chunked_byte(chunked, data[at++]);
            if (status == CHUNKED_MORE && chunked->left > max_len - out->len)
                status = CHUNKED_TOO_LARGE;
            continue;
        }
        size_t take = len - at < chunked->left ? len - at : (size_t)chunked->left;
        if (bytes_append(out, data + at, take) != 0)
            status = CHUNKED_NO_MEMORY;
        at += take;
        chunked->left -= take;
        if (chunked->left == 0)
            chunked->state = CHUNKED_DATA_CR;
    }
    *used = at;
    return status;
}
