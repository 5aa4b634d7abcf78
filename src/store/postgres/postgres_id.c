#include "store/postgres/postgres_id.h"

#include <string.h>

#include "base/sha256.h"

enum { ID_MARK = 1, ID_HEX = 'x', ID_HASH = 'h' };
/* The mark and the letter behind it. */
enum { ID_HEAD = 2 };

/* U+D800 to U+DFFF: the first byte, and the least second one. The rest of an id is UTF-8. */
enum { ID_SURROGATE = 0xED, ID_SURROGATE_NEXT = 0xA0 };

bool postgres_id_is_plain(const char *id, size_t len)
{
    if (len > POSTGRES_ID_BYTES || memchr(id, 0, len) != NULL || (len > 0 && id[0] == ID_MARK))
        return false;
    for (size_t i = 0; i + 1 < len; i++)
        if ((unsigned char)id[i] == ID_SURROGATE && (unsigned char)id[i + 1] >= ID_SURROGATE_NEXT)
            return false;
    return true;
}

static int id_append_hex(struct bytes *out, char kind, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = data;
    if (bytes_reserve(out, ID_HEAD + 2 * len) != 0)
        return -1;
    out->data[out->len++] = ID_MARK;
    out->data[out->len++] = kind;
    for (size_t i = 0; i < len; i++) {
        out->data[out->len++] = digits[at[i] >> 4];
        out->data[out->len++] = digits[at[i] & 15];
    }
    return 0;
}

int postgres_id_spell(struct bytes *out, const char *id, size_t len)
{
    unsigned char hash[SHA256_BYTES];
    if (postgres_id_is_plain(id, len))
        return bytes_append(out, id, len);
    if (ID_HEAD + 2 * len <= POSTGRES_ID_BYTES)
        return id_append_hex(out, ID_HEX, id, len);
    sha256(id, len, hash);
    return id_append_hex(out, ID_HASH, hash, sizeof hash);
}
