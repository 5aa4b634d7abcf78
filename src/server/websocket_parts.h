/*
 * websocket_parts.h: what a WebSocket is made of, for its own files: websocket.c has its beginning,
 * its events and its end, websocket_read.c what comes in and how much may, websocket_act.c what
 * messages do, websocket_close.c how it closes.
 *
 * Every event ends with websocket_turn: it acts on what has been read as far as possible, in order,
 * and leaves the rest for the next event. Only there the connection is freed.
 */
#ifndef BEACOND_SERVER_WEBSOCKET_PARTS_H
#define BEACOND_SERVER_WEBSOCKET_PARTS_H

#include "contract/dialog.h"
#include "contract/frames.h"
#include "server/conn.h"
#include "server/intake.h"
#include "server/outbox.h"
#include "server/push.h"
#include "server/response.h"
#include "server/websocket.h"

enum websocket_phase {
    WEBSOCKET_OPEN,
    WEBSOCKET_LEAVING,   /* the daemon restarts, or its keys have changed: 1012 follows when what is
                            under way is answered */
    WEBSOCKET_LAST,      /* our Close is out, or nothing can be sent any more: what comes is
                          * committed, and not answered */
    WEBSOCKET_ENDING,    /* a Close follows when what is under way is answered */
    WEBSOCKET_LINGERING, /* our Close is out: what comes is thrown away */
    WEBSOCKET_CLOSING,   /* both are: the connection ends when all is written */
    WEBSOCKET_OVER,
};

struct websocket {
    struct conn *conn;
    struct loop *loop;
    struct address client;
    int64_t since_ms; /* when phase began; monotonic */

    /* In. */
    struct frames *frames;
    struct dialog dialog;
    struct bytes *text;          /* a message that is not acted on yet: frames' */
    struct dialog_result result; /* of a message, not carried out yet, when has_result */
    struct list blocked_node;    /* in loop->blocked when blocked, else alone */
    int64_t heard_ms;            /* when the last byte came, or reading went on */
    int64_t pinged_ms;           /* when it was asked whether it is there, when pinged */
    int64_t ticked_ms;           /* the last tick */
    uint64_t arrived;            /* outbox_arrived when it was asked */
    int64_t slow_ms;             /* for how long the unfinished message has been read */

    /* Batches. */
    struct arrival *arrival; /* of the message in text or result */
    struct list arrivals;    /* in the writer's hands, oldest first */
    size_t arrival_count, arrival_bytes;

    /* Out. */
    struct outbox outbox;
    struct response response;
    struct push push;
    char *req_id;        /* of the response, for its failure */
    const char *end_why; /* of the Close that is due */
    unsigned end_code;
    enum websocket_phase phase;

    bool has_result;
    bool dry;         /* there is nothing more to act on in what has been read */
    bool eof;         /* nothing more will come */
    bool reset;       /* since the connection was broken off */
    bool blocked;     /* waits for something that only the tick or other connections bring */
    bool patient;     /* of these, the tick alone */
    bool passing;     /* it holds shared->passing: its message goes on, in part or whole */
    bool pinged;      /* since heard_ms */
    bool reading;     /* EV_READ is on */
    bool turning;     /* within websocket_turn */
    bool starved;     /* what has come is not looked at since all together receive too much */
    bool forced;      /* the end: nothing is waited for any more */
    bool held;        /* the message at hand waits for room: said so */
    bool admitted;    /* the message at hand has found room in the queue */
    bool burst;       /* the last arrival is a burst: what follows must not overtake it */
    bool deflate;     /* permessage-deflate was agreed on */
    bool revoked;     /* the keys have changed: not heard for longer than what has come */
    bool end_answers; /* the Close that is due answers the peer's */
};

/* websocket.c */

/* What every event ends with. May free the connection, and the WebSocket with it. */
void websocket_turn(struct websocket *websocket);

/* websocket_read.c */

/* frames.h's source: what has been read of the connection, as far as it may be looked at. */
size_t websocket_source(void *arg, void *out, size_t size);

/* Acts on what has been read as far as possible. */
void websocket_pump(struct websocket *websocket);

/* Reads on, or stops reading, as things are. */
void websocket_reading(struct websocket *websocket);

/* Tells how much has come in. */
void websocket_count(struct websocket *websocket);

/* Another message may go on beyond max-receiving. */
void websocket_release(struct websocket *websocket);

/* So much time has passed: a message that keeps others out is not waited for without end. */
void websocket_hurry(struct websocket *websocket, int64_t passed_ms);

/* websocket_act.c */

/* One step with the message at hand, in text or result. False: it must wait. */
bool websocket_step(struct websocket *websocket);

/* Whether so much is under way already that no more messages are to be read. */
bool websocket_laden(const struct websocket *websocket);

/* Whether its client is over its limit, and to be held up for that: not behind our last word. */
bool websocket_over_limit(const struct websocket *websocket);

/* Remembers to try again once something has changed elsewhere. Returns false, for the caller to
 * return. */
bool websocket_wait(struct websocket *websocket);

/* {"type":"error","error":text} and the reqId, as JSON text, where it is not NULL. */
void websocket_error(struct websocket *websocket, const char *text, const char *req_id);

/* The WebSocket goes: its batches stay with the engine, and nobody waits for their answers. A whole
 * message that still waits for room goes there as well. */
void websocket_disown(struct websocket *websocket);

/* websocket_close.c */

void websocket_enter(struct websocket *websocket, enum websocket_phase phase);

/* A Close of ours is due, once what is under way is answered. answers: the peer's has come. */
void websocket_end(struct websocket *websocket, unsigned code, const char *why, bool answers);

/* Our Close goes out at once; what comes is still committed. */
void websocket_part(struct websocket *websocket, unsigned code, const char *why);

/* Moves on from phase to phase. */
void websocket_proceed(struct websocket *websocket);

#endif
