#include "server/websocket_parts.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "contract/message.h"

/* Batches of one connection in the writer's hands at once: enough to keep the writer busy, little
 * enough that one client can't fill the queue alone. */
#define WEBSOCKET_ARRIVALS 64
#define WEBSOCKET_ARRIVALS_BYTES (4 << 20)
/* A message beyond this is hardly anything but a batch: it is not read before there is room. */
#define WEBSOCKET_GATE_BYTES 1024

/* A batch of a WebSocket. It may outlive it. */
struct arrival {
    struct intake intake;
    struct websocket *websocket; /* NULL: gone */
    struct list node;            /* in websocket->arrivals */
    size_t memory;               /* of the batch */
    bool answered;
};

/* --- batches ---------------------------------------------------------------------------------- */

static void arrival_free(struct arrival *arrival)
{
    if (arrival == NULL)
        return;
    intake_clear(&arrival->intake);
    free(arrival);
}

static void websocket_acknowledge(struct websocket *websocket, const struct submission *submission)
{
    struct bytes text;
    bytes_init(&text);
    if (message_ack(&text, submission->saved) != 0)
        websocket->outbox.failed = !websocket->outbox.closed;
    else if (submission->receipt != 0 && !submission->told)
        outbox_answer(&websocket->outbox, text.data, text.len, submission->receipt);
    else
        outbox_message(&websocket->outbox, text.data, text.len);
    bytes_clear(&text);
}

/* Answers in the order of the messages. */
static void websocket_answer(struct websocket *websocket)
{
    struct list *node = websocket->arrivals.next;
    while (node != &websocket->arrivals) {
        struct arrival *arrival = LIST_OF(node, struct arrival, node);
        if (!arrival->answered)
            break;
        node = node->next;
        /* Not stored: the daemon ends and can't. The client gets no answer, and may send it again.
         */
        if (arrival->intake.submission.stored)
            websocket_acknowledge(websocket, &arrival->intake.submission);
        list_remove(&arrival->node);
        websocket->arrival_count--;
        websocket->arrival_bytes -= arrival->memory;
        arrival_free(arrival);
    }
    if (list_empty(&websocket->arrivals))
        websocket->burst = false;
}

static bool arrival_gone(struct intake *intake)
{
    const struct arrival *arrival = LIST_OF(intake, struct arrival, intake);
    return arrival->websocket == NULL || conn_gone(arrival->websocket->conn);
}

static void arrival_done(struct intake *intake)
{
    struct arrival *arrival = LIST_OF(intake, struct arrival, intake);
    struct websocket *websocket = arrival->websocket;
    const struct submission *submission = &intake->submission;
    if (websocket == NULL) {
        /* The engine may be closed when the loop has ended; a restart is evidence enough. */
        if (submission->receipt != 0 && !submission->told && !intake->loop->ended)
            engine_lost(intake->loop->engine, submission->receipt);
        arrival_free(arrival);
        return;
    }
    arrival->answered = true;
    websocket_answer(websocket);
    websocket_turn(websocket);
}

static struct arrival *arrival_new(struct websocket *websocket)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (arrival == NULL)
        return NULL;
    arrival->websocket = websocket;
    arrival->intake.loop = websocket->loop;
    arrival->intake.patient = true;
    arrival->intake.gone = arrival_gone;
    arrival->intake.done = arrival_done;
    list_init(&arrival->intake.node);
    list_init(&arrival->node);
    return arrival;
}

bool websocket_laden(const struct websocket *websocket)
{
    return !websocket->forced && (websocket->burst || websocket->response.asking ||
                                  websocket->arrival_count >= WEBSOCKET_ARRIVALS ||
                                  websocket->arrival_bytes >= WEBSOCKET_ARRIVALS_BYTES);
}

/* --- messages --------------------------------------------------------------------------------- */

bool websocket_wait(struct websocket *websocket)
{
    if (!websocket->blocked)
        list_append(&websocket->loop->blocked, &websocket->blocked_node);
    websocket->blocked = true;
    return false;
}

bool websocket_over_limit(const struct websocket *websocket)
{
    struct buckets *buckets = loop_buckets(websocket->loop);
    return buckets != NULL && websocket->phase != WEBSOCKET_LAST &&
           buckets_wait(buckets, websocket->client, clock_mono_ms()) > 0;
}

/* Whether the message at hand has found room in the queue, and within its client's limits; those
 * were looked at before it went on beyond max-receiving. */
static bool websocket_admit(struct websocket *websocket)
{
    if (websocket->admitted || websocket->forced)
        return true;
    bool over = !websocket->passing && websocket_over_limit(websocket);
    if (over || !engine_has_room(websocket->loop->engine)) {
        if (!websocket->held) {
            log_debug("websocket %d: not read, %s", websocket->conn->fd,
                      over ? "its address is over its limit" : "the queue is full");
            counter_add(&websocket->loop->counters.held[COUNTERS_WEBSOCKET], 1);
        }
        websocket->held = true;
        websocket->patient = over;
        return websocket_wait(websocket);
    }
    websocket->held = websocket->patient = false;
    websocket->admitted = true;
    return true;
}

static void websocket_charge(struct websocket *websocket, size_t events, size_t bytes)
{
    struct buckets *buckets = loop_buckets(websocket->loop);
    if (buckets != NULL)
        buckets_charge(buckets, websocket->client, clock_mono_ms(), (int64_t)events,
                       (int64_t)bytes);
}

/* Hands the result's batch over. */
static void websocket_submit(struct websocket *websocket)
{
    struct arrival *arrival = websocket->arrival;
    struct batch *batch = websocket->result.batch;
    size_t elements = batch->event_count + batch->reject_count;
    websocket_charge(websocket, elements, 0);
    counters_batch(&websocket->loop->counters, COUNTERS_WEBSOCKET, elements, 0);
    arrival->intake.submission.batch = batch;
    websocket->result.batch = NULL;
    websocket->arrival = NULL;
    arrival->memory = batch->memory;
    list_append(&websocket->arrivals, &arrival->node);
    websocket->arrival_count++;
    websocket->arrival_bytes += arrival->memory;
    if (elements == 0) {
        arrival->answered = arrival->intake.submission.stored = true;
        websocket_answer(websocket);
        return;
    }
    websocket->burst = intake_is_burst(&arrival->intake);
    intake_submit(&arrival->intake);
}

void websocket_error(struct websocket *websocket, const char *text, const char *req_id)
{
    struct bytes message;
    bytes_init(&message);
    if (message_error(&message, text, req_id) == 0)
        outbox_message(&websocket->outbox, message.data, message.len);
    else
        websocket->outbox.failed = !websocket->outbox.closed;
    bytes_clear(&message);
}

static bool websocket_ask(struct websocket *websocket)
{
    struct dialog_result *result = &websocket->result;
    if (response_active(&websocket->response))
        return false; /* its end goes on here */
    /* It may have waited, and the key's scopes may have changed. */
    if ((websocket->dialog.scopes & ACCESS_QUERY) == 0) {
        websocket_error(websocket, "the key may not query", result->req_id);
        return true;
    }
    if (!response_reserve(&websocket->response))
        return websocket_wait(websocket);
    /* Before the snapshot is taken. A cursor's lies in the past: what it leads to changes nothing.
     */
    if (!result->range.resumed)
        push_begin(&websocket->push, websocket->loop);
    if (response_begin(&websocket->response, &result->range, &result->reply) != 0) {
        push_fail(&websocket->push, websocket->loop);
        websocket_error(websocket, "out of memory", result->req_id);
        return true;
    }
    free(websocket->req_id);
    websocket->req_id = result->req_id;
    result->req_id = NULL;
    return true;
}

/* Carries out what a message asks for. False: it must wait. */
static bool websocket_act(struct websocket *websocket)
{
    struct dialog_result *result = &websocket->result;
    if (result->effect == DIALOG_SUBMIT) {
        if (!websocket_admit(websocket))
            return false;
        websocket_submit(websocket);
        return true;
    }
    if (websocket->phase != WEBSOCKET_OPEN)
        return true;
    /* In order: behind the acknowledgements of what came before. */
    if (!list_empty(&websocket->arrivals))
        return false;
    switch (result->effect) {
    case DIALOG_ASK:
        return websocket_ask(websocket);
    case DIALOG_REPLY:
        /* Not its text: the reqId in it is the peer's. */
        log_debug("websocket %d: %s", websocket->conn->fd,
                  result->reply.len == sizeof MESSAGE_AUTH_OK - 1 ? "auth"
                                                                  : "a message is an error");
        outbox_message(&websocket->outbox, result->reply.data, result->reply.len);
        if ((websocket->dialog.scopes & ACCESS_QUERY) == 0)
            push_end(&websocket->push, websocket->loop);
        return true;
    case DIALOG_CLOSE:
        websocket_end(websocket, FRAMES_BAD_KEY, result->why, false);
        return true;
    default:
        log_debug("websocket %d: a message of an unknown type is ignored", websocket->conn->fd);
        return true;
    }
}

/* Reads the message in text into result. False: there is no memory for it. */
static bool websocket_read(struct websocket *websocket)
{
    struct loop *loop = websocket->loop;
    const struct dialog_means means = {
        .access = loop->access,
        .limits = &loop->options->limits,
        .uuids = &loop->uuids,
        .secret = engine_secret(loop->engine),
        .max_events = loop->options->max_events,
    };
    dialog_take(&websocket->dialog, &means, websocket->text->data, websocket->text->len,
                clock_wall_ms(), &websocket->result);
    if (websocket->result.effect == DIALOG_NO_MEMORY) {
        dialog_result_clear(&websocket->result);
        return false;
    }
    websocket_charge(websocket, 0, websocket->text->len);
    counter_add(&loop->counters.messages, 1);
    if (websocket->result.effect == DIALOG_SUBMIT)
        counter_add(&loop->counters.bytes[COUNTERS_WEBSOCKET], websocket->text->len);
    bytes_clear(websocket->text);
    websocket->text = NULL;
    websocket->has_result = true;
    /* What is no batch is small from here on, and may wait for its own client to read. */
    if (websocket->result.effect != DIALOG_SUBMIT)
        websocket_release(websocket);
    if (websocket->dialog.open)
        frames_limit(websocket->frames, (size_t)loop->options->max_message);
    return true;
}

/* Reads the message in text when its turn has come. False: it must wait. */
static bool websocket_take(struct websocket *websocket)
{
    if (websocket->text->len > WEBSOCKET_GATE_BYTES && !websocket_admit(websocket))
        return false;
    if (websocket->arrival == NULL)
        websocket->arrival = arrival_new(websocket);
    if (websocket->arrival == NULL ||
        (!intake_may_read(&websocket->arrival->intake, websocket->text->len) &&
         !websocket->forced) ||
        !websocket_read(websocket))
        return websocket_wait(websocket);
    return true;
}

bool websocket_step(struct websocket *websocket)
{
    if (!websocket->has_result && !websocket_take(websocket))
        return false;
    if (!websocket_act(websocket))
        return false;
    dialog_result_clear(&websocket->result);
    websocket->has_result = websocket->admitted = false;
    arrival_free(websocket->arrival);
    websocket->arrival = NULL;
    websocket_release(websocket);
    return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The patience of a shutdown is over: what is whole and could not be acted on until now goes to the
 * writer, room or not. */
static void websocket_last_call(struct websocket *websocket)
{
    bool reads = websocket->phase == WEBSOCKET_OPEN || websocket->phase == WEBSOCKET_LEAVING ||
                 websocket->phase == WEBSOCKET_LAST;
    if (!reads || !websocket->loop->draining)
        return;
    outbox_shut(&websocket->outbox);
    response_end(&websocket->response);
    websocket->forced = true;
    websocket->phase = WEBSOCKET_LAST;
    websocket_pump(websocket);
}

void websocket_disown(struct websocket *websocket)
{
    websocket_last_call(websocket);
    struct list *node = websocket->arrivals.next;
    while (node != &websocket->arrivals) {
        struct arrival *arrival = LIST_OF(node, struct arrival, node);
        /* What was freed before is unlinked, which the analyzer does not see.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        node = node->next;
        const struct submission *submission = &arrival->intake.submission;
        list_remove(&arrival->node);
        arrival->websocket = NULL;
        if (!arrival->answered) {
            intake_abandon(&arrival->intake);
            continue;
        }
        if (submission->receipt != 0 && !submission->told)
            engine_lost(websocket->loop->engine, submission->receipt);
        arrival_free(arrival);
    }
    arrival_free(websocket->arrival);
    if (websocket->has_result)
        dialog_result_clear(&websocket->result);
}
