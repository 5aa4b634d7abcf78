/*
 * batch.h: an ingest body made ready to be stored. Pure.
 *
 * batch_read scans a body and builds one self-contained object: the text of each event as it will
 * be stored (byte for byte, `id` apart), its time and id, and beside them the elements that can't
 * be stored with the reason. Nothing of the body is referenced afterwards. A batch has one owner at
 * a time: the loop thread that built it, then the engine, then whoever frees it.
 *
 * Ids: a non-empty string stays as it is (given). Otherwise a UUIDv7 is put in place of the value
 * of the last `id` member, or in front of the first member when there is none, so that JSON.parse
 * of the stored text reads it.
 */
#ifndef BEACOND_CONTRACT_BATCH_H
#define BEACOND_CONTRACT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/marks.h"
#include "contract/scan.h"
#include "contract/uuid.h"

enum batch_status {
    BATCH_OK = 0,
    BATCH_NO_JSON = -1,   /* the body is no JSON; err says where */
    BATCH_NO_EVENTS = -2, /* no object with an `events` array */
    BATCH_NO_MEMORY = -3,
};

enum batch_reason {
    BATCH_NOT_OBJECT,    /* "not an object" */
    BATCH_TOO_DEEP,      /* "nested too deep" */
    BATCH_BAD_UTF8,      /* "not UTF-8" */
    BATCH_TOO_LARGE,     /* "over the event limit" */
    BATCH_NO_TIMESTAMP,  /* "no timestamp": absent, or no string */
    BATCH_BAD_TIMESTAMP, /* "unreadable timestamp" */
    BATCH_NOT_JSON       /* "not JSON": of a line, see lines.h */
};

struct batch_limits {
    size_t event_bytes; /* the raw text of one event */
    unsigned depth;     /* nesting, the event itself is level 1 */
};

struct batch_event {
    int64_t ts;       /* milliseconds since 1970 */
    int64_t seq;      /* 0; set by the store when it has inserted the event */
    const char *text; /* the event as stored, with its id in it */
    size_t text_len;
    const char *id; /* unescaped; not empty */
    size_t id_len;
    bool given;      /* the client chose the id: (ts, id) is stored once */
    size_t position; /* which element of the body it is, counted in marks, 1 and up */
};

struct batch_reject {
    const char *text; /* the raw element */
    size_t text_len;
    enum batch_reason reason;
    size_t position; /* as an event's */
};

struct batch {
    struct batch_event *events; /* in the order of the body */
    size_t event_count;
    struct batch_reject *rejects; /* at most BATCH_REJECTS_KEPT of them, the first ones */
    size_t reject_kept;
    size_t reject_count; /* all that were refused, also those not kept */
    int64_t received_ms; /* wall clock when the body was taken */
    size_t memory;       /* bytes this object holds, for the queue's bound */
    struct marks marks;  /* what the body is recognised by, see marks.h */
    char *arena;         /* what text and id above point into */
};

/* A body of nothing but commas and zeros must not cost a record each; the table of rejects is
 * bounded anyway. */
#define BATCH_REJECTS_KEPT 1000

/* Reads text[0..len), received at now_ms. secret: the key of the marks; NULL for a body that needs
 * none. BATCH_OK and *out (batch_free it), or a negative enum batch_status with *out NULL and err
 * set. The uuid source is the calling thread's. */
int batch_read(const char *text, size_t len, const struct batch_limits *limits,
               struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
               struct batch **out, struct error *err) MUST_CHECK;

/* The same for a WebSocket message: beside the events it tells what else stands at the top of text.
 * envelope is filled in on BATCH_OK and BATCH_NO_EVENTS (its slices are places in text), else
 * empty. */
int batch_read_message(const char *text, size_t len, const struct batch_limits *limits,
                       struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
                       struct scan_envelope *envelope, struct batch **out,
                       struct error *err) MUST_CHECK;

/* Takes out the events whose drop[] is set; the others keep their order. */
void batch_drop(struct batch *batch, const bool *drop);

void batch_free(struct batch *batch); /* NULL is fine */

const char *batch_reason_text(enum batch_reason reason); /* "no timestamp", … */

#endif
