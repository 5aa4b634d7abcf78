/* The events of a commit, for who follows. */

#include <stdlib.h>

#include "store/postgres/postgres_follow_parts.h"

/* A portion is handed out when it has so many events, or bytes of them (one may reach over that):
 * a commit may hold hundreds of MB. */
#define FETCH_EVENTS 512
#define FETCH_BYTES (256 << 10)

struct fetch {
    struct postgres_store *store;
    const struct store_follow_ask *ask;
    struct store_news *news;
    struct bytes texts; /* one behind the other; an event's text is pointed to once all are there */
    size_t count;
    struct batch_event events[FETCH_EVENTS];
};

static void fetch_hand_out(struct fetch *fetch, bool last)
{
    const char *text = fetch->texts.data;
    for (size_t i = 0; i < fetch->count; i++) {
        fetch->events[i].text = text;
        text += fetch->events[i].text_len;
    }
    fetch->news->events = fetch->events;
    fetch->news->count = fetch->count;
    fetch->news->last = last;
    fetch->ask->fn(fetch->ask->arg, fetch->news);
    if (fetch->count > 0)
        fetch->store->place.part_seq = fetch->events[fetch->count - 1].seq;
    fetch->count = fetch->texts.len = 0;
}

static int fetch_row(struct fetch *fetch, const PGresult *row, struct error *err)
{
    size_t len;
    const char *text = pg_bytes(row, 0, 2, &len);
    if (bytes_append(&fetch->texts, text, len) != 0) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    fetch->events[fetch->count++] = (struct batch_event){
        .seq = pg_int(row, 0, 0),
        .ts = pg_int(row, 0, 1),
        .text_len = len,
    };
    if (fetch->count == FETCH_EVENTS || fetch->texts.len >= FETCH_BYTES)
        fetch_hand_out(fetch, false);
    return STORE_OK;
}

static int fetch_send(struct postgres_store *store, const struct postgres_commit *commit,
                      struct error *err)
{
    struct pg_params params = {0};
    int64_t part_seq = store->place.part_seq;
    pg_put_int(&params, part_seq >= commit->first_seq ? part_seq : commit->first_seq - 1);
    pg_put_int(&params, commit->last_seq);
    pg_put_int(&params, commit->min_ts);
    pg_put_int(&params, commit->max_ts);
    int status = pg_send(&store->pg, SQL_FOLLOW_EVENTS, &params, err);
    pg_params_clear(&params);
    if (status == STORE_OK)
        (void)PQsetSingleRowMode(store->pg.connection);
    return status;
}

/* All rows have to be read, whatever becomes of them. */
static int fetch_hear(struct fetch *fetch, struct error *err)
{
    struct pg *pg = &fetch->store->pg;
    PGresult *result;
    int status = STORE_BUSY;
    bool ended = false;
    error_set(err, "the connection to PostgreSQL was lost");
    while ((result = pg_next(pg)) != NULL) {
        int code = PQresultStatus(result);
        if (code == PGRES_SINGLE_TUPLE) {
            status = fetch_row(fetch, result, err);
        } else if (code == PGRES_TUPLES_OK) {
            ended = true;
        } else {
            (void)pg_failure(pg, result, err);
        }
        PQclear(result);
        if (pg->connection == NULL)
            return STORE_BUSY;
        if (code == PGRES_SINGLE_TUPLE && status != STORE_OK) {
            pg_close(pg); /* rather than read on in vain */
            return status;
        }
    }
    return ended ? STORE_OK : STORE_BUSY;
}

int postgres_fetch(struct postgres_store *store, const struct postgres_commit *commit,
                   const struct store_follow_ask *ask, struct store_news *news, struct error *err)
{
    struct fetch *fetch = malloc(sizeof *fetch);
    if (fetch == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    fetch->store = store;
    fetch->ask = ask;
    fetch->news = news;
    fetch->count = 0;
    bytes_init(&fetch->texts);
    int status = fetch_send(store, commit, err);
    if (status == STORE_OK)
        status = fetch_hear(fetch, err);
    if (status == STORE_OK)
        fetch_hand_out(fetch, true);
    bytes_clear(&fetch->texts);
    free(fetch);
    return status;
}
