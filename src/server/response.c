#include "server/response.h"

#include "contract/message.h"

/* The next chunk is put out when less than this waits for the kernel. */
#define RESPONSE_LOW_BYTES (32 << 10)

void response_init(struct response *response, struct loop *loop, struct outbox *outbox,
                   bool deflate, response_fn *fn, void *arg)
{
    *response =
        (struct response){.loop = loop, .outbox = outbox, .deflate = deflate, .fn = fn, .arg = arg};
}

bool response_active(const struct response *response)
{
    return response->reading != NULL;
}

void response_end(struct response *response)
{
    if (response->reading == NULL)
        return;
    reading_free(response->reading);
    response->reading = NULL;
    response->asking = response->ready = response->failed = false;
    rope_clear(&response->chunk);
    atomic_fetch_sub(&response->loop->shared->reads, 1);
    response->loop->busy--;
}

void response_go_on(struct response *response)
{
    struct outbox *outbox = response->outbox;
    if (!response->ready ||
        evbuffer_get_length(bufferevent_get_output(outbox->bev)) > RESPONSE_LOW_BYTES)
        return;
    bool last = response->state == READING_LAST;
    response->ready = false;
    outbox_fragment(outbox, &response->chunk, response->deflate, last);
    if (last)
        response_end(response);
    else
        reading_next(response->reading);
}

static void response_on_chunk(void *arg, enum reading_state state, struct rope *chunk)
{
    struct response *response = arg;
    if (state == READING_FAILED) {
        response->failed = true;
    } else {
        response->max_seq = reading_max_seq(response->reading);
        response->asking = false;
        response->state = state;
        if (state == READING_LAST)
            counter_add(&response->loop->counters.reads[reading_source(response->reading)], 1);
        rope_move(&response->chunk, chunk);
        response->ready = true;
    }
    /* May end the connection, and the response with it. */
    response->fn(response->arg);
}

bool response_reserve(struct response *response)
{
    struct loop *loop = response->loop;
    if (atomic_fetch_add(&loop->shared->reads, 1) < loop->options->max_reads)
        return true;
    atomic_fetch_sub(&loop->shared->reads, 1);
    return false;
}

int response_begin(struct response *response, const struct range *range, const struct bytes *head)
{
    struct loop *loop = response->loop;
    const struct reading_form form = {
        .coding = response->deflate ? READING_DEFLATE : READING_PLAIN,
        .head = head->data,
        .head_len = head->len,
        .tail = MESSAGE_RESPONSE_TAIL,
    };
    response->reading =
        reading_new(loop->engine, range, &form, loop->mailbox, response_on_chunk, response);
    if (response->reading == NULL) {
        atomic_fetch_sub(&loop->shared->reads, 1);
        return -1;
    }
    response->asking = true;
    loop->busy++;
    outbox_begin(response->outbox);
    return 0;
}
