/* Which events of a batch are stored already (store_known). */

#include <stdlib.h>
#include <string.h>

#include "store/sqlite/sqlite_reader_parts.h"

/* So many events of a batch with one timestamp are compared with what is stored under it, as long
 * as that is no more than some times as much. Beyond, indexes are asked for each event. */
#define KNOWN_COMPARED 16
#define KNOWN_ROWS_EACH 4

struct known {
    struct sqlite_reader *reader;
    const struct batch *batch;
    const size_t *order; /* of the events, by timestamp */
    bool *known;         /* the answer */
    struct error *err;
};

static int known_order(const void *a, const void *b, void *arg)
{
    const struct batch_event *events = arg;
    int64_t left = events[*(const size_t *)a].ts, right = events[*(const size_t *)b].ts;
    return left < right ? -1 : left > right;
}

/* Places of the events in the order of their timestamps, to be freed. NULL when out of memory. */
static size_t *known_sorted(const struct batch *batch)
{
    size_t *order = calloc(batch->event_count, sizeof *order);
    bool ascends = true;
    if (order == NULL)
        return NULL;
    for (size_t i = 0; i < batch->event_count; i++) {
        order[i] = i;
        ascends = ascends && (i == 0 || batch->events[i - 1].ts <= batch->events[i].ts);
    }
    if (!ascends)
        qsort_r(order, batch->event_count, sizeof *order, known_order, batch->events);
    return order;
}

/* Whether a statement with the event's ts and id has a row. */
static int known_lookup(struct known *k, enum sql_statement name, int64_t ts, const char *id,
                        size_t id_len, bool *found)
{
    struct db *db = &k->reader->db;
    sqlite3_stmt *statement = db_statement(db, name);
    if (statement == NULL)
        return db_failure(db, k->err);
    db_bind_int(statement, ":ts", ts);
    if (sqlite3_bind_text64(statement, sqlite3_bind_parameter_index(statement, ":id"), id, id_len,
                            SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
        return db_failure(db, k->err);
    int64_t number = 0;
    int status = db_number(db, statement, &number, k->err);
    *found = number != 0;
    return status;
}

/* Notes the ids that beacond has chosen for events with this timestamp, once. What comes later gets
 * an id that no file can hold yet. */
static int known_note(struct known *k, int64_t ts)
{
    struct db *db = &k->reader->db;
    bool noted = false;
    int status = STORE_OK;
    if (!k->reader->notes)
        status = db_run(db, SQL_KNOWN_TABLE, k->err);
    if (status != STORE_OK)
        return status;
    k->reader->notes = true;
    status = known_lookup(k, SQL_KNOWN_NOTED, ts, "", 0, &noted);
    if (status != STORE_OK || noted)
        return status;
    sqlite3_stmt *note = db_statement(db, SQL_KNOWN_NOTE);
    if (note == NULL)
        return db_failure(db, k->err);
    db_bind_int(note, ":ts", ts);
    return db_finish(db, note, k->err);
}

/* Asks the indexes for the events order[from, to), all of one timestamp. */
static int known_ask(struct known *k, size_t from, size_t to)
{
    int64_t ts = k->batch->events[k->order[from]].ts;
    int status = known_note(k, ts);
    for (size_t i = from; i < to && status == STORE_OK; i++) {
        const struct batch_event *event = &k->batch->events[k->order[i]];
        bool *known = &k->known[k->order[i]];
        status = known_lookup(k, SQL_KNOWN_GIVEN, ts, event->id, event->id_len, known);
        if (status == STORE_OK && !*known)
            status = known_lookup(k, SQL_KNOWN_NOTED, ts, event->id, event->id_len, known);
    }
    return status;
}

static void known_compare(struct known *k, size_t from, size_t to, const void *id, size_t id_len)
{
    for (size_t i = from; i < to; i++) {
        const struct batch_event *event = &k->batch->events[k->order[i]];
        if (event->id_len == id_len && memcmp(event->id, id, id_len) == 0)
            k->known[k->order[i]] = true;
    }
}

/* The events order[from, to), all of one timestamp. */
static int known_group(struct known *k, size_t from, size_t to)
{
    struct db *db = &k->reader->db;
    size_t rows = 0, most = (to - from) * KNOWN_ROWS_EACH;
    if (to - from > KNOWN_COMPARED)
        return known_ask(k, from, to);
    sqlite3_stmt *at = db_statement(db, SQL_KNOWN_AT);
    if (at == NULL)
        return db_failure(db, k->err);
    (void)sqlite3_bind_int64(at, 1, k->batch->events[k->order[from]].ts);
    int code;
    while ((code = sqlite3_step(at)) == SQLITE_ROW && rows++ < most) {
        const void *id = sqlite3_column_text(at, 0);
        if (id != NULL)
            known_compare(k, from, to, id, (size_t)sqlite3_column_bytes(at, 0));
    }
    int status = code == SQLITE_ROW || code == SQLITE_DONE ? STORE_OK : db_failure(db, k->err);
    (void)sqlite3_reset(at);
    return status == STORE_OK && code == SQLITE_ROW ? known_ask(k, from, to) : status;
}

/* Whether anything is stored between the first and the last of them: mostly nothing is when a file
 * is read for the first time. */
static int known_any(struct known *k, bool *any)
{
    struct db *db = &k->reader->db;
    const struct batch_event *events = k->batch->events;
    sqlite3_stmt *statement = db_statement(db, SQL_KNOWN_ANY);
    if (statement == NULL)
        return db_failure(db, k->err);
    db_bind_int(statement, ":first", events[k->order[0]].ts);
    db_bind_int(statement, ":last", events[k->order[k->batch->event_count - 1]].ts);
    int64_t number = 0;
    int status = db_number(db, statement, &number, k->err);
    *any = number != 0;
    return status;
}

static int known_all(struct known *k)
{
    size_t count = k->batch->event_count;
    bool any = false;
    int status = known_any(k, &any);
    for (size_t from = 0, to; any && from < count && status == STORE_OK; from = to) {
        int64_t ts = k->batch->events[k->order[from]].ts;
        for (to = from + 1; to < count && k->batch->events[k->order[to]].ts == ts;)
            to++;
        status = known_group(k, from, to);
    }
    return status;
}

int sqlite_reader_known(struct store_reader *base, const struct batch *batch, bool *known,
                        struct error *err)
{
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    struct db *db = &reader->db;
    if (batch->event_count == 0)
        return STORE_OK;
    memset(known, 0, batch->event_count * sizeof *known);
    size_t *order = known_sorted(batch);
    if (order == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    struct known k = {.reader = reader, .batch = batch, .order = order, .known = known, .err = err};
    bool noted = reader->notes;
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = known_all(&k);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    if (status != STORE_OK)
        reader->notes = noted; /* what was made in this transaction is gone with it */
    db_abandon(db);
    free(order);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
