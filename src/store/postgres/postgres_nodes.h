/*
 * postgres_nodes.h: who writes to a PostgreSQL database: the rows of its table nodes.
 *
 * A node lives while its row has no end. What lives says so each second (beat) and holds a lock of
 * its session (hold), which PostgreSQL lets go of when the session is over, however that comes
 * about. So a node that has died is told from one that is slow or was stopped: the lock is free.
 * Behind a pooler a session is nobody's own, and there is no such lock: there who has not been seen
 * for POSTGRES_NODE_SILENT_MS has died.
 *
 * When a node ends, or is ended by another, bursts that it took count as not answered for (their
 * answers may never have been sent), once, in the transaction that sets its end. That waits for
 * what the node may still have under way.
 *
 * All calls take a session that no transaction is open in, and block.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_NODES_H
#define BEACOND_STORE_POSTGRES_POSTGRES_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/postgres/pg.h"

#define POSTGRES_NODE_SILENT_MS 5000

struct postgres_node {
    int64_t instance; /* nodes.instance: of this start; 0: not registered */
    int16_t slot;     /* for the tally; nobody else's while the node lives */
};

/* Makes a row. replaces: one of that name that has died is ended, one that lives is in the way;
 * else there may be others of that name. holds: as postgres_node_hold. STORE_OK and *node,
 * STORE_HELD, STORE_UNFIT (postgres_schema_whole), or STORE_BUSY. */
int postgres_node_register(struct pg *pg, const char *name, bool replaces, bool holds,
                           struct postgres_node *node, struct error *err) MUST_CHECK;

/* Takes the lock that says that the node lives, for the session. STORE_BUSY also when another
 * session still has it: try again. */
int postgres_node_hold(struct pg *pg, int64_t instance, struct error *err) MUST_CHECK;

/* Lets go of it, if the session has it. STORE_OK or STORE_BUSY. */
int postgres_node_let_go(struct pg *pg, int64_t instance, struct error *err) MUST_CHECK;

/* Says that it lives. *lives: false when it has been ended. STORE_OK or STORE_BUSY. */
int postgres_node_beat(struct pg *pg, int64_t instance, bool *lives, struct error *err) MUST_CHECK;

/* Ends it, for a node that ends well. STORE_OK or STORE_BUSY. */
int postgres_node_end(struct pg *pg, int64_t instance, struct error *err) MUST_CHECK;

/* Ends the others that have died. Not before the session has stood for POSTGRES_NODE_SILENT_MS: by
 * then whoever lives has been able to say so, also after an end of the server. STORE_OK or
 * STORE_BUSY. */
int postgres_nodes_tend(struct pg *pg, int64_t instance, struct error *err) MUST_CHECK;

#endif
