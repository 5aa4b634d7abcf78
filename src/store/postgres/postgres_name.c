#include "store/postgres/postgres_name.h"

#include <stdio.h>
#include <string.h>

static const char *const name_schemes[] = {"postgresql://", "postgres://"};

/* What stands behind the scheme, or NULL. */
static const char *name_behind(const char *database)
{
    for (size_t i = 0; i < sizeof name_schemes / sizeof *name_schemes; i++) {
        size_t len = strlen(name_schemes[i]);
        if (strncmp(database, name_schemes[i], len) == 0)
            return database + len;
    }
    return NULL;
}

bool postgres_name_is(const char *database)
{
    return name_behind(database) != NULL;
}

static void name_add(char *out, size_t size, const char *text, size_t len)
{
    size_t used = strlen(out);
    if (used + 1 < size)
        (void)snprintf(out + used, size - used, "%.*s", (int)len, text);
}

/* Where the password ends. libpq takes the first @ before the first slash; whoever has written
 * those into a password as they are has it shown to nobody all the same. */
static const char *name_at(const char *rest)
{
    const char *at = memrchr(rest, '@', strcspn(rest, "/"));
    return at != NULL ? at : memrchr(rest, '@', strcspn(rest, "?"));
}

/* user:password@ without the password. */
static const char *name_show_user(const char *rest, char *out, size_t size)
{
    const char *at = name_at(rest);
    if (at == NULL)
        return rest;
    name_add(out, size, rest, strcspn(rest, ":@"));
    return at;
}

/* Parameters that are secrets: password, sslpassword, oauth_client_secret, scram_client_key, … */
static bool name_is_secret(const char *name, size_t len)
{
    static const char *const words[] = {"password", "secret", "scram"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(name, len, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

void postgres_name_show(const char *database, char *out, size_t size)
{
    const char *rest = name_behind(database);
    out[0] = '\0';
    if (rest == NULL)
        return;
    name_add(out, size, database, (size_t)(rest - database));
    rest = name_show_user(rest, out, size);
    size_t plain = strcspn(rest, "?");
    name_add(out, size, rest, plain);
    rest += plain;
    const char *mark = "?";
    while (*rest != '\0') { /* '?' or '&' and a parameter */
        size_t len = 1 + strcspn(rest + 1, "&");
        /* A name may be written with escapes, and what has none may be a part of a password. */
        size_t name_len = strcspn(rest + 1, "=&");
        bool hidden = rest[1 + name_len] != '=' || name_is_secret(rest + 1, name_len) ||
                      memchr(rest + 1, '%', name_len) != NULL;
        if (!hidden) {
            name_add(out, size, mark, 1);
            name_add(out, size, rest + 1, len - 1);
            mark = "&";
        }
        rest += len;
    }
}
