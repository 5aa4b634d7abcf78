/*
 * insert_bench.c: how many rows a second SQLite alone takes, as the measure of all ingest.
 *
 *   insert_bench DATABASE SECONDS [BATCHES]
 *
 * A new database with beacond's schema and settings, beacond's own insert statement, the rows that
 * beacond makes of the bodies of stock.h, so many batches of 25 a commit (100, which is 2,500
 * rows), fsync on; no tallies, no receipts, no network. Only the time within SQLite counts,
 * checkpoints included. Writes one line: rows a second, and what a commit took, its inserts
 * included, at its median and at 99 of 100, in ms.
 */
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"
#include "contract/batch.h"
#include "stock.h"
#include "store/sqlite/sql.h"

#define INSERT_BATCHES 100 /* a commit, at most */

static void insert_must(sqlite3 *db, bool fine)
{
    if (fine)
        return;
    fprintf(stderr, "insert_bench: %s\n", sqlite3_errmsg(db));
    exit(EXIT_FAILURE);
}

static void insert_script(sqlite3 *db, const char *sql)
{
    insert_must(db, sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3 *insert_open(const char *path)
{
    sqlite3 *db = NULL;
    insert_must(db, sqlite3_open_v2(
                        path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK);
    insert_script(db, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
                      "PRAGMA secure_delete = ON; PRAGMA cache_size = -65536;");
    insert_script(db, sql_migrations[0]);
    return db;
}

static void insert_rows(sqlite3 *db, sqlite3_stmt *insert, const struct batch *batch)
{
    static int64_t seq;
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        sqlite3_bind_int64(insert, 1, ++seq);
        sqlite3_bind_int64(insert, 2, event->ts);
        sqlite3_bind_int64(insert, 3, batch->received_ms);
        sqlite3_bind_text(insert, 4, event->id, (int)event->id_len, SQLITE_STATIC);
        sqlite3_bind_text(insert, 5, event->text, (int)event->text_len, SQLITE_STATIC);
        insert_must(db, sqlite3_step(insert) == SQLITE_DONE);
        sqlite3_reset(insert);
    }
}

static void insert_make(struct stock *stock, struct uuid_source *uuids, struct batch **out)
{
    static const struct batch_limits limits = {.event_bytes = 1 << 20, .depth = 512};
    static unsigned flushes;
    int64_t now = clock_wall_ms();
    stock_stamp(stock, 0, flushes++, now);
    if (batch_read(stock->body.data, stock->body.len, &limits, uuids, NULL, now, out, NULL) !=
        BATCH_OK)
        stock_fail("batch_read refuses the body");
}

static double insert_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct insert_times {
    double *seconds; /* of each commit */
    size_t count, room;
};

static void insert_note(struct insert_times *times, double seconds)
{
    if (times->count == times->room) {
        times->room = times->room == 0 ? 1024 : times->room * 2;
        times->seconds = realloc(times->seconds, times->room * sizeof *times->seconds);
        if (times->seconds == NULL)
            stock_fail("out of memory");
    }
    times->seconds[times->count++] = seconds;
}

static int insert_compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

static void insert_report(struct insert_times *times, int batches)
{
    double spent = 0;
    for (size_t i = 0; i < times->count; i++)
        spent += times->seconds[i];
    qsort(times->seconds, times->count, sizeof *times->seconds, insert_compare);
    printf("rows=%.0f p50=%.4f p99=%.4f\n", (double)times->count * batches * STOCK_EVENTS / spent,
           times->seconds[times->count / 2] * 1e3, times->seconds[times->count * 99 / 100] * 1e3);
}

static sqlite3_stmt *insert_prepare(sqlite3 *db)
{
    static const char *const names[] = {":seq", ":ts", ":received", ":id", ":event"};
    sqlite3_stmt *insert = NULL;
    insert_must(db,
                sqlite3_prepare_v2(db, sql_text[SQL_INSERT_EVENT], -1, &insert, NULL) == SQLITE_OK);
    for (int i = 0; i < 5; i++)
        insert_must(db, sqlite3_bind_parameter_index(insert, names[i]) == i + 1);
    return insert;
}

int main(int argc, char **argv)
{
    struct stock stock;
    struct uuid_source uuids;
    struct batch *made[INSERT_BATCHES];
    struct insert_times times = {NULL, 0, 0};
    int batches = argc > 3 ? atoi(argv[3]) : INSERT_BATCHES;
    if (argc < 3 || argc > 4 || batches < 1 || batches > INSERT_BATCHES) {
        fprintf(stderr, "usage: insert_bench DATABASE SECONDS [BATCHES]\n");
        return 2;
    }
    sqlite3 *db = insert_open(argv[1]);
    sqlite3_stmt *insert = insert_prepare(db);
    stock_init(&stock);
    uuid_source_init(&uuids);
    double end = insert_now() + atof(argv[2]);
    do {
        for (int i = 0; i < batches; i++)
            insert_make(&stock, &uuids, &made[i]);
        double began = insert_now();
        insert_script(db, sql_text[SQL_BEGIN]);
        for (int i = 0; i < batches; i++)
            insert_rows(db, insert, made[i]);
        insert_script(db, sql_text[SQL_COMMIT]);
        insert_note(&times, insert_now() - began);
        for (int i = 0; i < batches; i++)
            batch_free(made[i]);
    } while (insert_now() < end);
    insert_report(&times, batches);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    free(times.seconds);
    bytes_clear(&stock.body);
    return EXIT_SUCCESS;
}
