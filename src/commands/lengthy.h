/*
 * lengthy.h: while the main thread opens or closes the engine, which may take long (a migration, a
 * WAL of gigabytes), the service manager is asked for more time, as long as work is being done.
 *
 * A thread of its own looks every few seconds whether the process has used its processor or written
 * since. What hangs uses neither, is granted nothing more, and is killed when its time is over.
 * Nothing is started where nobody listens (notify.h).
 */
#ifndef BEACOND_COMMANDS_LENGTHY_H
#define BEACOND_COMMANDS_LENGTHY_H

#include <pthread.h>
#include <stdbool.h>

struct lengthy {
    bool runs; /* the thread is there */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards over */
    pthread_cond_t end;
    bool over;
};

/* status: for notify_status. The main thread, whose blocked signals the new one inherits. */
void lengthy_begin(struct lengthy *lengthy, const char *status);
void lengthy_end(struct lengthy *lengthy);

#endif
