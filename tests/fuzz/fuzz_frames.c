/*
 * fuzz_frames.c: bytes from a stranger, up to what they ask for: frames, then each message through
 * dialogs of a daemon with keys and of one without.
 *
 * The first byte of the input chooses: bit 0 compression, bits 1 and 2 the limit, bits 3 to 7 how
 * many bytes come at once. The rest is the wire. It is read twice, the second time by other pieces:
 * the items must be the same, for what can be hidden in a split is what tables of cases miss.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "contract/dialog.h"
#include "contract/frames.h"
#include "contract/utf8.h"
#include "fuzz.h"

#define FUZZ_NOW INT64_C(1710498225123)
#define FUZZ_SLACK 65536 /* held beside the text: zlib's context, room not used yet */

struct fuzz_wire {
    const uint8_t *at;
    size_t left, step;
};

/* What the dialogs are held with. */
static struct {
    struct access *keys, *no_keys;
    struct uuid_source uuids;
} fuzz;

static const unsigned char fuzz_secret[SIPHASH_KEY_BYTES] = "0123456789abcdef";
static const struct batch_limits fuzz_limits = {.event_bytes = 4096, .depth = 32};

static void fuzz_once(void)
{
    if (fuzz.keys != NULL)
        return;
    fuzz.keys = access_new();
    fuzz.no_keys = access_new();
    fuzz_need(fuzz.keys != NULL && fuzz.no_keys != NULL &&
                  access_add_key(fuzz.keys, "both", NULL) == 0 &&
                  access_add_key(fuzz.keys, "in:ingest", NULL) == 0 &&
                  access_add_key(fuzz.keys, "out:query", NULL) == 0,
              "out of memory");
    uuid_source_init(&fuzz.uuids);
}

static size_t fuzz_source(void *arg, void *out, size_t size)
{
    struct fuzz_wire *wire = arg;
    size_t len = wire->left;
    if (len > size)
        len = size;
    if (len > wire->step)
        len = wire->step;
    if (len > 0)
        memcpy(out, wire->at, len);
    wire->at += len;
    wire->left -= len;
    return len;
}

/* One connection to one of the two daemons. */
struct fuzz_talk {
    const struct access *access;
    struct dialog dialog;
    bool over; /* closed: nothing more is read */
};

static void fuzz_begin(struct fuzz_talk *talk, const struct access *access)
{
    talk->access = access;
    talk->over = false;
    dialog_init(&talk->dialog, access);
}

/* A message. It must end in something that keeps dialog.h's word. */
static void fuzz_say(struct fuzz_talk *talk, const char *text, size_t len)
{
    if (talk->over)
        return;
    struct dialog *dialog = &talk->dialog;
    struct dialog_means means = {.access = talk->access,
                                 .limits = &fuzz_limits,
                                 .uuids = &fuzz.uuids,
                                 .secret = fuzz_secret,
                                 .max_events = 500000};
    struct dialog_result result;
    bool open = dialog->open;
    dialog_take(dialog, &means, text, len, FUZZ_NOW, &result);
    switch (result.effect) {
    case DIALOG_SUBMIT:
        fuzz_need(open && (dialog->scopes & ACCESS_INGEST) != 0, "committed without a right to");
        fuzz_need(result.batch != NULL, "nothing to commit");
        break;
    case DIALOG_ASK:
        fuzz_need(open && (dialog->scopes & ACCESS_QUERY) != 0, "answered without a right to");
        fuzz_need(result.reply.len > 0, "an answer without a head");
        break;
    case DIALOG_REPLY:
        fuzz_need(result.reply.len > 0, "an empty reply");
        break;
    case DIALOG_CLOSE:
        fuzz_need(access_has_keys(talk->access) && !dialog->open, "closed for no reason");
        fuzz_need(result.why != NULL && strlen(result.why) <= FRAMES_CONTROL_BYTES - 2,
                  "no reason to close");
        talk->over = true;
        break;
    case DIALOG_NOTHING:
    case DIALOG_NO_MEMORY:
        break;
    }
    struct utf8 utf8 = {0};
    fuzz_need(utf8_add(&utf8, result.reply.data, result.reply.len) && utf8_whole(&utf8),
              "a reply that is not UTF-8");
    dialog_result_clear(&result);
}

/* What has come of a wire: a hash of all items in order. */
struct fuzz_seen {
    uint64_t hash;
    struct fuzz_talk keyed, keyless;
    bool talks; /* pass messages to the dialogs */
};

static void fuzz_add(struct fuzz_seen *seen, const void *data, size_t len)
{
    uint64_t parts[2] = {seen->hash, siphash(fuzz_secret, data, len)};
    seen->hash = siphash(fuzz_secret, parts, sizeof parts);
}

static void fuzz_text(struct fuzz_seen *seen, struct bytes *text, size_t max)
{
    struct utf8 utf8 = {0};
    fuzz_need(text->len <= max, "a text above the limit");
    fuzz_need(utf8_add(&utf8, text->data, text->len) && utf8_whole(&utf8), "a text is not UTF-8");
    fuzz_add(seen, text->data, text->len);
    if (!seen->talks || text->len == 0)
        return;
    /* A copy of that size, for the tools that watch over reads. */
    size_t len;
    char *stolen = bytes_steal(text, &len), *copy = malloc(len);
    fuzz_need(copy != NULL, "out of memory");
    memcpy(copy, stolen, len);
    free(stolen);
    fuzz_say(&seen->keyed, copy, len);
    fuzz_say(&seen->keyless, copy, len);
    free(copy);
}

static void fuzz_item(struct fuzz_seen *seen, const struct frames_item *item, size_t max)
{
    unsigned facts[2] = {(unsigned)item->kind, item->code};
    fuzz_add(seen, facts, sizeof facts);
    switch (item->kind) {
    case FRAMES_TEXT:
        fuzz_text(seen, item->text, max);
        break;
    case FRAMES_PING:
    case FRAMES_PONG:
        fuzz_need(item->len <= FRAMES_CONTROL_BYTES, "a long control frame");
        fuzz_add(seen, item->data, item->len);
        break;
    case FRAMES_FAILED:
        fuzz_need(item->why != NULL && strlen(item->why) < 100, "a failure without a reason");
        break;
    case FRAMES_CLOSE:
    case FRAMES_NOTHING:
        break;
    }
}

/* Reads all of a wire; returns the hash of its items. */
static uint64_t fuzz_read(struct fuzz_wire wire, size_t max, bool deflate, bool talks)
{
    struct fuzz_seen seen = {.hash = 0, .talks = talks};
    struct frames_item item;
    struct frames *frames = frames_new(max, deflate, fuzz_source, &wire);
    fuzz_need(frames != NULL, "out of memory");
    fuzz_begin(&seen.keyed, fuzz.keys);
    fuzz_begin(&seen.keyless, fuzz.no_keys);
    do {
        frames_next(frames, &item);
        fuzz_item(&seen, &item, max);
        fuzz_need(frames_held(frames) <= max / 2 * 3 + FUZZ_SLACK, "too much is held");
    } while (item.kind != FRAMES_NOTHING && item.kind != FRAMES_CLOSE &&
             item.kind != FRAMES_FAILED);
    if (item.kind == FRAMES_NOTHING) {
        fuzz_need(wire.left == 0, "not all was read");
    } else {
        size_t left = wire.left;
        frames_next(frames, &item);
        fuzz_need(item.kind == FRAMES_NOTHING && wire.left == left, "read on behind the end");
        fuzz_need(frames_held(frames) == 0 && !frames_within(frames), "holds on behind the end");
    }
    frames_free(frames);
    return seen.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t limits[] = {0, 100, 5000, 1 << 20};
    if (size == 0)
        return 0;
    fuzz_once();
    bool deflate = (data[0] & 1) != 0;
    size_t max = limits[data[0] >> 1 & 3], step = 1 + (data[0] >> 3);
    struct fuzz_wire wire = {data + 1, size - 1, size};
    uint64_t whole = fuzz_read(wire, max, deflate, true);
    wire.step = step;
    fuzz_need(fuzz_read(wire, max, deflate, false) == whole, "the pieces make a difference");
    return 0;
}
