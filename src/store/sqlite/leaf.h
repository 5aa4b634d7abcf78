/*
 * leaf.h: the parts of a b-tree page that are not in use, and how a row fills them. Pure.
 *
 * SQLite overwrites a row that it deletes (secure_delete), but when it moves rows from page to page
 * it leaves copies behind in the stretch between the page's array of cells and their contents. A
 * row that is deleted later is not overwritten there. Such a stretch is cleaned by SQLite itself
 * when a row of the page is made so large that it takes all free bytes, and is then made what it
 * was.
 *
 * The layout: https://www.sqlite.org/fileformat2.html, 1.6. Any bytes may be passed.
 */
#ifndef BEACOND_STORE_SQLITE_LEAF_H
#define BEACOND_STORE_SQLITE_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum leaf_kind { LEAF_NONE, LEAF_TABLE, LEAF_INDEX };

struct leaf {
    const unsigned char *page;
    size_t usable; /* bytes of the page, without what is reserved */
    enum leaf_kind kind;
    size_t cells;
    size_t pointers; /* where the array of cells begins, */
    size_t gap;      /* where it ends; */
    size_t unused;   /* behind it may be places of cells that were; where these end, and */
    size_t content;  /* where their contents begin */
    size_t free;     /* bytes in all that are not in use */
};

/* Reads a page, which is no pointer map, behind the first header bytes of it (100 on page 1).
 * False: no leaf of a table and no page of an index, or damaged. */
bool leaf_read(struct leaf *leaf, const unsigned char *page, size_t usable, size_t header);

/* Whether more than a few bytes stand in the unused stretch from unused to content. */
bool leaf_is_dirty(const struct leaf *leaf);

/* A row of a table's leaf, whose last column is a text or blob. */
struct leaf_row {
    int64_t key;
    unsigned columns;
    int64_t swollen; /* length of a last column with which the row takes all free bytes; -1: none */
};

/* The n-th cell. False when it is damaged, or no such row. */
bool leaf_row(const struct leaf *leaf, size_t n, struct leaf_row *out);

#endif
