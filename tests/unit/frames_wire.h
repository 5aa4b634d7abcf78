/*
 * frames_wire.h: frames written down as text, put on a wire, read back in pieces of any size, and
 * what came of it as text again. For the tests of frames.h.
 *
 *   81:hello            a frame: its first byte, a colon, its payload (%XX for any byte)
 *   81.126:hello        the same with the 16-bit form of the length, needed or not; .127 likewise
 *   81.u:hello          without a mask
 *   81:=70000           a payload of that many times 'a'
 *
 * Frames are separated by spaces. What comes of them: TEXT hello|PING a|CLOSE 1000|FAILED 1002,
 * with %XX for what is not printable, and TEXT #N for texts of more than 99 bytes.
 */
#ifndef BEACOND_TESTS_FRAMES_WIRE_H
#define BEACOND_TESTS_FRAMES_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "contract/frames.h"
#include "unit.h"

static struct {
    struct bytes bytes;
    size_t at;    /* the next byte to be read */
    size_t there; /* how much of it has come */
    size_t step;  /* the most that is given at once; 0 for no limit */
} wire;

static struct bytes wire_seen; /* what came of it, with a NUL */
static struct bytes wire_text; /* the last text */

static inline void wire_setup(void)
{
    wire.bytes = wire_seen = wire_text = (struct bytes){0};
    wire.at = wire.there = wire.step = 0;
}

static inline void wire_teardown(void)
{
    bytes_clear(&wire.bytes);
    bytes_clear(&wire_seen);
    bytes_clear(&wire_text);
}

static inline size_t wire_source(void *arg, void *out, size_t size)
{
    (void)arg;
    size_t len = wire.there - wire.at;
    if (len > size)
        len = size;
    if (wire.step > 0 && len > wire.step)
        len = wire.step;
    if (len > 0)
        memcpy(out, wire.bytes.data + wire.at, len);
    wire.at += len;
    return len;
}

/* Without an assertion where all is well: Check reports each of them to another process, and there
 * are millions here. */
static inline void wire_append(struct bytes *bytes, const void *data, size_t len)
{
    if (bytes_append(bytes, data, len) != 0)
        ck_abort_msg("out of memory");
}

/* --- writing ---------------------------------------------------------------------------------- */

static inline void wire_put(const void *data, size_t len)
{
    wire_append(&wire.bytes, data, len);
}

static inline void wire_put_byte(unsigned byte)
{
    unsigned char c = (unsigned char)byte;
    wire_put(&c, 1);
}

/* The head of a frame: form is 0, 126 or 127 for the form of the length, 0 for the one it needs. */
static inline void wire_put_head(unsigned first, uint64_t len, unsigned form, bool masked)
{
    if (form == 0)
        form = len > 0xffff ? 127 : len > 125 ? 126 : 0;
    wire_put_byte(first);
    wire_put_byte((masked ? 0x80 : 0) | (form == 0 ? (unsigned)len : form));
    for (int i = form == 127 ? 7 : form == 126 ? 1 : -1; i >= 0; i--)
        wire_put_byte(len >> (8 * i) & 0xff);
}

static inline void wire_put_payload(const void *data, size_t len, bool masked)
{
    static const unsigned char mask[4] = {0xa5, 0x00, 0x3c, 0xff};
    if (masked)
        wire_put(mask, sizeof mask);
    size_t start = wire.bytes.len;
    wire_put(data, len);
    for (size_t i = 0; masked && i < len; i++)
        wire.bytes.data[start + i] ^= (char)mask[i % 4];
}

static inline void wire_put_frame(unsigned first, const void *data, size_t len)
{
    wire_put_head(first, len, 0, true);
    wire_put_payload(data, len, true);
}

static inline unsigned wire_hex(const char *at)
{
    char digits[3] = {at[0], at[0] == '\0' ? '\0' : at[1], '\0'};
    char *end;
    unsigned value = (unsigned)strtoul(digits, &end, 16);
    if (end != digits + 2)
        ck_abort_msg("not two hexadecimal digits: %s", at);
    return value;
}

/* A payload up to a space or the end; returns the place behind it. */
static inline const char *wire_read_payload(const char *at, struct bytes *payload)
{
    if (*at == '=') {
        char *end;
        size_t len = strtoul(at + 1, &end, 10);
        ck_assert_int_eq(bytes_reserve(payload, len + 1), 0);
        memset(payload->data, 'a', len);
        payload->len = len;
        return end;
    }
    for (; *at != ' ' && *at != '\0'; at++) {
        char c = *at;
        if (c == '%') {
            c = (char)wire_hex(at + 1);
            at += 2;
        }
        wire_append(payload, &c, 1);
    }
    return at;
}

/* Puts frames on the wire, behind what is there. */
static inline void wire_write(const char *frames)
{
    struct bytes payload;
    bytes_init(&payload);
    for (const char *at = frames; *at != '\0'; at += *at == ' ') {
        unsigned first = wire_hex(at), form = 0;
        bool masked = true;
        payload.len = 0;
        for (at += 2; *at == '.'; at++) {
            if (at[1] == 'u')
                masked = false;
            else
                form = (unsigned)strtoul(at + 1, NULL, 10);
            at += strcspn(at + 1, ".:");
        }
        if (*at != ':')
            ck_abort_msg("no colon: %s", at);
        at = wire_read_payload(at + 1, &payload);
        wire_put_head(first, payload.len, form, masked);
        wire_put_payload(payload.data, payload.len, masked);
    }
    bytes_clear(&payload);
}

/* --- reading ---------------------------------------------------------------------------------- */

static inline void wire_note(const char *kind, const char *data, size_t len)
{
    if (wire_seen.len > 0)
        wire_append(&wire_seen, "|", 1);
    wire_append(&wire_seen, kind, strlen(kind));
    wire_append(&wire_seen, " ", 1);
    if (len > 99) {
        char count[24];
        snprintf(count, sizeof count, "#%zu", len);
        wire_append(&wire_seen, count, strlen(count));
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        char escaped[4];
        snprintf(escaped, sizeof escaped, "%%%02X", c);
        if (c > ' ' && c < 0x7f && c != '%')
            wire_append(&wire_seen, &c, 1);
        else
            wire_append(&wire_seen, escaped, 3);
    }
}

static inline void wire_note_item(const struct frames_item *item)
{
    char code[16];
    snprintf(code, sizeof code, "%u", item->code);
    switch (item->kind) {
    case FRAMES_TEXT:
        wire_note("TEXT", item->text->data, item->text->len);
        wire_text.len = 0;
        wire_append(&wire_text, item->text->data, item->text->len);
        break;
    case FRAMES_PING:
    case FRAMES_PONG:
        ck_assert_uint_le(item->len, FRAMES_CONTROL_BYTES);
        wire_note(item->kind == FRAMES_PING ? "PING" : "PONG", (const char *)item->data, item->len);
        break;
    case FRAMES_CLOSE:
        wire_note("CLOSE", code, strlen(code));
        break;
    case FRAMES_FAILED:
        ck_assert_uint_lt(strlen(item->why), 100);
        wire_note("FAILED", code, strlen(code));
        break;
    case FRAMES_NOTHING:
        break;
    }
}

/* Reads until there is nothing left of what has come, or nothing more is read. */
static inline void wire_drain(struct frames *frames)
{
    struct frames_item item;
    do {
        frames_next(frames, &item);
        wire_note_item(&item);
        if (item.kind == FRAMES_CLOSE || item.kind == FRAMES_FAILED) {
            size_t at = wire.at;
            frames_next(frames, &item);
            ck_assert_int_eq(item.kind, FRAMES_NOTHING);
            ck_assert_uint_eq(wire.at, at);
            ck_assert_uint_eq(frames_held(frames), 0);
            ck_assert(!frames_within(frames));
        }
    } while (item.kind != FRAMES_NOTHING);
}

/* Everything is read anew: first what lies before split, then the rest, step bytes at a time. */
static inline const char *wire_read(size_t max, bool deflate, size_t split, size_t step)
{
    struct frames *frames = frames_new(max, deflate, wire_source, NULL);
    ck_assert_ptr_nonnull(frames);
    wire_seen.len = 0;
    wire.at = 0;
    wire.step = step;
    wire.there = split < wire.bytes.len ? split : wire.bytes.len;
    wire_drain(frames);
    wire.there = wire.bytes.len;
    wire_drain(frames);
    frames_free(frames);
    wire_append(&wire_seen, "", 1);
    return wire_seen.data;
}

/* What is on the wire gives wanted at once, one octet at a time, and in every split in two (on a
 * long wire: those near the ends and some between). */
static inline void wire_gives(size_t max, bool deflate, const char *wanted, const char *what)
{
    size_t len = wire.bytes.len;
    const char *seen = wire_read(max, deflate, len, 0);
    ck_assert_msg(strcmp(seen, wanted) == 0, "%s: %s, not %s", what, seen, wanted);
    seen = wire_read(max, deflate, len, 1);
    ck_assert_msg(strcmp(seen, wanted) == 0, "%s, by the octet: %s, not %s", what, seen, wanted);
    for (size_t split = 0; split <= len;
         split += split < 300 || split + 300 > len ? 1 : (len - 599) / 20 + 1) {
        seen = wire_read(max, deflate, split, 0);
        ck_assert_msg(strcmp(seen, wanted) == 0, "%s, split at %zu: %s, not %s", what, split, seen,
                      wanted);
    }
}

#endif
