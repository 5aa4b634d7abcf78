/*
 * receipt_rows.h: how the receipts of one commit stand in their row (sql/0001-schema.sql). Pure.
 *
 * A version byte, then for each receipt its count of marks in 4 bytes, with the highest bit for a
 * burst, and its marks in 8 each, lowest byte first.
 */
#ifndef BEACOND_CONTRACT_RECEIPT_ROWS_H
#define BEACOND_CONTRACT_RECEIPT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash_set.h"
#include "base/siphash.h"

/* A row that is read: begin, then next until it is false. */
struct receipt_row {
    const unsigned char *at, *end;
};

/* One receipt of it. */
struct receipt_entry {
    const unsigned char *text; /* as it stands in the row, */
    size_t len;                /* of so many bytes */
    size_t count;              /* of its marks, 1 or more */
    bool burst;
};

/* One of another version is read as an empty one. */
struct receipt_row receipt_row_begin(const void *data, size_t len);

/* False behind the last, and where the row is damaged: what was read before counts. */
bool receipt_row_next(struct receipt_row *row, struct receipt_entry *entry);

/* Whether a row is whole: store_audit's question. True for rows of an older version as well, which
 * nobody reads and which go when they are old enough. */
bool receipt_row_fits(const void *data, size_t len);

/* Copies the marks, of which there is room for count. */
void receipt_entry_marks(const struct receipt_entry *entry, uint64_t *running);

/* Appends a receipt, behind the version when out is empty. 0, or -1 when out of memory. */
int receipt_row_put(struct bytes *out, const uint64_t *running, size_t count,
                    bool burst) MUST_CHECK;

/* What a receipt is found again by. */
struct receipt_key {
    int64_t row;
    uint64_t first, last; /* its marks */
    size_t count;
};

/* Appends to kept the row's receipts whose bodies hold no element of hashes (marks_hash), with a
 * version in front, or nothing when none is left; and to gone the struct receipt_key of each of the
 * others. Call it with kept empty. Returns how many others there are, or -1 when out of memory. */
int receipt_row_strip(int64_t row, const void *data, size_t len,
                      const unsigned char key[SIPHASH_KEY_BYTES], const struct hash_set *hashes,
                      struct bytes *kept, struct bytes *gone) MUST_CHECK;

#endif
