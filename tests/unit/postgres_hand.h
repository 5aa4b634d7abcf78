/*
 * postgres_hand.h: a database of a case's own on the program's server, a store that has made its
 * tables, a reader of it, and a connection by which a test does what nodes do, or what people do.
 */
#ifndef BEACOND_TESTS_POSTGRES_HAND_H
#define BEACOND_TESTS_POSTGRES_HAND_H

#include "postgres_run.h"

#include "store/store.h"

static char uri[256];
static struct store *store;
static struct store_reader *reader;
static PGconn *hand; /* makes what the test is about */

/* What a node does to store events, each in a statement of its own. */
static const char helper[] =
    "CREATE SCHEMA tests;"
    "CREATE FUNCTION tests.put(the_slot integer, stamps bigint[]) RETURNS bigint LANGUAGE plpgsql "
    "AS $$"
    "DECLARE"
    "    first bigint := beacond.take_blocks((cardinality(stamps) + 4095) / 4096);"
    "    steps CONSTANT text[] := '{second,minute,hour,day}';"
    "    sizes CONSTANT bigint[] := '{1000,60000,3600000,86400000}'; "
    "BEGIN"
    "    INSERT INTO beacond.events(seq, ts, received, given, id, event)"
    "    SELECT first + n - 1, ts, 1, (first + n - 1) % 2 = 1, (first + n - 1)::text,"
    "           '{\"n\":' || (first + n - 1) || '}'"
    "      FROM unnest(stamps) WITH ORDINALITY AS row(ts, n);"
    "    FOR n IN 1 .. 4 LOOP"
    "        EXECUTE format('INSERT INTO beacond.tally_%s AS old (at, slot, events)"
    "            SELECT beacond.step_floor(ts, $1), $3, count(*) FROM unnest($2) AS ts GROUP BY 1"
    "            ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events',"
    "            steps[n]) USING sizes[n], stamps, the_slot;"
    "    END LOOP;"
    "    INSERT INTO beacond.commits(last_seq, first_seq, instance, at, events, min_ts, max_ts)"
    "    SELECT first + count(*) - 1, first, 1, 1, count(*), min(ts), max(ts) FROM unnest(stamps) "
    "AS ts;"
    "    RETURN first; "
    "END $$;"
    "CREATE FUNCTION tests.erase(the_ts bigint, the_seq bigint) RETURNS void LANGUAGE plpgsql AS $$"
    "DECLARE"
    "    steps CONSTANT text[] := '{second,minute,hour,day}';"
    "    sizes CONSTANT bigint[] := '{1000,60000,3600000,86400000}'; "
    "BEGIN"
    "    DELETE FROM beacond.events WHERE ts = the_ts AND seq = the_seq;"
    "    FOR n IN 1 .. 4 LOOP" /* another node than the one that stored it */
    "        EXECUTE format('INSERT INTO beacond.tally_%s AS old (at, slot, events)"
    "            VALUES (beacond.step_floor($2, $1), 9, -1)"
    "            ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events',"
    "            steps[n]) USING sizes[n], the_ts;"
    "    END LOOP;"
    "    INSERT INTO beacond.erasures(n, at, events, ts, seq)"
    "    SELECT coalesce(max(n), 0) + 1, 1, 1, ARRAY[the_ts], ARRAY[the_seq] FROM "
    "beacond.erasures; "
    "END $$;";

static inline PGresult *run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    int code = PQresultStatus(result);
    ck_assert_msg(code == PGRES_COMMAND_OK || code == PGRES_TUPLES_OK, "%s: %s", sql,
                  PQerrorMessage(connection));
    return result;
}

static inline void do_sql(PGconn *connection, const char *sql)
{
    PQclear(run(connection, sql));
}

static inline PGconn *connect_by_hand(void)
{
    PGconn *connection = PQconnectdb(uri);
    ck_assert_msg(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
    do_sql(connection, "SET client_min_messages = warning; SET beacond.own = on");
    return connection;
}

/* A database of the case's own, as a store makes it. */
static inline void hand_setup(void)
{
    char name[POSTGRES_NAME_SIZE];
    struct error err = {""};
    postgres_make(name);
    postgres_uri(uri, sizeof uri, name);
    struct store_options options = {.database = uri};
    int status = store_open(&store, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(store_reader_open(store, &reader, &err), STORE_OK);
    hand = connect_by_hand();
    do_sql(hand, helper);
}

static inline void hand_teardown(void)
{
    store_reader_close(reader);
    store_close(store);
    PQfinish(hand);
}

#endif
