#include "store/sqlite/leaf.h"

#define LEAF_TYPE_INDEX_INNER 2
#define LEAF_TYPE_INDEX 10
#define LEAF_TYPE_TABLE 13
#define LEAF_MOST_VARINT 9
/* What is below is a place on a page of 8 KiB, and no text. */
#define LEAF_POINTER_MOST 0x2000
#define LEAF_LEAST 8        /* bytes; less than that says nothing of anybody */
#define LEAF_HEADER_MOST 64 /* bytes of a record's header that concern us */

static size_t leaf_two(const unsigned char *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Adds up the free blocks. False: damaged. */
static bool leaf_blocks(const struct leaf *leaf, size_t first, size_t *sum)
{
    size_t at = first, rounds = 0;
    while (at != 0) {
        if (at < leaf->content || at + 4 > leaf->usable || rounds++ > leaf->usable / 4)
            return false;
        size_t next = leaf_two(leaf->page + at), len = leaf_two(leaf->page + at + 2);
        if (len < 4 || at + len > leaf->usable || (next != 0 && next <= at))
            return false;
        *sum += len;
        at = next;
    }
    return true;
}

bool leaf_read(struct leaf *leaf, const unsigned char *page, size_t usable, size_t header)
{
    const unsigned char *at = page + header;
    *leaf = (struct leaf){.page = page, .usable = usable};
    if (*at == LEAF_TYPE_TABLE)
        leaf->kind = LEAF_TABLE;
    else if (*at == LEAF_TYPE_INDEX || *at == LEAF_TYPE_INDEX_INNER)
        leaf->kind = LEAF_INDEX;
    else
        return false;
    leaf->cells = leaf_two(at + 3);
    leaf->content = leaf_two(at + 5);
    if (leaf->content == 0)
        leaf->content = 65536;
    leaf->pointers = header + (*at == LEAF_TYPE_INDEX_INNER ? 12 : 8);
    leaf->gap = leaf->pointers + 2 * leaf->cells;
    if (leaf->gap > leaf->content || leaf->content > usable)
        return false;
    leaf->free = leaf->content - leaf->gap + at[7];
    leaf->unused = leaf->gap;
    while (leaf->unused + 2 <= leaf->content && leaf_two(page + leaf->unused) < LEAF_POINTER_MOST)
        leaf->unused += 2;
    return leaf_blocks(leaf, leaf_two(at + 1), &leaf->free);
}

bool leaf_is_dirty(const struct leaf *leaf)
{
    size_t bytes = 0;
    for (size_t i = leaf->unused; i < leaf->content && bytes < LEAF_LEAST; i++)
        bytes += leaf->page[i] != 0;
    return bytes == LEAF_LEAST;
}

/* Reads a variable-length number. Its length, or 0 when it does not end before end. */
static size_t leaf_varint(const unsigned char *at, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < LEAF_MOST_VARINT && at + i < end; i++) {
        if (i == LEAF_MOST_VARINT - 1) {
            *out = *out << 8 | at[i];
            return i + 1;
        }
        *out = *out << 7 | (at[i] & 0x7f);
        if (at[i] < 0x80)
            return i + 1;
    }
    return 0;
}

static size_t leaf_varint_len(uint64_t number)
{
    size_t len = 1;
    while (number > 0x7f && len < LEAF_MOST_VARINT) {
        number >>= 7;
        len++;
    }
    return len;
}

/* How many bytes of a payload stand on the page itself. */
static size_t leaf_local(const struct leaf *leaf, uint64_t payload)
{
    size_t most = leaf->usable - 35, least = (leaf->usable - 12) * 32 / 255 - 23;
    if (payload <= most)
        return (size_t)payload;
    size_t local = least + (size_t)((payload - least) % (leaf->usable - 4));
    return local <= most ? local : least;
}

/* What of a record concerns us. */
struct leaf_record {
    uint64_t payload; /* bytes */
    size_t header;    /* bytes of its header */
    uint64_t last;    /* type of the last column */
    unsigned columns;
};

static bool leaf_record(const unsigned char *at, const unsigned char *end,
                        struct leaf_record *record)
{
    uint64_t header;
    size_t len = leaf_varint(at, end, &header);
    if (len == 0 || header > LEAF_HEADER_MOST || header < len || at + header > end)
        return false;
    record->header = (size_t)header;
    record->columns = 0;
    for (const unsigned char *type = at + len; type < at + header; type += len) {
        len = leaf_varint(type, at + header, &record->last);
        if (len == 0)
            return false;
        record->columns++;
    }
    return record->columns > 0 && record->last >= 12;
}

/* The length of the last column with which the cell has so many bytes, or a few less. */
static int64_t leaf_swollen(const struct leaf *leaf, const struct leaf_record *record,
                            size_t key_len, size_t cell)
{
    uint64_t odd = record->last & 1, old = (record->last - 12) / 2;
    uint64_t others = record->payload - record->header - old;
    for (int64_t len = (int64_t)cell; len >= 0 && len > (int64_t)cell - 128; len--) {
        uint64_t type = 12 + odd + 2 * (uint64_t)len;
        uint64_t header = record->header - leaf_varint_len(record->last) + leaf_varint_len(type);
        uint64_t payload = header + others + (uint64_t)len;
        if (payload <= leaf->usable - 35 && leaf_varint_len(payload) + key_len + payload <= cell)
            return len;
    }
    return -1;
}

bool leaf_row(const struct leaf *leaf, size_t n, struct leaf_row *out)
{
    const unsigned char *end = leaf->page + leaf->usable;
    size_t at = leaf_two(leaf->page + leaf->pointers + 2 * n);
    struct leaf_record record;
    uint64_t key;
    if (leaf->kind != LEAF_TABLE || n >= leaf->cells || at < leaf->content || at >= leaf->usable)
        return false;
    const unsigned char *cell = leaf->page + at;
    size_t payload_len = leaf_varint(cell, end, &record.payload);
    size_t key_len = payload_len == 0 ? 0 : leaf_varint(cell + payload_len, end, &key);
    if (key_len == 0 || !leaf_record(cell + payload_len + key_len, end, &record) ||
        record.payload < record.header + (record.last - 12) / 2)
        return false;
    size_t local = leaf_local(leaf, record.payload);
    size_t size = payload_len + key_len + local + (local < record.payload ? 4 : 0);
    if (at + size > leaf->usable)
        return false;
    *out = (struct leaf_row){
        .key = (int64_t)key,
        .columns = record.columns,
        .swollen = leaf_swollen(leaf, &record, key_len, size + leaf->free),
    };
    return true;
}
