/*
 * guard_parts.h: the inside of the guard, for guard.c and guard_pour.c alone.
 */
#ifndef BEACOND_SERVER_GUARD_PARTS_H
#define BEACOND_SERVER_GUARD_PARTS_H

#include "server/guard.h"
#include "server/head.h"

/* Before and behind adding to the input: libevent keeps the end of a plain connection's frozen but
 * while it reads into it itself. */
void guard_unfreeze(const struct guard *guard);
void guard_freeze(const struct guard *guard);

/* Tells a client that waits for it to send its body. */
void guard_continue(struct guard *guard);

/* A head of len bytes at the stash's beginning, whose body is to be poured: gives evhttp the head
 * alone, as one whose body is empty. 0, or -1 when out of memory. */
int guard_open(struct guard *guard, const struct head *head, const char *text,
               size_t len) MUST_CHECK;

/* More has come in behind that head, which evhttp has not read yet: takes it. 0, or -1. */
int guard_pour_keep(struct guard *guard) MUST_CHECK;

#endif
