#include "commands/query_print.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "contract/csv.h"
#include "contract/line.h"
#include "contract/utf8.h"

const char *const query_formats[QUERY_FORMATS] = {
    [QUERY_TABLE] = "table",
    [QUERY_LINES] = "lines",
    [QUERY_CSV] = "csv",
    [QUERY_JSON] = "json",
};

void query_print_clear(struct query_print *print)
{
    for (size_t i = 0; i < print->count; i++)
        free(print->names[i]);
    free(print->names);
    print->names = NULL;
    print->count = 0;
    table_clear(&print->table);
}

/* The cell as UTF-8 without NUL, appended to out. */
static int query_append_text(struct bytes *out, const struct store_cell *cell)
{
    size_t from = 0;
    int status = 0;
    if (cell->kind == STORE_CELL_BLOB) {
        for (size_t i = 0; i < cell->len && status == 0; i++)
            status = bytes_append_format(out, "%02x", (unsigned char)cell->text[i]);
        return status;
    }
    while (from < cell->len && status == 0) {
        const char *nul = memchr(cell->text + from, '\0', cell->len - from);
        size_t to = nul != NULL ? (size_t)(nul - cell->text) : cell->len;
        status = utf8_repair(out, cell->text + from, to - from, false);
        if (status == 0 && nul != NULL)
            status = bytes_append_text(out, "\xef\xbf\xbd");
        from = to + (nul != NULL);
    }
    return status;
}

/* The row that begins at from is complete but for its end. What is left of control characters, DEL
 * in a string of JSON for one, is taken care of here. */
static int query_row_end(struct query_print *print, size_t from, const char *end)
{
    struct bytes *out = &print->output->bytes, line;
    if (!print->output->terminal)
        return bytes_append_text(out, end);
    bytes_init(&line);
    int status = bytes_append(&line, out->data + from, out->len - from);
    out->len = from;
    if (status == 0)
        status = line_append_visible(out, line.data, line.len);
    bytes_clear(&line);
    return status == 0 ? bytes_append(out, "\n", 1) : -1;
}

/* ---- CSV ---- */

static int query_csv_row(struct query_print *print, const struct store_cell *cells)
{
    struct bytes *out = &print->output->bytes, text;
    size_t from = out->len;
    int status = 0;
    bytes_init(&text);
    for (size_t i = 0; i < print->count && status == 0; i++) {
        text.len = 0;
        if (i > 0)
            status = bytes_append(out, ",", 1);
        if (status == 0)
            status = query_append_text(&text, &cells[i]);
        if (status == 0 && text.len > 0)
            status = csv_append_field(out, text.data, text.len);
    }
    bytes_clear(&text);
    return status == 0 ? query_row_end(print, from, "\r\n") : -1;
}

static int query_csv_head(struct query_print *print)
{
    struct bytes *out = &print->output->bytes;
    size_t from = out->len;
    int status = 0;
    for (size_t i = 0; i < print->count && status == 0; i++) {
        if (i > 0)
            status = bytes_append(out, ",", 1);
        if (status == 0)
            status = csv_append_field(out, print->names[i], strlen(print->names[i]));
    }
    return status == 0 ? query_row_end(print, from, "\r\n") : -1;
}

/* ---- JSON ---- */

static int query_dump(const char *buffer, size_t size, void *data)
{
    return bytes_append(data, buffer, size);
}

static int query_json_string(struct query_print *print, const char *text, size_t len)
{
    size_t flags = JSON_ENCODE_ANY | (print->output->terminal ? JSON_ENSURE_ASCII : 0);
    json_t *string = json_stringn(len > 0 ? text : "", len);
    int status =
        string == NULL ? -1 : json_dump_callback(string, query_dump, &print->output->bytes, flags);
    json_decref(string);
    return status;
}

static int query_json_cell(struct query_print *print, const struct store_cell *cell)
{
    struct bytes *out = &print->output->bytes, text;
    bool number = cell->kind == STORE_CELL_INTEGER || cell->kind == STORE_CELL_REAL;
    if (cell->kind == STORE_CELL_NULL || (number && memchr(cell->text, 'I', cell->len) != NULL))
        return bytes_append(out, "null", 4);
    if (number)
        return bytes_append(out, cell->text, cell->len);
    bytes_init(&text);
    int status = query_append_text(&text, cell);
    if (status == 0)
        status = query_json_string(print, text.data, text.len);
    bytes_clear(&text);
    return status;
}

static int query_json_row(struct query_print *print, const struct store_cell *cells)
{
    struct bytes *out = &print->output->bytes;
    size_t from = out->len;
    int status = bytes_append(out, "{", 1);
    for (size_t i = 0; i < print->count && status == 0; i++) {
        if (i > 0)
            status = bytes_append(out, ",", 1);
        if (status == 0)
            status = query_json_string(print, print->names[i], strlen(print->names[i]));
        if (status == 0)
            status = bytes_append(out, ":", 1);
        if (status == 0)
            status = query_json_cell(print, &cells[i]);
    }
    if (status == 0)
        status = bytes_append(out, "}", 1);
    return status == 0 ? query_row_end(print, from, "\n") : -1;
}

/* ---- for people ---- */

/* Its lines below each other, behind the name. */
static int query_line(struct query_print *print, const char *name, const char *text, size_t len)
{
    struct bytes *out = &print->output->bytes;
    int status = bytes_append_format(out, "%*s  ", (int)print->longest, name);
    while (status == 0) {
        const char *end = len > 0 ? memchr(text, '\n', len) : NULL;
        size_t line = end != NULL ? (size_t)(end - text) : len;
        status = line_append_plain(out, text, line, SIZE_MAX);
        if (status == 0)
            status = bytes_append(out, "\n", 1);
        if (end == NULL)
            break;
        text += line + 1;
        len -= line + 1;
        if (status == 0)
            status = bytes_append_format(out, "%*s  ", (int)print->longest, "");
    }
    return status;
}

static int query_lines_row(struct query_print *print, const struct store_cell *cells)
{
    int status = print->rows > 1 ? bytes_append(&print->output->bytes, "\n", 1) : 0;
    for (size_t i = 0; i < print->count && status == 0; i++)
        status = query_line(print, print->names[i], cells[i].text, cells[i].len);
    return status;
}

static int query_table_row(struct query_print *print, const struct store_cell *cells)
{
    int status = 0;
    for (size_t i = 0; i < print->count && status == 0; i++)
        status =
            table_value(&print->table, i, cells[i].text, cells[i].len,
                        cells[i].kind == STORE_CELL_INTEGER || cells[i].kind == STORE_CELL_REAL);
    return status == 0 ? table_row(&print->table, &print->output->bytes) : -1;
}

/* ---- what store_ask calls ---- */

static int query_print_done(struct query_print *print, int status)
{
    print->starved = status != 0;
    if (status == 0 && print->output->bytes.len >= OUTPUT_CHUNK)
        print->status = output_flush(print->output, print->err);
    return print->starved || print->status != OUTPUT_OK ? -1 : 0;
}

int query_print_columns(void *arg, const char *const *names, size_t count)
{
    struct query_print *print = arg;
    int status = 0;
    print->names = calloc(count, sizeof *print->names);
    if (print->names == NULL)
        return query_print_done(print, -1);
    print->count = count;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct store_cell name = {STORE_CELL_TEXT, names[i], strlen(names[i])};
        struct bytes copy;
        bytes_init(&copy);
        status = print->format == QUERY_LINES
                     ? line_append_plain(&copy, name.text, name.len, TABLE_MOST)
                     : query_append_text(&copy, &name);
        if (status == 0)
            status = bytes_append(&copy, "", 1);
        if (copy.len > print->longest + 1)
            print->longest = copy.len - 1;
        if (status == 0)
            print->names[i] = bytes_steal(&copy, &name.len);
        bytes_clear(&copy);
    }
    if (status == 0 && print->format == QUERY_TABLE)
        status = table_init(&print->table, print->width, names, count);
    if (status == 0 && print->format == QUERY_CSV)
        status = query_csv_head(print);
    return query_print_done(print, status);
}

int query_print_row(void *arg, const struct store_cell *cells, size_t count)
{
    struct query_print *print = arg;
    int status = -1;
    (void)count;
    print->rows++;
    switch (print->format) {
    case QUERY_TABLE:
        status = query_table_row(print, cells);
        break;
    case QUERY_LINES:
        status = query_lines_row(print, cells);
        break;
    case QUERY_CSV:
        status = query_csv_row(print, cells);
        break;
    default:
        status = query_json_row(print, cells);
        break;
    }
    return query_print_done(print, status);
}

int query_print_end(struct query_print *print)
{
    int status = 0;
    if (print->format == QUERY_TABLE && print->count > 0)
        status = table_end(&print->table, &print->output->bytes);
    return query_print_done(print, status);
}
