/*
 * dialog.h: what a WebSocket message asks for: a JSON object in, an effect out. Pure.
 *
 * With keys configured nothing but auth is acted on before a right one has come. Messages of an
 * unknown type have no effect. One that can't be read is answered and the connection goes on: only
 * a bad key ends it. The stock client never comes back after 1008.
 *
 * A struct dialog belongs to one connection and its thread.
 */
#ifndef BEACOND_CONTRACT_DIALOG_H
#define BEACOND_CONTRACT_DIALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/access.h"
#include "contract/batch.h"
#include "contract/range.h"
#include "contract/uuid.h"

/* A message of another type than ingest is not looked into beyond this. */
#define DIALOG_SMALL_BYTES (64 << 10)

/* What messages are read with; the same for all connections of a thread. */
struct dialog_means {
    const struct access *access;
    const struct batch_limits *limits;
    struct uuid_source *uuids;
    const unsigned char *secret; /* engine_secret */
    int64_t max_events;          /* in one answer */
};

struct dialog {
    bool open;       /* messages are acted on: no keys are configured, or a right one has come */
    unsigned scopes; /* access.h's bits */
    size_t key;      /* of access: which one has come, where there are keys and it is open */
};

enum dialog_effect {
    DIALOG_NOTHING,   /* unknown type */
    DIALOG_REPLY,     /* send reply: auth_ok, or an error */
    DIALOG_SUBMIT,    /* commit batch (which may be empty), then acknowledge */
    DIALOG_ASK,       /* answer range: head, the document, MESSAGE_RESPONSE_TAIL */
    DIALOG_CLOSE,     /* with 1008, for why */
    DIALOG_NO_MEMORY, /* nothing was done */
};

struct dialog_result {
    enum dialog_effect effect;
    struct bytes reply;  /* REPLY: the message. ASK: the head */
    struct batch *batch; /* SUBMIT: the caller's from here on */
    struct range range;  /* ASK */
    char *req_id;        /* ASK: as JSON text, for an error; NULL when there was none. free() it */
    const char *why;     /* CLOSE: static */
};

/* A connection begins. */
void dialog_init(struct dialog *dialog, const struct access *access);

/* Other keys count from now on. True: the dialog goes on, with the scopes that its key has now.
 * False: it has no right to any more, or none that could be told; the connection is to be made
 * anew, which judges it anew. */
bool dialog_renew(struct dialog *dialog, const struct access *before,
                  const struct access *now) MUST_CHECK;

/* Takes one message in, received at now_ms (wall clock). result is filled in; dialog_result_clear
 * it. */
void dialog_take(struct dialog *dialog, const struct dialog_means *means, const char *text,
                 size_t len, int64_t now_ms, struct dialog_result *result);

void dialog_result_clear(struct dialog_result *result); /* what the caller has not taken over */

#endif
