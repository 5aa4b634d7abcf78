#include "engine/reading.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/answer.h"
#include "engine/internal.h"

/*
 * Between reading_next and its mail the reader thread owns answer, chunk and state; otherwise the
 * owner does. asked tells the owner which it is. A reading freed while asked for is only marked and
 * goes when its mail is opened, so a reader thread never touches freed memory.
 */
struct reading {
    struct turn turn;
    struct mail mail;
    struct engine *engine;
    struct mailbox *reply_to;
    reading_fn *fn;
    void *arg;
    bool asked; /* the owner's: a chunk is under way */
    bool freed; /* the owner's: reading_free was called meanwhile */
    struct answer answer;
    struct bytes chunk;
    enum reading_state state;
    char texts[]; /* the form's head, tail and known */
};

static void reading_run(struct turn *turn, struct readers_desk *desk)
{
    struct reading *reading = (struct reading *)((char *)turn - offsetof(struct reading, turn));
    struct error err = {""};
    if (answer_next(&reading->answer, desk->reader, desk->pieces, &desk->plain, READING_CHUNK_BYTES,
                    &reading->chunk, &err) == 0) {
        reading->state = reading->answer.same   ? READING_SAME
                         : reading->answer.done ? READING_LAST
                                                : READING_MORE;
    } else {
        log_error("a read failed: %s", err.text);
        reading->state = READING_FAILED;
    }
    mailbox_post(reading->reply_to, &reading->mail);
}

static void reading_destroy(struct reading *reading)
{
    bytes_clear(&reading->chunk);
    free(reading);
}

static void reading_open(struct mail *mail)
{
    struct reading *reading = (struct reading *)((char *)mail - offsetof(struct reading, mail));
    reading->asked = false;
    if (reading->freed) {
        reading_destroy(reading);
        return;
    }
    /* May free the reading. */
    reading->fn(reading->arg, reading->state, &reading->chunk);
}

static size_t reading_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *reading_copy(char **to, const char *text, size_t size)
{
    const char *copy = size == 0 ? NULL : memcpy(*to, text, size);
    *to += size;
    return copy;
}

struct reading *reading_new(struct engine *engine, const struct range *range,
                            const struct reading_form *form, struct mailbox *reply_to,
                            reading_fn *fn, void *arg)
{
    size_t tail = reading_size(form->tail), known = reading_size(form->known);
    struct reading *reading = calloc(1, sizeof *reading + form->head_len + tail + known);
    if (reading == NULL)
        return NULL;
    char *texts = reading->texts;
    struct reading_form kept = *form;
    kept.head = reading_copy(&texts, form->head, form->head_len);
    kept.tail = reading_copy(&texts, form->tail, tail);
    kept.known = reading_copy(&texts, form->known, known);
    reading->turn.run = reading_run;
    reading->mail.open = reading_open;
    reading->engine = engine;
    reading->reply_to = reply_to;
    reading->fn = fn;
    reading->arg = arg;
    answer_init(&reading->answer, range, &kept, store_secret(engine->store), engine->epoch);
    bytes_init(&reading->chunk);
    reading_next(reading);
    return reading;
}

void reading_next(struct reading *reading)
{
    reading->asked = true;
    readers_take(reading->engine->readers, &reading->turn);
}

int64_t reading_max_seq(const struct reading *reading)
{
    return reading->answer.max_seq;
}

const char *reading_tag(const struct reading *reading)
{
    return reading->answer.tag;
}

void reading_free(struct reading *reading)
{
    if (reading == NULL)
        return;
    if (reading->asked)
        reading->freed = true;
    else
        reading_destroy(reading);
}
