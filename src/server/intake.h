/*
 * intake.h: one batch on its way from a client to the writer, whichever way it came.
 *
 * Embedded in what it belongs to: a POST's exchange, a WebSocket's message. From intake_submit on
 * it is in the engine's hands until done is called, or intake_withdraw has taken it back. Its
 * loop's thread.
 */
#ifndef BEACOND_SERVER_INTAKE_H
#define BEACOND_SERVER_INTAKE_H

#include "base/list.h"
#include "engine/engine.h"
#include "server/loop.h"

struct intake {
    struct loop *loop;
    struct submission submission; /* batch is the owner's to set */
    bool patient;                 /* never given up for having waited too long */
    int64_t began_ms;             /* when its client began to wait; monotonic */

    bool (*gone)(struct intake *intake); /* whether the client can't get the answer any more */
    void (*done)(struct intake *intake); /* the submission is answered; may free the intake */

    struct list node; /* in loop->held, shared->settling or loop->pending, else alone; list_init it
                       */
    int64_t settled_ms; /* when it may leave settling; monotonic */
    bool needs_large;   /* its body is large */
    bool has_large;     /* it holds shared->large */
    bool abandoned;     /* by intake_abandon */
};

/* Whether a body of that many bytes (inflated) may be read into a batch now: large ones are taken
 * one at a time. Once asked, 0 asks again for the same body. */
bool intake_may_read(struct intake *intake, size_t len);

/* Hands the batch over; a burst waits a moment first, see intake.c. */
void intake_submit(struct intake *intake);

/* Takes it back from a writer that can't commit it. False: done will be called. */
bool intake_withdraw(struct intake *intake);

/* Frees the batch and what else it holds; not while it is in the engine's hands. */
void intake_clear(struct intake *intake);

/* Whether the batch can't be told from its own repetition (contract/marks.h). */
bool intake_is_burst(const struct intake *intake);

/* Its client has gone, and the loop need not wait for it any more: done may be called when the loop
 * has ended. In the engine's hands, or settling. */
void intake_abandon(struct intake *intake);

/* Hands over the bursts that have waited long enough, in the order in which all loops got them. */
void intake_settle(struct loop *loop);

/* In how many milliseconds to try that; some of this loop's are waiting. */
int intake_settles_in(const struct loop *loop);

#endif
