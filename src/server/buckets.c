#include "server/buckets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/random.h"
#include "base/siphash.h"

#define BUCKETS_TABLE 16384 /* a power of two */

struct bucket {
    struct list used;    /* in buckets->by_use, the one unused longest first */
    struct bucket *next; /* in the table */
    struct address client;
    int64_t at_ms;        /* when the levels were right */
    double events, bytes; /* levels */
};

struct buckets {
    pthread_mutex_t mutex;
    double events, bytes;                 /* per second; 0 for no limit */
    unsigned char key[SIPHASH_KEY_BYTES]; /* nobody can aim at one chain */
    size_t count;
    struct list by_use;
    struct bucket *table[BUCKETS_TABLE];
};

struct buckets *buckets_new(int64_t events, int64_t bytes)
{
    struct buckets *buckets = calloc(1, sizeof *buckets);
    if (buckets == NULL)
        return NULL;
    pthread_mutex_init(&buckets->mutex, NULL);
    list_init(&buckets->by_use);
    random_fill(buckets->key, sizeof buckets->key);
    buckets->events = (double)events;
    buckets->bytes = (double)bytes;
    return buckets;
}

static struct bucket **buckets_chain(struct buckets *buckets, const struct address *client)
{
    unsigned char text[17];
    text[0] = (unsigned char)client->family;
    memcpy(text + 1, client->bytes, 16);
    return &buckets->table[siphash(buckets->key, text, sizeof text) & (BUCKETS_TABLE - 1)];
}

static void buckets_drop(struct buckets *buckets, struct bucket *bucket)
{
    struct bucket **at = buckets_chain(buckets, &bucket->client);
    while (*at != bucket)
        at = &(*at)->next;
    *at = bucket->next;
    list_remove(&bucket->used);
    buckets->count--;
    free(bucket);
}

static void buckets_drop_all(struct buckets *buckets)
{
    while (!list_empty(&buckets->by_use))
        buckets_drop(buckets, LIST_OF(buckets->by_use.next, struct bucket, used));
}

void buckets_rates(struct buckets *buckets, int64_t events, int64_t bytes)
{
    pthread_mutex_lock(&buckets->mutex);
    /* A level says nothing at another rate: one that was not limited has sunk without bound. */
    if (buckets->events != (double)events || buckets->bytes != (double)bytes)
        buckets_drop_all(buckets);
    buckets->events = (double)events;
    buckets->bytes = (double)bytes;
    pthread_mutex_unlock(&buckets->mutex);
}

void buckets_free(struct buckets *buckets)
{
    if (buckets == NULL)
        return;
    buckets_drop_all(buckets);
    pthread_mutex_destroy(&buckets->mutex);
    free(buckets);
}

static double bucket_filled(double level, double rate, double seconds)
{
    double full = rate * BUCKETS_SECONDS;
    level += rate * seconds;
    return level > full ? full : level;
}

/* The client's bucket, filled up to now. Called locked; NULL when out of memory. */
static struct bucket *buckets_find(struct buckets *buckets, struct address client, int64_t now_ms)
{
    client = address_client(client);
    struct bucket **chain = buckets_chain(buckets, &client), *bucket = *chain;
    while (bucket != NULL && (bucket->client.family != client.family ||
                              memcmp(bucket->client.bytes, client.bytes, sizeof client.bytes) != 0))
        bucket = bucket->next;
    if (bucket == NULL) {
        if (buckets->count >= BUCKETS_MOST)
            buckets_drop(buckets, LIST_OF(buckets->by_use.next, struct bucket, used));
        bucket = calloc(1, sizeof *bucket);
        if (bucket == NULL)
            return NULL;
        bucket->client = client;
        bucket->events = buckets->events * BUCKETS_SECONDS;
        bucket->bytes = buckets->bytes * BUCKETS_SECONDS;
        bucket->next = *chain;
        *chain = bucket;
        buckets->count++;
    } else {
        /* Each thread has read the clock before it came to the lock. */
        if (now_ms < bucket->at_ms)
            now_ms = bucket->at_ms;
        double seconds = (double)(now_ms - bucket->at_ms) / 1000;
        bucket->events = bucket_filled(bucket->events, buckets->events, seconds);
        bucket->bytes = bucket_filled(bucket->bytes, buckets->bytes, seconds);
        list_remove(&bucket->used);
    }
    bucket->at_ms = now_ms;
    list_append(&buckets->by_use, &bucket->used);
    return bucket;
}

static double bucket_seconds(double level, double rate)
{
    return rate > 0 && level <= 0 ? -level / rate : -1;
}

int buckets_wait(struct buckets *buckets, struct address client, int64_t now_ms)
{
    int wait = 0;
    pthread_mutex_lock(&buckets->mutex);
    struct bucket *bucket = buckets_find(buckets, client, now_ms);
    if (bucket != NULL) {
        double events = bucket_seconds(bucket->events, buckets->events);
        double bytes = bucket_seconds(bucket->bytes, buckets->bytes);
        double seconds = events > bytes ? events : bytes;
        if (seconds >= 0)
            wait = seconds > 86400 ? 86400 : (int)seconds + 1;
    }
    pthread_mutex_unlock(&buckets->mutex);
    return wait;
}

void buckets_charge(struct buckets *buckets, struct address client, int64_t now_ms, int64_t events,
                    int64_t bytes)
{
    pthread_mutex_lock(&buckets->mutex);
    struct bucket *bucket = buckets_find(buckets, client, now_ms);
    if (bucket != NULL) {
        bucket->events -= (double)events;
        bucket->bytes -= (double)bytes;
    }
    pthread_mutex_unlock(&buckets->mutex);
}
