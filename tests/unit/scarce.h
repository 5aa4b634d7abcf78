/*
 * scarce.h: memory runs out, at one allocation after the other. The linker brings the calls of our
 * own code here: --wrap, for the one program that includes this (Makefile.am: memory_wraps). One
 * thread.
 */
#ifndef BEACOND_TESTS_SCARCE_H
#define BEACOND_TESTS_SCARCE_H

#include <stdint.h>
#include <string.h>

#include "unit.h"

/* Blocks of one round that may be alive at once. A power of two. */
#define SCARCE_BLOCKS 16384
#define SCARCE_GONE ((void *)1)

static struct {
    bool armed;        /* allocations are counted, and one fails; never around a ck_assert, for the
                        * library's own come here as well */
    unsigned long one; /* which, from 1 */
    unsigned long seen;
    bool failed; /* it has */
    long alive;  /* blocks made while armed that are not freed; their addresses, hashed: */
    void *blocks[SCARCE_BLOCKS];
} scarce;

static inline bool scarce_fails(void)
{
    if (!scarce.armed || ++scarce.seen != scarce.one)
        return false;
    scarce.failed = true;
    return true;
}

/* Where a block stands, or where its place would be. */
static inline void **scarce_place(const void *block)
{
    size_t at = ((uintptr_t)block >> 4) % SCARCE_BLOCKS;
    while (scarce.blocks[at] != NULL && scarce.blocks[at] != block)
        at = (at + 1) % SCARCE_BLOCKS;
    return &scarce.blocks[at];
}

static inline void *scarce_made(void *block)
{
    if (block != NULL) {
        scarce.alive++;
        *scarce_place(block) = block;
    }
    return block;
}

/* Whether it was one of those. */
static inline bool scarce_gone(const void *block)
{
    void **place = scarce_place(block);
    if (block == NULL || *place == NULL)
        return false;
    scarce.alive--;
    *place = SCARCE_GONE;
    return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __real_free(void *block);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    if (!scarce.armed)
        return __real_malloc(size);
    return scarce_fails() ? NULL : scarce_made(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!scarce.armed)
        return __real_calloc(count, size);
    return scarce_fails() ? NULL : scarce_made(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (scarce_fails())
        return NULL;
    bool mine = scarce_gone(old) || scarce.armed;
    void *block = __real_realloc(old, size);
    return mine ? scarce_made(block) : block;
}

void __wrap_free(void *block)
{
    (void)scarce_gone(block);
    __real_free(block);
}

/* Plays it again and again, with the first allocation failing, then with the second, until it comes
 * to an end without. It arms memory itself, frees all that it makes, and has at least so many
 * allocations. */
static inline void scarce_play(void (*play)(void), unsigned long least)
{
    scarce.one = 0;
    do {
        unsigned long one = scarce.one + 1;
        memset(&scarce, 0, sizeof scarce);
        scarce.one = one;
        play();
        if (scarce.alive != 0)
            ck_abort_msg("allocation %lu fails: %ld blocks leak", one, scarce.alive);
    } while (scarce.failed);
    ck_assert_uint_gt(scarce.one, least);
}

/* 0, or -1 when an allocation has failed. */
static inline int scarce_verdict(void)
{
    return scarce.failed ? -1 : 0;
}

#endif
