#include "engine/leases.h"

#include <stdatomic.h>
#include <stdlib.h>

struct leases {
    atomic_size_t references; /* the maker's, and each lease's */
    atomic_size_t out;
    size_t most;
};

struct leases *leases_new(size_t most)
{
    struct leases *leases = malloc(sizeof *leases);
    if (leases == NULL)
        return NULL;
    atomic_init(&leases->references, 1);
    atomic_init(&leases->out, 0);
    leases->most = most;
    return leases;
}

void leases_drop(struct leases *leases)
{
    if (leases != NULL && atomic_fetch_sub(&leases->references, 1) == 1)
        free(leases);
}

bool leases_take(struct leases *leases, size_t bytes)
{
    if (atomic_fetch_add(&leases->out, bytes) + bytes > leases->most) {
        (void)atomic_fetch_sub(&leases->out, bytes);
        return false;
    }
    (void)atomic_fetch_add(&leases->references, 1);
    return true;
}

void leases_give(struct leases *leases, size_t bytes)
{
    (void)atomic_fetch_sub(&leases->out, bytes);
    leases_drop(leases);
}

size_t leases_out(struct leases *leases)
{
    return atomic_load(&leases->out);
}
