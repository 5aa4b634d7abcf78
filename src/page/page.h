/*
 * page.h: the page at /: what the daemon is doing, for a person; one document with all that it
 * needs.
 *
 * It is a shell: it holds no data, and asks for stats, rejects and the tail by itself, with a key
 * that its reader gives it. Made once from the files beside this one (embed.awk), read by all
 * threads.
 */
#ifndef BEACOND_PAGE_PAGE_H
#define BEACOND_PAGE_PAGE_H

#include "base/bytes.h"

#define PAGE_POLICY_SIZE 512
#define PAGE_ETAG_SIZE 21 /* W/"16 hexadecimal digits" and a NUL */

struct page {
    struct bytes html;
    struct bytes gzip; /* the same, compressed */
    char
        policy[PAGE_POLICY_SIZE]; /* Content-Security-Policy, with the hashes of script and style */
    char etag[PAGE_ETAG_SIZE];    /* weak: of both */
};

void page_init(struct page *page);

/* Makes it, to ask below prefix ("/_tracker"; what can't stand in an attribute is escaped). 0, or
 * -1 when out of memory; page_clear it in any case. */
int page_make(struct page *page, const char *prefix) MUST_CHECK;
void page_clear(struct page *page);

#endif
