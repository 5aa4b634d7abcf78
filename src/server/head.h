/*
 * head.h: is this request head fit for evhttp? Pure.
 *
 * evhttp 2.1 reads leniently what ends up differently at the next server (two lengths, "+5", a
 * space before the colon, a body behind GET), and answers what it refuses with HTML and no CORS
 * headers. So every head is looked at first, strictly by RFC 9112, and what fails never reaches
 * evhttp.
 */
#ifndef BEACOND_SERVER_HEAD_H
#define BEACOND_SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct head_slice {
    const char *at; /* NULL when absent */
    size_t len;
};

struct head {
    int refuse;              /* 0, or the HTTP status to answer: 400, 405, 413, 417, 505 */
    const char *why;         /* a sentence, when refused */
    uint64_t content_length; /* of the body, 0 for none or a chunked one; known for 413 too */
    bool chunked;            /* the body is */
    bool expects;            /* the client waits for 100 Continue before it sends the body */
    bool http_1_0;           /* the version is */
    bool lines;              /* the body's Content-Type is application/x-ndjson: it may be larger */
    struct head_slice method; /* set when it is one that evhttp knows */
    struct head_slice key;    /* X-Tracker-Key, set when fit */
    struct head_slice target; /* set when the request line was fit */
    struct head_slice origin; /* set when fit, also when something else was not */
    struct head_slice host;
};

/* Looks for the end of a head in text[0..len), going on at *seen (0 at first; advanced). Returns
 * its length, the empty line included, or 0 when it is not there yet. */
size_t head_end(const char *text, size_t len, size_t *seen);

/* Judges text[0..len), a head as head_end measured it. max_body: bytes a body may have that is kept
 * whole, which one of lines is not. The slices point into text. */
void head_check(const char *text, size_t len, uint64_t max_body, struct head *head);

/* Writes a fit head as one whose body has that length (and that expects nothing any more). 0, or -1
 * when out of memory. */
int head_with_length(const char *text, size_t len, size_t body_len, struct bytes *out) MUST_CHECK;

#endif
