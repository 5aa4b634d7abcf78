#include "contract/resent.h"

#include <string.h>

#include "contract/marks.h"
#include "contract/scan.h"
#include "contract/uuid.h"

#define RESENT_DEPTH 100000 /* it was stored, so it is not too deep */
#define RESENT_FRONT "{\"id\":\""

/* The hash of text with [from, to) replaced. */
static int resent_replaced(const unsigned char key[SIPHASH_KEY_BYTES], const char *text, size_t len,
                           size_t from, size_t to, const char *by, struct bytes *scratch,
                           uint64_t *hash)
{
    scratch->len = 0;
    if (bytes_append(scratch, text, from) != 0 || bytes_append_text(scratch, by) != 0 ||
        bytes_append(scratch, text + to, len - to) != 0)
        return -1;
    *hash = marks_hash(key, scratch->data, scratch->len);
    return 0;
}

int resent_hashes(const unsigned char key[SIPHASH_KEY_BYTES], const char *text, size_t len,
                  struct bytes *scratch, uint64_t *hashes, size_t *count)
{
    struct scan_event event;
    struct error err;
    const size_t front = sizeof RESENT_FRONT - 1;
    *count = 0;
    hashes[(*count)++] = marks_hash(key, text, len);
    /* One that is put in has this length, and no escapes. */
    if (scan_event(text, len, RESENT_DEPTH, &event, &err) != SCAN_OK ||
        event.id_kind != SCAN_STRING || event.id.len != UUID_LEN || event.id_escaped)
        return 0;
    size_t from = event.id.at, to = from + event.id.len;
    if (resent_replaced(key, text, len, from, to, "", scratch, &hashes[(*count)++]) != 0 ||
        resent_replaced(key, text, len, from - 1, to + 1, "null", scratch, &hashes[(*count)++]) !=
            0)
        return -1;
    if (from == front && memcmp(text, RESENT_FRONT, front) == 0 && len - to >= 2 &&
        text[to + 1] == ',')
        return resent_replaced(key, text, len, 1, to + 2, "", scratch, &hashes[(*count)++]);
    return 0;
}
