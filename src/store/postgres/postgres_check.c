#include <libpq-fe.h>
#include <string.h>

#include "store/postgres/postgres_store.h"

/* libpq's words quote what they are about: a password, or all of the URI with it. */
static int check_say(const char *words, struct error *err)
{
    size_t len = strcspn(words, "\"\n");
    while (len > 0 && (words[len - 1] == ' ' || words[len - 1] == ':'))
        len--;
    error_set(err,
              "database: the URI can't be read (%.*s); what is no letter or digit in a user or a "
              "password is written as %%XX",
              (int)len, words);
    return STORE_UNFIT;
}

/* Where the end of a password has been taken for a host or a port, which libpq would quote when it
 * can't find the one or read the other. */
static int check_place(const PQconninfoOption *options, struct error *err)
{
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        const char *value = option->val != NULL ? option->val : "";
        if (strcmp(option->keyword, "port") == 0 && value[strspn(value, "0123456789,")] != '\0')
            return check_say("a port that is no number", err);
        /* One that begins with it is an abstract socket. */
        const char *at = strchr(value[0] == '@' ? value + 1 : value, '@');
        if (strcmp(option->keyword, "host") == 0 && at != NULL && at[-1] != ',')
            return check_say("a second @", err);
    }
    return STORE_OK;
}

int postgres_check(const char *database, struct error *err)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(database, &words);
    int status = options != NULL ? check_place(options, err)
                                 : check_say(words != NULL ? words : "out of memory", err);
    PQconninfoFree(options);
    PQfreemem(words);
    return status;
}
