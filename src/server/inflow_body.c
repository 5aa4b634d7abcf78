/* How a body of lines becomes pieces: from the guard, inflated, cut behind lines. */

#include <string.h>

#include "base/clock.h"
#include "server/conn.h"
#include "server/inflow_parts.h"

/* Plain bytes. Changing it spoils the receipts of retries. */
#define INFLOW_PIECE ((size_t)1 << 20)

void inflow_fail(struct inflow *inflow, int status, const char *why)
{
    inflow->status = status;
    inflow->why = why;
    inflow->piece_ms = clock_mono_ms(); /* the rest has as long again */
    bytes_clear(&inflow->text);
    bytes_clear(&inflow->plain);
    inflow->full = false;
    inflow->plain_at = 0;
    /* At once: the next one that is looked after may then go on. */
    if (inflow->exchange->conn != NULL)
        conn_count(inflow->exchange->conn, 0);
}

static bool inflow_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Empty lines, and white space in front of an event, never get into a piece: gzip makes a thousand
 * of them of one byte, and a piece of nothing else would be as good as one that came in time. */
static void inflow_skip_blank(struct inflow *inflow)
{
    const char *at = inflow->plain.data + inflow->plain_at;
    const char *end = inflow->plain.data + inflow->plain.len;
    while (at < end && (*at == '\n' || inflow_blank(*at)))
        at++;
    inflow->plain_at = (size_t)(at - inflow->plain.data);
}

/* Puts more of a line into the piece, as much as is needed to see that it is too long. White space
 * behind an event does not count. */
static int inflow_keep(struct inflow *inflow, const char *from, size_t len)
{
    size_t most = inflow->exchange->loop->options->limits.event_bytes + 1;
    size_t room = inflow->line < most ? most - inflow->line : 0, kept = len < room ? len : room;
    if (bytes_append(&inflow->text, from, kept) != 0)
        return -1;
    inflow->line += len;
    /* What is dropped must not leave something that seems whole. */
    for (size_t i = kept; i < len && inflow_blank(inflow->text.data[inflow->text.len - 1]); i++)
        inflow->text.data[inflow->text.len - 1] = from[i];
    return 0;
}

int inflow_cut(struct inflow *inflow)
{
    while (inflow->plain_at < inflow->plain.len && !inflow->full) {
        if (inflow->line == 0)
            inflow_skip_blank(inflow);
        if (inflow->plain_at == inflow->plain.len)
            break;
        const char *from = inflow->plain.data + inflow->plain_at;
        size_t have = inflow->plain.len - inflow->plain_at;
        const char *end = memchr(from, '\n', have);
        size_t len = end != NULL ? (size_t)(end - from) : have;
        if (inflow_keep(inflow, from, len) != 0 ||
            (end != NULL && bytes_append(&inflow->text, "\n", 1) != 0))
            return -1;
        if (end != NULL)
            inflow->line = 0;
        inflow->plain_at += len + (end != NULL);
        inflow->full = end != NULL && inflow->text.len >= INFLOW_PIECE;
    }
    if (inflow->plain_at == inflow->plain.len)
        inflow->plain.len = inflow->plain_at = 0;
    return 0;
}

/* Takes more of the body from the guard. */
static int inflow_pour(struct inflow *inflow, struct bytes *out)
{
    const char *why;
    size_t before = out->len;
    int status = guard_pour(&inflow->exchange->conn->guard, INFLOW_READ, out, &why);
    if (status >= 0) {
        inflow->poured = status == 1;
        return out->len > before || inflow->poured ? 1 : 0;
    }
    inflow->bad = true;
    inflow_fail(inflow, strcmp(why, "out of memory") == 0 ? 503 : 400, why);
    return -1;
}

static int inflow_inflate(struct inflow *inflow)
{
    struct error err;
    size_t used = 0, got = 0;
    if (bytes_reserve(&inflow->plain, INFLOW_READ) != 0) {
        inflow_fail(inflow, 503, "out of memory");
        return -1;
    }
    const char *wire = inflow->wire.len > 0 ? inflow->wire.data : "";
    if (gunzip_read(inflow->gunzip, wire + inflow->wire_at, inflow->wire.len - inflow->wire_at,
                    &used, inflow->plain.data, INFLOW_READ, &got, &err) != 0) {
        inflow_fail(inflow, 400, "body is no gzip, damaged or cut short");
        return -1;
    }
    inflow->plain.len = got;
    inflow->wire_at += used;
    if (inflow->wire_at == inflow->wire.len)
        inflow->wire.len = inflow->wire_at = 0;
    return used > 0 || got > 0;
}

int inflow_fill(struct inflow *inflow)
{
    if (inflow->gunzip == NULL) {
        int status = inflow->poured ? 1 : inflow_pour(inflow, &inflow->plain);
        inflow->ended = inflow->poured && inflow->plain.len == 0;
        return status;
    }
    int status = inflow_inflate(inflow);
    if (status != 0)
        return status;
    if (!inflow->poured)
        return inflow_pour(inflow, &inflow->wire);
    inflow->ended = true;
    if (gunzip_whole(inflow->gunzip))
        return 1;
    inflow_fail(inflow, 400, "body is no gzip, damaged or cut short");
    return -1;
}
