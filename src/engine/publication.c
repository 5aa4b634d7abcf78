#include "engine/publication.h"

#include <assert.h>
#include <stdlib.h>

#include "cache/gzip.h"

/* Deflating less than this saves nobody anything. */
#define PUBLICATION_DEFLATE_BYTES 512

#define PUBLICATION_HEAD "{\"type\":\"push\",\"events\":["
#define PUBLICATION_TAIL "]}"

void publication_hold(struct publication *publication)
{
    (void)atomic_fetch_add(&publication->references, 1);
}

void publication_drop(struct publication *publication)
{
    if (publication == NULL || atomic_fetch_sub(&publication->references, 1) > 1)
        return;
    bytes_clear(&publication->plain);
    bytes_clear(&publication->deflated);
    free((struct parcel *)publication);
}

/* The next event that was stored anew; NULL when there is none left. */
static const struct batch_event *publication_next(struct publication_place *place)
{
    for (; place->item < place->count; place->item++, place->event = 0) {
        const struct batch *batch = place->items[place->item].batch;
        while (place->event < batch->event_count) {
            const struct batch_event *event = &batch->events[place->event++];
            if (event->seq >= place->low && event->seq <= place->high)
                return event;
        }
    }
    return NULL;
}

size_t publication_measure(struct publication_place place, size_t *bytes)
{
    const struct batch_event *event;
    size_t events = 0;
    *bytes = 0;
    while (*bytes < PUBLICATION_TEXT_BYTES && (event = publication_next(&place)) != NULL) {
        *bytes += event->text_len + 1;
        events++;
    }
    return events;
}

struct parcel *publication_build(struct publication_place *place, size_t events, size_t bytes)
{
    struct parcel *parcel = calloc(1, sizeof *parcel);
    if (parcel == NULL)
        return NULL;
    struct publication *publication = &parcel->publication;
    struct bytes *plain = &publication->plain;
    atomic_init(&publication->references, 1);
    publication->events = events;
    if (bytes_reserve(plain, sizeof PUBLICATION_HEAD + bytes + sizeof PUBLICATION_TAIL) != 0 ||
        bytes_append_text(plain, PUBLICATION_HEAD) != 0)
        goto memory;
    for (size_t i = 0; i < events; i++) {
        const struct batch_event *event = publication_next(place);
        assert(event != NULL); /* publication_measure has counted them */
        if ((i > 0 && bytes_append(plain, ",", 1) != 0) ||
            bytes_append(plain, event->text, event->text_len) != 0)
            goto memory;
        if (i == 0)
            publication->first_seq = event->seq;
        publication->last_seq = event->seq;
    }
    if (bytes_append_text(plain, PUBLICATION_TAIL) != 0)
        goto memory;
    return parcel;
memory:
    publication_drop(publication);
    return NULL;
}

void publication_deflate(struct publication *publication, struct readers_desk *desk)
{
    const struct bytes *plain = &publication->plain;
    struct bytes *scratch = &desk->plain;
    uint32_t crc;
    scratch->len = 0;
    if (plain->len < PUBLICATION_DEFLATE_BYTES ||
        gzip_piece(desk->pieces, plain->data, plain->len, scratch, &crc) != 0)
        return;
    scratch->len -= GZIP_FLUSH_BYTES;
    /* By way of the scratch: zlib wants room for the worst case, and this is kept for long. */
    if (scratch->len >= plain->len ||
        bytes_append(&publication->deflated, scratch->data, scratch->len) != 0)
        bytes_clear(&publication->deflated);
}
