/*
 * postgres_signal.h: how the nodes of a PostgreSQL database hear of each other: a thread of the
 * store's own, with a session of its own, that is the node's (postgres_nodes.h).
 *
 * It listens; and it notifies, at most each POSTGRES_SIGNAL_PAUSE_MS, once somebody has said that
 * something was committed here. That is never done in the transaction that commits: PostgreSQL lets
 * one transaction that notifies commit at a time. A word is only that there may be news; one that
 * is lost with a session is made good when the next one begins.
 *
 * Where words do not come, behind a pooler or from a server that knows no LISTEN, there may be news
 * each POSTGRES_SIGNAL_POLL_MS.
 *
 * Each second the node says that it lives, and looks for those that have died. A node that was
 * taken for dead itself, since it was stopped or cut off for long, is registered anew: it has
 * another instance and slot then.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_SIGNAL_H
#define BEACOND_STORE_POSTGRES_POSTGRES_SIGNAL_H

#include "base/error.h"
#include "store/postgres/postgres_nodes.h"

#define POSTGRES_SIGNAL_PAUSE_MS 20
#define POSTGRES_SIGNAL_POLL_MS 100

struct postgres_signal;

/* Registers the node and starts the thread. database, the connection string, stays the caller's;
 * name is what the node is called, NULL: what no other process is. STORE_OK and *out, STORE_HELD or
 * STORE_BUSY. The tables must be there. */
int postgres_signal_start(struct postgres_signal **out, const char *database, const char *name,
                          struct error *err) MUST_CHECK;

/* Ends the thread, and the node; nothing of it may be under way any more. Does not wait for long
 * for a server that does not answer: the node has died then, without an end. NULL is fine. */
void postgres_signal_stop(struct postgres_signal *signal);

/* What the node is at present. Any thread. */
struct postgres_node postgres_signal_node(struct postgres_signal *signal);

/* Whether a pooler stands in front of the server, as was last seen. Any thread. */
bool postgres_signal_pooled(struct postgres_signal *signal);

/* Something was committed: the others are told soon. Never blocks for long; any thread. */
void postgres_signal_committed(struct postgres_signal *signal);

/* See store_on_news. */
void postgres_signal_on_news(struct postgres_signal *signal, void (*fn)(void *arg), void *arg);

#endif
