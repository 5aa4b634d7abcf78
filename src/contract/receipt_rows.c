#include "contract/receipt_rows.h"

#include <stdlib.h>

#include "contract/marks.h"

#define ROW_VERSION 2
#define ROW_COUNT_BYTES 4
#define ROW_MARK_BYTES 8
#define ROW_BURST (UINT32_C(1) << 31) /* beside a count */

static uint64_t row_number(const unsigned char *at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)at[i] << (8 * i);
    return number;
}

struct receipt_row receipt_row_begin(const void *data, size_t len)
{
    const unsigned char *at = data;
    if (len == 0 || *at != ROW_VERSION)
        return (struct receipt_row){NULL, NULL};
    return (struct receipt_row){at + 1, at + len};
}

bool receipt_row_next(struct receipt_row *row, struct receipt_entry *entry)
{
    if (row->end - row->at < ROW_COUNT_BYTES)
        return false;
    size_t count = (size_t)row_number(row->at, ROW_COUNT_BYTES);
    entry->burst = (count & ROW_BURST) != 0;
    entry->count = count &= ROW_BURST - 1;
    if (count == 0 || count > (size_t)(row->end - row->at - ROW_COUNT_BYTES) / ROW_MARK_BYTES)
        return false;
    entry->text = row->at;
    entry->len = ROW_COUNT_BYTES + count * ROW_MARK_BYTES;
    row->at += entry->len;
    return true;
}

bool receipt_row_fits(const void *data, size_t len)
{
    const unsigned char *at = data;
    struct receipt_entry entry;
    /* Versions differ in how the marks were made, not in how they stand there. */
    if (len == 0 || *at < 1 || *at > ROW_VERSION)
        return false;
    struct receipt_row row = {at + 1, at + len};
    while (receipt_row_next(&row, &entry))
        continue;
    return row.at == row.end;
}

void receipt_entry_marks(const struct receipt_entry *entry, uint64_t *running)
{
    const unsigned char *at = entry->text + ROW_COUNT_BYTES;
    for (size_t i = 0; i < entry->count; i++, at += ROW_MARK_BYTES)
        running[i] = row_number(at, ROW_MARK_BYTES);
}

static int row_put(struct bytes *out, uint64_t number, unsigned bytes)
{
    unsigned char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (unsigned char)(number >> (8 * i));
    return bytes_append(out, text, bytes);
}

static int row_put_version(struct bytes *out)
{
    return out->len > 0 ? 0 : row_put(out, ROW_VERSION, 1);
}

int receipt_row_put(struct bytes *out, const uint64_t *running, size_t count, bool burst)
{
    if (row_put_version(out) != 0 ||
        row_put(out, count | (burst ? ROW_BURST : 0), ROW_COUNT_BYTES) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (row_put(out, running[i], ROW_MARK_BYTES) != 0)
            return -1;
    return 0;
}

/* Whether a body with these marks holds one of them. */
static bool row_holds(const uint64_t *running, size_t count,
                      const unsigned char key[SIPHASH_KEY_BYTES], const struct hash_set *hashes)
{
    for (size_t i = 0; i < count; i++)
        if (hash_set_has(hashes, marks_element(key, running, i)))
            return true;
    return false;
}

int receipt_row_strip(int64_t row, const void *data, size_t len,
                      const unsigned char key[SIPHASH_KEY_BYTES], const struct hash_set *hashes,
                      struct bytes *kept, struct bytes *gone)
{
    struct receipt_row reader = receipt_row_begin(data, len);
    struct receipt_entry entry;
    /* As many as the whole row could have. */
    uint64_t *running = malloc(len + sizeof *running);
    int count = 0;
    if (running == NULL)
        return -1;
    while (count >= 0 && receipt_row_next(&reader, &entry)) {
        receipt_entry_marks(&entry, running);
        int status;
        if (row_holds(running, entry.count, key, hashes)) {
            struct receipt_key one = {row, running[0], running[entry.count - 1], entry.count};
            status = bytes_append(gone, &one, sizeof one);
            count++;
        } else {
            status = row_put_version(kept) == 0 ? bytes_append(kept, entry.text, entry.len) : -1;
        }
        if (status != 0)
            count = -1;
    }
    free(running);
    return count;
}
