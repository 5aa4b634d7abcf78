/* Receipts under clients that behave as the stock client does (CONTRACT.md 3): a queue, batches cut
 * at its head, and what was not answered goes back to the head and is sent again with newer events
 * behind it. Whatever happens on the way, each event is stored once in the end. */

#include "engine/receipts.h"

#include "base/bytes.h"
#include <string.h>

#include "dice.h"
#include "unit.h"

#define CLIENTS 3
#define EVENTS_MOST 4000 /* distinct ones of one client */
#define QUEUE_MOST 4000
#define BATCH 10
#define ROWS_MOST 8000
#define ROOM (64 << 20)
#define NOW INT64_C(1795233600000)

static const unsigned char key[SIPHASH_KEY_BYTES] = {3};
static const unsigned emitted_most = EVENTS_MOST - 20;

/* An event is a number: its text. Eight of them share a millisecond. Equal ones come together. */
struct client {
    unsigned name;
    unsigned next; /* the next event */
    unsigned queue[QUEUE_MOST];
    size_t queued;
    unsigned emitted[EVENTS_MOST], stored[EVENTS_MOST];
    unsigned late[BATCH]; /* a batch that is on its way still, although sent again since */
    size_t late_count;
};

struct parcel {
    int64_t row;
    struct bytes data;
};

static struct dice dice;
static struct receipts *receipts;
static struct client clients[CLIENTS];
static struct parcel parcels[ROWS_MOST];
static size_t parcel_count;
static unsigned long seen_retries, seen_burst_retries, seen_late, seen_copies;

static void marks_of(struct marks *marks, const struct client *client, const unsigned *events,
                     size_t count)
{
    marks_init(marks);
    for (size_t i = 0; i < count; i++) {
        unsigned text[2] = {client->name, events[i]};
        if (marks_add(marks, key, (const char *)text, sizeof text, events[i] / 8, false) != 0)
            ck_abort_msg("out of memory");
    }
}

/* The daemon takes a body and commits it. Returns the serial. */
static uint64_t arrive(struct client *client, const unsigned *events, size_t count, bool gone)
{
    struct receipts_verdict verdict;
    struct marks marks;
    marks_of(&marks, client, events, count);
    for (unsigned tries = 1 + (dice_roll(&dice, 10) == 0); tries > 0; tries--) {
        if (receipts_take(receipts, &marks, gone, NOW, &verdict) != 0)
            ck_abort_msg("out of memory");
        if (tries > 1)
            receipts_rollback(receipts);
    }
    seen_retries += verdict.known > 0;
    seen_burst_retries += verdict.known > 0 && marks_burst(&marks, verdict.known);
    marks_clear(&marks);
    struct parcel *parcel = &parcels[parcel_count];
    parcel->row = receipts_row_number(receipts);
    bytes_init(&parcel->data);
    if (receipts_row(receipts, &parcel->data) != 0)
        ck_abort_msg("out of memory");
    if (parcel->data.len > 0 && ++parcel_count == ROWS_MOST)
        ck_abort_msg("too many rows for this test");
    (void)receipts_commit(receipts, NOW);
    for (size_t i = verdict.known; i < count; i++)
        client->stored[events[i]]++;
    return verdict.serial;
}

/* Whether the batch at the head may be a second copy of one that was answered: equal events all
 * through. There only a broken connection tells that it is none, not a restart. */
static bool in_burst(const struct client *client)
{
    return client->queued >= 2 && client->queue[0] == client->queue[1];
}

static void restart(void)
{
    for (unsigned n = 0; n < CLIENTS; n++)
        if (in_burst(&clients[n]))
            return;
    receipts_free(receipts);
    receipts = receipts_new(ROOM);
    ck_assert_ptr_nonnull(receipts);
    for (size_t n = 0; n < parcel_count; n++)
        if (receipts_load(receipts, parcels[n].row, NOW, parcels[n].data.data,
                          parcels[n].data.len) != 0)
            ck_abort_msg("out of memory");
    (void)receipts_commit(receipts, NOW);
}

static void emit(struct client *client)
{
    unsigned event = client->next++;
    unsigned copies = dice_roll(&dice, 20) == 0 ? 1 + (unsigned)dice_roll(&dice, 4 * BATCH) : 1;
    if (copies > 1) /* a loop within a millisecond of its own */
        client->next = event = (event + 8) & ~7U;
    client->next += copies > 1 ? 8 : 0;
    seen_copies += copies >= 2 * BATCH;
    client->emitted[event] += copies;
    while (copies-- > 0)
        client->queue[client->queued++] = event;
}

static void flush(struct client *client)
{
    size_t count = client->queued < BATCH ? client->queued : BATCH;
    unsigned fate = (unsigned)dice_roll(&dice, 8);
    bool spread = client->queue[0] / 8 != client->queue[count - 1] / 8;
    if (fate == 0) /* lost on its way there */
        return;
    if (fate == 1 && spread && client->late_count == 0) {
        memcpy(client->late, client->queue, count * sizeof *client->late);
        client->late_count = count;
        return;
    }
    bool gone = fate == 2; /* while it is on its way */
    uint64_t serial = arrive(client, client->queue, count, gone);
    if (fate <= 3) { /* lost on its way back */
        if (serial != 0 && !gone)
            receipts_lost(receipts, serial);
        return;
    }
    client->queued -= count;
    memmove(client->queue, client->queue + count, client->queued * sizeof *client->queue);
}

static void turn(struct client *client)
{
    switch (dice_roll(&dice, 6)) {
    case 0:
    case 1:
    case 2:
        if (client->next < emitted_most)
            emit(client);
        break;
    case 3:
        /* Only behind its retry: what comes first is the original. */
        if (client->late_count > 0 && client->queued > 0 && client->queue[0] != client->late[0]) {
            (void)arrive(client, client->late, client->late_count, false);
            client->late_count = 0;
            seen_late++;
        }
        break;
    default:
        if (client->queued > 0)
            flush(client);
    }
}

static void play(unsigned turns)
{
    receipts = receipts_new(ROOM);
    ck_assert_ptr_nonnull(receipts);
    parcel_count = 0;
    for (unsigned n = 0; n < CLIENTS; n++)
        clients[n] = (struct client){.name = n};
    for (unsigned i = 0; i < turns; i++) {
        turn(&clients[dice_roll(&dice, CLIENTS)]);
        if (dice_roll(&dice, 50) == 0)
            restart();
    }
    for (unsigned n = 0; n < CLIENTS; n++) {
        struct client *client = &clients[n];
        while (client->queued > 0)
            flush(client);
        if (client->late_count > 0)
            (void)arrive(client, client->late, client->late_count, false);
        for (unsigned event = 0; event < EVENTS_MOST; event++)
            if (client->stored[event] != client->emitted[event])
                ck_abort_msg("event %u: stored %u times, emitted %u times", event,
                             client->stored[event], client->emitted[event]);
    }
    receipts_free(receipts);
    while (parcel_count > 0)
        bytes_clear(&parcels[--parcel_count].data);
}

START_TEST(receipts_store_each_event_of_a_stock_client_once)
{
    dice = dice_new();
    for (unsigned round = 0; round < unit_rounds(200); round++)
        play(1500);
    ck_assert_uint_gt(seen_retries, 0);
    ck_assert_uint_gt(seen_burst_retries, 0);
    ck_assert_uint_gt(seen_late, 0);
    ck_assert_uint_gt(seen_copies, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receipts_clients");
    TCase *tcase = tcase_create("receipts_clients");
    tcase_add_test(tcase, receipts_store_each_event_of_a_stock_client_once);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
