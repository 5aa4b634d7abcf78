#include "store/postgres/postgres_question.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/store.h"

/* What can stand in a name; bytes from 0x80 on are letters to PostgreSQL. */
static bool question_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool question_is_word(char c)
{
    return question_is_letter(c) || (c >= '0' && c <= '9');
}

/* Behind a text in quotes, which are doubled within, or escaped where that is so. */
static const char *question_quoted(const char *at, bool escapes)
{
    char quote = *at++;
    while (*at != '\0') {
        if ((escapes && *at == '\\' && at[1] != '\0') || (*at == quote && at[1] == quote))
            at++;
        else if (*at == quote)
            return at + 1;
        at++;
    }
    return at;
}

/* Comments of this kind stand in one another. */
static const char *question_comment(const char *at)
{
    int depth = 0;
    while (*at != '\0') {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
        at++;
    }
    return at;
}

/* Behind a text between $tag$ and $tag$; at itself where there is none. */
static const char *question_dollars(const char *at)
{
    const char *tag = at + 1;
    if (*tag >= '0' && *tag <= '9')
        return at;
    while (question_is_word(*tag))
        tag++;
    if (*tag != '$')
        return at;
    size_t len = (size_t)(tag + 1 - at);
    for (const char *end = tag + 1; (end = strchr(end, '$')) != NULL; end++)
        if (strncmp(end, at, len) == 0)
            return end + len;
    return tag + strlen(tag);
}

/* Behind what is to be left alone, from at on; at itself where nothing is. A word is passed over
 * whole, so that what stands in its midst opens nothing. */
static const char *question_pass(const char *at)
{
    if (*at == '\'' || *at == '"')
        return question_quoted(at, false);
    if ((*at == 'e' || *at == 'E') && at[1] == '\'')
        return question_quoted(at + 1, true);
    if (at[0] == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*')
        return question_comment(at);
    if (*at == '$')
        return question_dollars(at);
    if (at[0] == ':' && at[1] == ':')
        return at + 2;
    if (!question_is_word(*at))
        return at;
    while (question_is_word(*at) || *at == '$')
        at++;
    return at;
}

/* The number of a parameter, from 1; 0: there are too many. */
static size_t question_number(struct postgres_question *question, const char *name, size_t len)
{
    for (size_t i = 0; i < question->count; i++)
        if (question->lens[i] == len && memcmp(question->names[i], name, len) == 0)
            return i + 1;
    if (question->count == POSTGRES_QUESTION_PARAMETERS)
        return 0;
    question->names[question->count] = name;
    question->lens[question->count] = len;
    return ++question->count;
}

static int question_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

static int question_translate(struct postgres_question *question, const char *at, struct error *err)
{
    int failed = 0;
    while (*at != '\0' && failed == 0) {
        const char *behind = question_pass(at);
        if (behind == at && *at == ':' && question_is_letter(at[1])) {
            for (behind = at + 2; question_is_word(*behind);)
                behind++;
            size_t number = question_number(question, at + 1, (size_t)(behind - at - 1));
            if (number == 0) {
                error_set(err, "more than %d parameters", POSTGRES_QUESTION_PARAMETERS);
                return STORE_REFUSED;
            }
            failed = bytes_append_format(&question->sql, "$%zu", number);
        } else {
            behind += behind == at;
            failed = bytes_append(&question->sql, at, (size_t)(behind - at));
        }
        at = behind;
    }
    if (failed != 0 || bytes_append(&question->sql, "", 1) != 0)
        return question_no_memory(err);
    return STORE_OK;
}

/* Whether the first word says that it reads. What it does is seen to by the transaction. */
static bool question_reads(const char *at)
{
    static const char *const words[] = {"select", "with", "values", "table"};
    const char *behind;
    for (;; at = behind) {
        bool comment = (at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*');
        behind = comment ? question_pass(at) : at + strspn(at, " \t\r\n\f\v(");
        if (behind == at)
            break;
    }
    size_t len = 0;
    while (question_is_word(at[len]))
        len++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == len && strncasecmp(at, words[i], len) == 0)
            return true;
    return false;
}

static int question_unknown(const struct postgres_question *question, const char *name,
                            struct error *err)
{
    struct bytes known;
    int status = 0;
    bytes_init(&known);
    for (size_t i = 0; i < question->count && status == 0; i++)
        status = bytes_append_format(&known, "%s%.*s", known.len > 0 ? ", " : "",
                                     (int)question->lens[i], question->names[i]);
    error_set(err, "there is no parameter %s here; there %s%.*s", name,
              known.len > 0 ? "are " : "is none", (int)known.len, known.len > 0 ? known.data : "");
    bytes_clear(&known);
    return STORE_REFUSED;
}

static int question_bind(struct postgres_question *question, const struct store_ask *ask,
                         struct error *err)
{
    for (size_t n = 0; n < ask->parameter_count; n++) {
        const struct store_parameter *given = &ask->parameters[n];
        bool found = false;
        for (size_t i = 0; i < question->count && !found; i++) {
            found = strlen(given->name) == question->lens[i] &&
                    memcmp(given->name, question->names[i], question->lens[i]) == 0;
            if (found)
                question->values[i] = given->text;
        }
        if (!found)
            return question_unknown(question, given->name, err);
    }
    return STORE_OK;
}

int postgres_question_read(struct postgres_question *question, const struct store_ask *ask,
                           struct error *err)
{
    *question = (struct postgres_question){0};
    bytes_init(&question->sql);
    if (!question_reads(ask->sql)) {
        error_set(err, "only a SELECT can be asked");
        return STORE_REFUSED;
    }
    int status = question_translate(question, ask->sql, err);
    return status == STORE_OK ? question_bind(question, ask, err) : status;
}

void postgres_question_clear(struct postgres_question *question)
{
    bytes_clear(&question->sql);
}
