/* The files options come from: config file and key file. Both are read line by line; "#" at the
 * start of a line or behind white space begins a comment. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "options/table.h"

struct options_lines {
    const char *option; /* that names the file */
    const char *path;
    FILE *file;
    char *buffer;
    size_t capacity;
    unsigned long number; /* of the line in buffer, from 1 */
};

static int options_lines_open(struct options_lines *lines, const char *option, const char *path,
                              struct error *err)
{
    *lines = (struct options_lines){.option = option, .path = path};
    lines->file = fopen(path, "re");
    if (lines->file == NULL) {
        error_set(err, "%s: %s: %s", option, path, strerror(errno));
        return -1;
    }
    return 0;
}

static void options_lines_close(struct options_lines *lines)
{
    /* Keys may have stood here. */
    if (lines->buffer != NULL)
        explicit_bzero(lines->buffer, lines->capacity);
    free(lines->buffer);
    if (lines->file != NULL)
        fclose(lines->file);
}

static bool options_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cuts the white space at both ends off. */
static char *options_trim(char *text)
{
    while (options_is_blank(*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && options_is_blank(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static void options_cut_comment(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '#' && (c == text || options_is_blank(c[-1]))) {
            *c = '\0';
            return;
        }
    }
}

/* The next line that holds something, trimmed. 1 and *line (good until the next call), 0 at the
 * end, -1 with err. */
static int options_lines_next(struct options_lines *lines, char **line, struct error *err)
{
    for (;;) {
        errno = 0;
        ssize_t len = getline(&lines->buffer, &lines->capacity, lines->file);
        if (len < 0) {
            if (feof(lines->file) && !ferror(lines->file))
                return 0;
            error_set(err, "%s: %s: %s", lines->option, lines->path, strerror(errno));
            return -1;
        }
        lines->number++;
        if (strlen(lines->buffer) != (size_t)len) {
            error_set(err, "%s:%lu: a NUL byte: this is no text file", lines->path, lines->number);
            return -1;
        }
        options_cut_comment(lines->buffer);
        *line = options_trim(lines->buffer);
        if (**line != '\0')
            return 1;
    }
}

static int options_take_line(struct options_reader *reader, const struct options_lines *lines,
                             char *line, struct error *err)
{
    char where[256];
    char *equals = strchr(line, '=');

    if (equals == NULL) {
        /* Not quoted: it may be a key that has lost its "key =". */
        error_set(err, "%s:%lu: expected name = value", lines->path, lines->number);
        return -1;
    }
    *equals = '\0';
    const char *name = options_trim(line);
    const struct options_row *row = options_find(name);
    if (row == NULL) {
        error_set(err, "%s:%lu: there is no option \"%s\"", lines->path, lines->number, name);
        return -1;
    }
    if (strcmp(row->name, "config") == 0) {
        error_set(err, "%s:%lu: config can't stand in a config file", lines->path, lines->number);
        return -1;
    }
    snprintf(where, sizeof(where), "%s:%lu: %s", lines->path, lines->number, name);
    return options_take(reader, row, OPTIONS_FROM_FILE, where, options_trim(equals + 1), err);
}

int options_read_file(struct options_reader *reader, const char *path, struct error *err)
{
    struct options_lines lines;
    char *line;
    int status = options_lines_open(&lines, "config", path, err);

    if (status != 0)
        goto out;
    while ((status = options_lines_next(&lines, &line, err)) > 0) {
        status = options_take_line(reader, &lines, line, err);
        if (status != 0)
            goto out;
    }
out:
    options_lines_close(&lines);
    return status;
}

void options_guard(const char *path)
{
    struct stat about;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & 037) != 0)
        log_warn("%s holds a password and is open to others: chmod 640 it", path);
}

int options_read_keys(struct options_list *list, const char *path, struct error *err)
{
    struct options_lines lines;
    struct stat about;
    struct error why;
    char *line;
    int status = options_lines_open(&lines, "key-file", path, err);

    if (status != 0)
        goto out;
    if (fstat(fileno(lines.file), &about) == 0 && S_ISREG(about.st_mode) &&
        (about.st_mode & 037) != 0) /* its group may read: a credential of systemd's looks so */
        log_warn("%s holds keys and is open to others: chmod 600 it", path);
    while ((status = options_lines_next(&lines, &line, err)) > 0) {
        if (options_check_key(line, &why) != 0) {
            error_set(err, "%s:%lu: %s", path, lines.number, why.text);
            status = -1;
            goto out;
        }
        if (options_list_append(list, line) != 0) {
            error_set(err, "out of memory");
            status = -1;
            goto out;
        }
    }
out:
    options_lines_close(&lines);
    return status;
}
