/*
 * stock.h: bodies as the stock client sends them, as many as wanted and no two alike.
 *
 * 25 events of tests/data/stock-client/events.ndjson, which is one flush. Before each use stamp it:
 * every flush is then a session's own, and its events happened just now. Nothing changes length.
 */
#ifndef BEACOND_TESTS_BENCH_STOCK_H
#define BEACOND_TESTS_BENCH_STOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "contract/timestamp.h"

#define STOCK_EVENTS 25
#define STOCK_STAMP 24 /* characters of a timestamp */

struct stock {
    struct bytes body;
    size_t stamps[STOCK_EVENTS];   /* where the text of each timestamp begins */
    size_t sessions[STOCK_EVENTS]; /* where that of each sessionId does, behind "sess_" */
};

static inline void stock_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

static inline size_t stock_find(const struct stock *stock, size_t from, const char *mark)
{
    const char *found = strstr(stock->body.data + from, mark);
    if (found == NULL)
        stock_fail("an event is not as expected");
    return (size_t)(found - stock->body.data) + strlen(mark);
}

/* Reads the events, from $srcdir. Ends the process when that fails. */
static inline void stock_init(struct stock *stock)
{
    const char *dir = getenv("srcdir");
    char path[4096], *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/tests/data/stock-client/events.ndjson", dir ? dir : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        stock_fail("events.ndjson is not there: set srcdir to the source tree");
    bytes_init(&stock->body);
    int failed = bytes_append_text(&stock->body, "{\"type\":\"ingest\",\"events\":[");
    for (int i = 0; i < STOCK_EVENTS; i++) {
        ssize_t len = getline(&line, &size, file);
        if (len < 2)
            stock_fail("too few events");
        failed |= bytes_append_text(&stock->body, i > 0 ? "," : "");
        size_t from = stock->body.len;
        failed |= bytes_append(&stock->body, line, (size_t)len - 1);
        failed |= bytes_append(&stock->body, "", 1); /* for strstr, and off again */
        if (failed)
            stock_fail("out of memory");
        stock->body.len--;
        stock->stamps[i] = stock_find(stock, from, "\"timestamp\":\"");
        stock->sessions[i] = stock_find(stock, from, "\"sessionId\":\"sess_");
    }
    if (bytes_append_text(&stock->body, "]}") != 0)
        stock_fail("out of memory");
    free(line);
    fclose(file);
}

/* Makes it flush number n of the process `who`, its last event being of now_ms. */
static inline void stock_stamp(struct stock *stock, unsigned who, unsigned n, int64_t now_ms)
{
    char session[17], stamp[TIMESTAMP_SIZE];
    snprintf(session, sizeof session, "%08x%08x", who, n);
    for (int i = 0; i < STOCK_EVENTS; i++) {
        timestamp_format(stamp, now_ms - STOCK_EVENTS + 1 + i);
        memcpy(stock->body.data + stock->stamps[i], stamp, STOCK_STAMP);
        memcpy(stock->body.data + stock->sessions[i], session, 16);
    }
}

#endif
