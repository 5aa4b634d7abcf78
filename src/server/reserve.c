#include "server/reserve.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

/* Blocks of one size, in the order of sizes. Most of libevent's are small: headers, callbacks,
 * events. The largest are what it reads into at a time. */
struct reserve_shelf {
    char *blocks;
    size_t size, count; /* of a block; of blocks */
    size_t used;
    size_t fresh; /* blocks from here on have never been used: their pages need not be there */
    void *free;   /* blocks given back; each holds the address of the next */
};

#define RESERVE_SMALL 256
#define RESERVE_MIDDLE 2048

static alignas(max_align_t) char reserve_small[4096 * RESERVE_SMALL];
static alignas(max_align_t) char reserve_middle[1024 * RESERVE_MIDDLE];
static alignas(max_align_t) char reserve_large[64 * RESERVE_LARGEST];

static pthread_mutex_t reserve_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct reserve_shelf reserve_shelves[] = {
    {reserve_small, RESERVE_SMALL, sizeof reserve_small / RESERVE_SMALL, 0, 0, NULL},
    {reserve_middle, RESERVE_MIDDLE, sizeof reserve_middle / RESERVE_MIDDLE, 0, 0, NULL},
    {reserve_large, RESERVE_LARGEST, sizeof reserve_large / RESERVE_LARGEST, 0, 0, NULL},
};
static atomic_int reserve_low; /* shelves of which more than a quarter is in use */

#define RESERVE_SHELVES (sizeof reserve_shelves / sizeof reserve_shelves[0])

static void *reserve_pick(struct reserve_shelf *shelf)
{
    void *block = shelf->free;
    if (block != NULL)
        memcpy(&shelf->free, block, sizeof shelf->free);
    else if (shelf->fresh < shelf->count)
        block = shelf->blocks + shelf->fresh++ * shelf->size;
    if (block != NULL && ++shelf->used == shelf->count / 4 + 1)
        atomic_fetch_add(&reserve_low, 1);
    return block;
}

static void *reserve_take(size_t size)
{
    void *block = NULL;
    pthread_mutex_lock(&reserve_mutex);
    for (size_t i = 0; i < RESERVE_SHELVES && block == NULL; i++)
        if (size <= reserve_shelves[i].size)
            block = reserve_pick(&reserve_shelves[i]);
    pthread_mutex_unlock(&reserve_mutex);
    return block;
}

/* The shelf that a block is of; NULL for one of malloc's. */
static struct reserve_shelf *reserve_shelf_of(const void *block)
{
    for (size_t i = 0; i < RESERVE_SHELVES; i++) {
        uintptr_t first = (uintptr_t)reserve_shelves[i].blocks;
        if ((uintptr_t)block - first < reserve_shelves[i].size * reserve_shelves[i].count)
            return &reserve_shelves[i];
    }
    return NULL;
}

static void reserve_give_back(struct reserve_shelf *shelf, void *block)
{
    pthread_mutex_lock(&reserve_mutex);
    memcpy(block, &shelf->free, sizeof shelf->free);
    shelf->free = block;
    if (--shelf->used == shelf->count / 4)
        atomic_fetch_sub(&reserve_low, 1);
    pthread_mutex_unlock(&reserve_mutex);
}

static void *reserve_malloc(size_t size)
{
    void *block = malloc(size);
    if (block == NULL)
        block = reserve_take(size);
    return block;
}

static void reserve_free(void *block)
{
    struct reserve_shelf *shelf = block == NULL ? NULL : reserve_shelf_of(block);
    if (shelf == NULL)
        free(block);
    else
        reserve_give_back(shelf, block);
}

/* What malloc gave and can't make larger fails: how much of it to copy is not known here. libevent
 * makes arrays larger so, and copes when it can't. */
static void *reserve_realloc(void *block, size_t size)
{
    struct reserve_shelf *shelf = block == NULL ? NULL : reserve_shelf_of(block);
    if (block == NULL)
        return reserve_malloc(size);
    if (shelf == NULL)
        return realloc(block, size);
    if (size <= shelf->size)
        return block;
    void *larger = reserve_malloc(size);
    if (larger == NULL)
        return NULL;
    memcpy(larger, block, shelf->size);
    reserve_give_back(shelf, block);
    return larger;
}

void reserve_begin(void)
{
    event_set_mem_functions(reserve_malloc, reserve_realloc, reserve_free);
}

bool reserve_short(void)
{
    return atomic_load(&reserve_low) > 0;
}
