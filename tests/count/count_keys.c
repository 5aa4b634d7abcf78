/*
 * count_keys.c: one look for a key among 50, of which the argument says one: first, last, none, or
 * a near miss. keys.sh compares what they take.
 */
#include <string.h>

#include "contract/access.h"
#include "count.h"

#define KEYS_COUNT 50
#define KEYS_LEN 32

static struct access *keys_access;
static char keys_asked[KEYS_LEN + 1];
static unsigned keys_scopes;

void count_subject(void)
{
    keys_scopes = access_key_scopes(keys_access, keys_asked, KEYS_LEN);
}

static void keys_name(int n, char out[KEYS_LEN + 1])
{
    snprintf(out, KEYS_LEN + 1, "tk_%029d", n);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "first";
    char name[KEYS_LEN + 1];
    struct error err;
    keys_access = access_new();
    count_must(keys_access != NULL, "out of memory");
    for (int i = 0; i < KEYS_COUNT; i++) {
        keys_name(i, name);
        count_must(access_add_key(keys_access, name, &err) == 0, err.text);
    }
    keys_name(strcmp(which, "last") == 0 ? KEYS_COUNT - 1 : 0, keys_asked);
    if (strcmp(which, "other") == 0)
        memset(keys_asked, '~', KEYS_LEN);
    else if (strcmp(which, "first-byte") == 0)
        keys_asked[0] = '~';
    else if (strcmp(which, "middle-byte") == 0)
        keys_asked[KEYS_LEN / 2] = '~';
    else if (strcmp(which, "last-byte") == 0)
        keys_asked[KEYS_LEN - 1] = '~';
    count_run();
    bool known = strcmp(which, "first") == 0 || strcmp(which, "last") == 0;
    count_must(known == (keys_scopes != ACCESS_NONE), "the wrong verdict");
    access_free(keys_access);
    return count_done();
}
