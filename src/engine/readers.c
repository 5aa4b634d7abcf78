#include "engine/readers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Events are JSON: level 1 already takes nine tenths away, and reading is what is waited for. */
#define READERS_GZIP_LEVEL 1
/* Scratch that one huge event has swollen is given back. */
#define READERS_SCRATCH_BYTES (1 << 20)

struct readers_thread {
    pthread_t thread;
    struct readers *readers;
    struct readers_desk desk;
};

struct readers {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct turn *first, **last; /* waiting turns */
    bool stopping;
    unsigned started; /* threads running */
    unsigned count;   /* desks */
    struct readers_thread threads[];
};

static void *readers_main(void *arg)
{
    struct readers_thread *self = arg;
    struct readers *readers = self->readers;
    pthread_mutex_lock(&readers->mutex);
    for (;;) {
        while (readers->first == NULL && !readers->stopping)
            pthread_cond_wait(&readers->wake, &readers->mutex);
        struct turn *turn = readers->first;
        if (turn == NULL)
            break;
        readers->first = turn->next;
        if (readers->first == NULL)
            readers->last = &readers->first;
        pthread_mutex_unlock(&readers->mutex);
        turn->run(turn, &self->desk);
        if (self->desk.plain.capacity > READERS_SCRATCH_BYTES)
            bytes_clear(&self->desk.plain);
        if (self->desk.scratch.capacity > READERS_SCRATCH_BYTES)
            bytes_clear(&self->desk.scratch);
        pthread_mutex_lock(&readers->mutex);
    }
    pthread_mutex_unlock(&readers->mutex);
    return NULL;
}

void readers_take(struct readers *readers, struct turn *turn)
{
    turn->next = NULL;
    pthread_mutex_lock(&readers->mutex);
    *readers->last = turn;
    readers->last = &turn->next;
    pthread_cond_signal(&readers->wake);
    pthread_mutex_unlock(&readers->mutex);
}

static int readers_add(struct readers *readers, struct store *store, struct error *err)
{
    struct readers_thread *self = &readers->threads[readers->count];
    self->readers = readers;
    bytes_init(&self->desk.plain);
    bytes_init(&self->desk.scratch);
    int status = store_reader_open(store, &self->desk.reader, err);
    if (status != STORE_OK)
        return status;
    readers->count++;
    self->desk.pieces = gzip_pieces_new(READERS_GZIP_LEVEL);
    int code = self->desk.pieces == NULL ? ENOMEM
                                         : pthread_create(&self->thread, NULL, readers_main, self);
    if (code != 0) {
        error_set(err, "can't start a reader thread: %s", strerror(code));
        return STORE_BUSY;
    }
    readers->started++;
    return STORE_OK;
}

int readers_start(struct readers **out, struct store *store, unsigned count, struct error *err)
{
    struct readers *readers = calloc(1, sizeof *readers + count * sizeof *readers->threads);
    if (readers == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    pthread_mutex_init(&readers->mutex, NULL);
    pthread_cond_init(&readers->wake, NULL);
    readers->last = &readers->first;
    int status = STORE_OK;
    for (unsigned i = 0; i < count && status == STORE_OK; i++)
        status = readers_add(readers, store, err);
    if (status == STORE_OK)
        *out = readers;
    else
        readers_stop(readers);
    return status;
}

void readers_stop(struct readers *readers)
{
    if (readers == NULL)
        return;
    pthread_mutex_lock(&readers->mutex);
    readers->stopping = true;
    pthread_cond_broadcast(&readers->wake);
    pthread_mutex_unlock(&readers->mutex);
    for (unsigned i = 0; i < readers->started; i++)
        pthread_join(readers->threads[i].thread, NULL);
    for (unsigned i = 0; i < readers->count; i++) {
        store_reader_close(readers->threads[i].desk.reader);
        gzip_pieces_free(readers->threads[i].desk.pieces);
        bytes_clear(&readers->threads[i].desk.plain);
        bytes_clear(&readers->threads[i].desk.scratch);
    }
    pthread_cond_destroy(&readers->wake);
    pthread_mutex_destroy(&readers->mutex);
    free(readers);
}
