#include "engine/receipts.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

#define RECEIPTS_FIRST_BUCKETS 1024

/*
 * In the table under running[0], and in the list of all by age: rows ascend along it, and what the
 * open transaction has taken is at its end, so a rollback cuts the tail off and dropping takes the
 * head.
 */
struct receipt {
    struct list node;     /* in receipts->by_age */
    struct receipt *next; /* in the bucket, newest first */
    int64_t row;
    int64_t at_ms;
    uint64_t serial;
    bool burst;    /* all of it; see receipt_counts */
    unsigned lost; /* of a burst: answers that are known not to have arrived, so many repetitions
                    * are retries */
    size_t count;
    uint64_t running[];
};

/* What the open transaction has changed in the losses of a receipt, to be undone by a rollback. */
struct receipts_change {
    struct receipt *receipt;
    bool more; /* one more, else one less: made use of */
    struct receipts_change *next;
};

struct receipts {
    struct receipt **buckets;
    size_t bucket_count; /* a power of two */
    struct list by_age;  /* oldest first */
    size_t count;
    size_t bytes;
    size_t max_bytes;
    uint64_t last_serial;
    int64_t row;                     /* of the open transaction */
    size_t open_count;               /* receipts it has taken */
    struct receipts_change *changes; /* of losses, latest first */
};

static size_t receipt_bytes(size_t count)
{
    return sizeof(struct receipt) + count * sizeof(uint64_t);
}

struct receipts *receipts_new(size_t max_bytes)
{
    struct receipts *receipts = calloc(1, sizeof *receipts);
    if (receipts == NULL)
        return NULL;
    receipts->buckets = calloc(RECEIPTS_FIRST_BUCKETS, sizeof *receipts->buckets);
    if (receipts->buckets == NULL) {
        free(receipts);
        return NULL;
    }
    receipts->bucket_count = RECEIPTS_FIRST_BUCKETS;
    receipts->max_bytes = max_bytes;
    receipts->row = 1;
    list_init(&receipts->by_age);
    return receipts;
}

static struct receipt **receipts_bucket(struct receipts *receipts, uint64_t first)
{
    return &receipts->buckets[first & (receipts->bucket_count - 1)];
}

static void receipts_remove(struct receipts *receipts, struct receipt *receipt)
{
    struct receipt **at = receipts_bucket(receipts, receipt->running[0]);
    while (*at != receipt)
        at = &(*at)->next;
    *at = receipt->next;
    list_remove(&receipt->node);
    receipts->count--;
    receipts->bytes -= receipt_bytes(receipt->count);
    free(receipt);
}

static void receipts_forget_changes(struct receipts *receipts, bool undo)
{
    while (receipts->changes != NULL) {
        struct receipts_change *change = receipts->changes;
        receipts->changes = change->next;
        if (undo && change->more)
            change->receipt->lost--;
        else if (undo)
            change->receipt->lost++;
        free(change);
    }
}

static void receipts_remove_all(struct receipts *receipts)
{
    while (!list_empty(&receipts->by_age))
        receipts_remove(receipts, LIST_OF(receipts->by_age.next, struct receipt, node));
}

void receipts_free(struct receipts *receipts)
{
    if (receipts == NULL)
        return;
    receipts_forget_changes(receipts, false);
    receipts_remove_all(receipts);
    free(receipts->buckets);
    free(receipts);
}

/* Twice as many buckets once they are full on average. Without memory the chains get longer. */
static void receipts_grow(struct receipts *receipts)
{
    size_t count = receipts->bucket_count * 2;
    if (receipts->count < receipts->bucket_count)
        return;
    struct receipt **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return;
    free(receipts->buckets);
    receipts->buckets = buckets;
    receipts->bucket_count = count;
    /* Along the ages, so that the newest ends up in front again. */
    for (struct list *node = receipts->by_age.next; node != &receipts->by_age; node = node->next) {
        struct receipt *receipt = LIST_OF(node, struct receipt, node);
        struct receipt **bucket = receipts_bucket(receipts, receipt->running[0]);
        receipt->next = *bucket;
        *bucket = receipt;
    }
}

static struct receipt *receipts_add(struct receipts *receipts, const uint64_t *running,
                                    size_t count, bool burst, int64_t row, int64_t at_ms)
{
    struct receipt *receipt = malloc(receipt_bytes(count));
    if (receipt == NULL)
        return NULL;
    receipts_grow(receipts);
    memcpy(receipt->running, running, count * sizeof *running);
    receipt->count = count;
    receipt->row = row;
    receipt->at_ms = at_ms;
    receipt->burst = burst;
    receipt->lost = 0;
    receipt->serial = ++receipts->last_serial;
    struct receipt **bucket = receipts_bucket(receipts, running[0]);
    receipt->next = *bucket;
    *bucket = receipt;
    list_append(&receipts->by_age, &receipt->node);
    receipts->count++;
    receipts->bytes += receipt_bytes(count);
    return receipt;
}

/* How many elements two bodies share, when the shorter is a prefix of the longer; else 0. */
static size_t receipt_overlap(const struct receipt *receipt, const struct marks *marks)
{
    size_t least = receipt->count < marks->count ? receipt->count : marks->count;
    return receipt->running[0] == marks->running[0] &&
                   receipt->running[least - 1] == marks->running[least - 1]
               ? least
               : 0;
}

/* Whether that overlap counts as stored. A burst does so on evidence alone, and a retry is never
 * shorter than what it repeats, so that a lost answer says nothing of a shorter body. What begins a
 * burst may also be its rest: of 21 equal events in batches of 10, the last comes alone. */
static bool receipt_counts(const struct receipt *receipt, const struct marks *marks, size_t overlap)
{
    if (!receipt->burst && !marks_burst(marks, overlap))
        return true;
    return receipt->lost > 0 && overlap == receipt->count;
}

struct receipts_match {
    struct receipt *best; /* the longest overlap that counts as stored, NULL for none */
    size_t known;         /* its length */
    struct receipt *same; /* of a body equal to this one, NULL for none */
};

static struct receipts_match receipts_find(struct receipts *receipts, const struct marks *marks)
{
    struct receipts_match match = {NULL, 0, NULL};
    for (struct receipt *receipt = *receipts_bucket(receipts, marks->running[0]); receipt != NULL;
         receipt = receipt->next) {
        size_t overlap = receipt_overlap(receipt, marks);
        if (overlap == 0)
            continue;
        if (match.same == NULL && overlap == marks->count && overlap == receipt->count)
            match.same = receipt;
        if (overlap > match.known && receipt_counts(receipt, marks, overlap)) {
            match.best = receipt;
            match.known = overlap;
        }
    }
    return match;
}

static int receipts_change(struct receipts *receipts, struct receipt *receipt, bool more)
{
    struct receipts_change *change = malloc(sizeof *change);
    if (change == NULL)
        return -1;
    if (more)
        receipt->lost++;
    else
        receipt->lost--;
    *change = (struct receipts_change){receipt, more, receipts->changes};
    receipts->changes = change;
    return 0;
}

int receipts_take(struct receipts *receipts, const struct marks *marks, bool lost, int64_t now_ms,
                  struct receipts_verdict *verdict)
{
    *verdict = (struct receipts_verdict){0, 0};
    if (marks->count == 0)
        return 0;
    struct receipts_match match = receipts_find(receipts, marks);
    struct receipt *stands = match.known == marks->count ? match.best : match.same;
    bool burst = marks_burst(marks, marks->count);
    if (stands == NULL) {
        stands = receipts_add(receipts, marks->running, marks->count, burst, receipts->row, now_ms);
        if (stands == NULL)
            return -1;
        receipts->open_count++;
    }
    if (match.best != NULL && match.best->burst &&
        receipts_change(receipts, match.best, false) != 0)
        return -1;
    if (lost && burst && receipts_change(receipts, stands, true) != 0)
        return -1;
    verdict->known = match.known;
    verdict->serial = burst ? stands->serial : 0;
    return 0;
}

/* The first receipt that the open transaction has taken, or the end of the list. */
static struct list *receipts_open(const struct receipts *receipts)
{
    const struct list *node = &receipts->by_age;
    for (size_t i = 0; i < receipts->open_count; i++)
        node = node->previous;
    return (struct list *)node;
}

int receipts_row(const struct receipts *receipts, struct bytes *out)
{
    for (const struct list *node = receipts_open(receipts); node != &receipts->by_age;
         node = node->next) {
        const struct receipt *receipt = LIST_OF(node, struct receipt, node);
        if (receipt_row_put(out, receipt->running, receipt->count, receipt->burst) != 0)
            return -1;
    }
    return 0;
}

int64_t receipts_row_number(const struct receipts *receipts)
{
    return receipts->row;
}

/* Keeps the chain of one first mark short: the oldest of it goes. */
static void receipts_trim_chain(struct receipts *receipts, uint64_t first)
{
    struct receipt *oldest = NULL;
    unsigned count = 0;
    for (struct receipt *receipt = *receipts_bucket(receipts, first); receipt != NULL;
         receipt = receipt->next) {
        if (receipt->running[0] != first)
            continue;
        oldest = receipt;
        count++;
    }
    if (count > RECEIPTS_CHAIN)
        receipts_remove(receipts, oldest);
}

int64_t receipts_commit(struct receipts *receipts, int64_t now_ms)
{
    receipts_forget_changes(receipts, false);
    struct list *node = receipts_open(receipts);
    receipts->open_count = 0;
    while (node != &receipts->by_age) {
        struct receipt *receipt = LIST_OF(node, struct receipt, node);
        /* What is trimmed is as old as this one at least: the next stays. */
        node = node->next;
        receipts_trim_chain(receipts, receipt->running[0]);
    }
    receipts->row++;
    while (!list_empty(&receipts->by_age)) {
        struct receipt *oldest = LIST_OF(receipts->by_age.next, struct receipt, node);
        bool single = oldest->node.next == &receipts->by_age;
        if (oldest->at_ms >= now_ms - RECEIPTS_MAX_AGE_MS &&
            (receipts->bytes <= receipts->max_bytes || single))
            return oldest->row;
        receipts_remove(receipts, oldest);
    }
    return receipts->row;
}

void receipts_rollback(struct receipts *receipts)
{
    receipts_forget_changes(receipts, true);
    while (receipts->open_count > 0) {
        /* receipts_remove unlinks what it frees, which the analyzer does not see.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        receipts_remove(receipts, LIST_OF(receipts->by_age.previous, struct receipt, node));
        receipts->open_count--;
    }
}

void receipts_lost(struct receipts *receipts, uint64_t serial)
{
    /* Losses are told soon: the newest are looked at first. */
    for (struct list *node = receipts->by_age.previous; node != &receipts->by_age;
         node = node->previous) {
        struct receipt *receipt = LIST_OF(node, struct receipt, node);
        if (receipt->serial == serial)
            receipt->lost++;
        if (receipt->serial <= serial)
            return;
    }
}

/* Takes in the receipts of a stored row. lost: of each, NULL: what a start makes of them. */
static int receipts_read(struct receipts *receipts, int64_t row, int64_t at_ms, const void *data,
                         size_t len, const unsigned *lost)
{
    struct receipt_row reader = receipt_row_begin(data, len);
    struct receipt_entry entry;
    uint64_t *running = NULL;
    size_t room = 0;
    int status = 0;
    while (status == 0 && receipt_row_next(&reader, &entry)) {
        if (running == NULL || entry.count > room) {
            uint64_t *more = realloc(running, entry.count * sizeof *running);
            if (more == NULL) {
                status = -1;
                break;
            }
            running = more;
            room = entry.count;
        }
        receipt_entry_marks(&entry, running);
        struct receipt *receipt =
            receipts_add(receipts, running, entry.count, entry.burst, row, at_ms);
        if (receipt == NULL) {
            status = -1;
            break;
        }
        receipt->lost = lost != NULL ? *lost : entry.burst;
        receipts_trim_chain(receipts, running[0]);
    }
    free(running);
    return status;
}

int receipts_load(struct receipts *receipts, int64_t row, int64_t at_ms, const void *data,
                  size_t len)
{
    int status = receipts_read(receipts, row, at_ms, data, len, NULL);
    if (row >= receipts->row)
        receipts->row = row + 1;
    return status;
}

void receipts_reset(struct receipts *receipts, uint64_t serial)
{
    receipts_forget_changes(receipts, false);
    receipts_remove_all(receipts);
    receipts->open_count = 0;
    receipts->last_serial = serial - 1;
}

int receipts_put(struct receipts *receipts, uint64_t serial, int64_t at_ms, unsigned lost,
                 const void *data, size_t len)
{
    uint64_t last_serial = receipts->last_serial;
    receipts->last_serial = serial - 1;
    int status = receipts_read(receipts, 0, at_ms, data, len, &lost);
    receipts->last_serial = last_serial;
    return status;
}

size_t receipts_taken(const struct receipts *receipts)
{
    return receipts->open_count;
}

int receipts_losses(const struct receipts *receipts, struct bytes *out)
{
    for (const struct receipts_change *change = receipts->changes; change != NULL;
         change = change->next) {
        const struct store_loss loss = {change->receipt->serial, change->more ? 1 : -1};
        if (bytes_append(out, &loss, sizeof loss) != 0)
            return -1;
    }
    return 0;
}

void receipts_erase(struct receipts *receipts, const struct receipt_key *key)
{
    struct receipt *receipt = *receipts_bucket(receipts, key->first);
    while (receipt != NULL) {
        struct receipt *next = receipt->next;
        if (receipt->row == key->row && receipt->count == key->count &&
            receipt->running[0] == key->first && receipt->running[key->count - 1] == key->last)
            receipts_remove(receipts, receipt);
        receipt = next;
    }
}

void receipts_tell(const struct receipts *receipts, struct receipts_facts *facts)
{
    *facts = (struct receipts_facts){receipts->count, receipts->bytes, 0};
    if (!list_empty(&receipts->by_age))
        facts->oldest_ms = LIST_OF(receipts->by_age.next, struct receipt, node)->at_ms;
}
