#include "commands/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "commands/columns.h"
#include "contract/line.h"

#define TABLE_GAP 2 /* columns between two */

int table_init(struct table *table, size_t width, const char *const *names, size_t count)
{
    *table = (struct table){.count = count, .width = width};
    bytes_init(&table->text);
    table->columns = calloc(count, sizeof *table->columns);
    table->cells = calloc(count, sizeof *table->cells);
    if (table->columns == NULL || table->cells == NULL)
        return -1;
    table->room = 1;
    for (size_t i = 0; i < count; i++) {
        if (table_value(table, i, names[i], strlen(names[i]), false) != 0)
            return -1;
        table->columns[i].other = false; /* a name is none of the values */
    }
    table->held = 1;
    return 0;
}

void table_clear(struct table *table)
{
    free(table->columns);
    free(table->cells);
    bytes_clear(&table->text);
    *table = (struct table){0};
}

static int table_make_room(struct table *table)
{
    size_t room = table->room * 2;
    if (table->held < table->room)
        return 0;
    struct table_cell *cells = reallocarray(table->cells, room, table->count * sizeof *cells);
    if (cells == NULL)
        return -1;
    table->cells = cells;
    table->room = room;
    return 0;
}

int table_value(struct table *table, size_t column, const char *text, size_t len, bool number)
{
    size_t at = table->text.len;
    struct table_column *of = &table->columns[column];
    if (table_make_room(table) != 0 || line_append_plain(&table->text, text, len, TABLE_MOST) != 0)
        return -1;
    struct table_cell *cell = &table->cells[table->held * table->count + column];
    *cell = (struct table_cell){.at = at, .len = table->text.len - at};
    if (cell->len > 0)
        (void)columns_fit(table->text.data + at, cell->len, SIZE_MAX, &cell->columns);
    if (table->learned)
        return 0;
    of->number = (of->number || (number && len > 0)) && !of->other && (number || len == 0);
    of->other = of->other || (!number && len > 0);
    if (cell->columns > of->width)
        of->width = cell->columns;
    return 0;
}

/* How wide a column is when those of text that are wider than whole get no more than cap. */
static size_t table_capped(const struct table_column *column, size_t whole, size_t cap)
{
    if (column->number || column->width <= whole || column->width <= cap)
        return column->width;
    return cap;
}

static size_t table_total(const struct table *table, size_t whole, size_t cap)
{
    size_t total = (table->count - 1) * TABLE_GAP;
    for (size_t i = 0; i < table->count; i++)
        total += table_capped(&table->columns[i], whole, cap);
    return total;
}

/* Narrows columns of text to the largest cap with which a row fits. What that leaves over goes to
 * the first of those that are cut. */
static void table_narrow(struct table *table, size_t whole, size_t widest)
{
    size_t low = TABLE_LEAST, high = widest;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (table_total(table, whole, middle) <= table->width)
            low = middle;
        else
            high = middle - 1;
    }
    size_t total = table_total(table, whole, low);
    size_t left = total < table->width ? table->width - total : 0;
    for (size_t i = 0; i < table->count; i++) {
        struct table_column *column = &table->columns[i];
        size_t capped = table_capped(column, whole, low);
        bool more = capped < column->width && left > 0;
        column->width = capped + more;
        left -= more;
    }
}

static void table_learn(struct table *table)
{
    size_t widest = TABLE_LEAST;
    table->learned = true;
    for (size_t i = 0; i < table->count; i++)
        if (table->columns[i].width > widest)
            widest = table->columns[i].width;
    if (table->width == 0 || table_total(table, 0, widest) <= table->width)
        return;
    /* Times and words are left whole if those that are longer can make up for it. */
    bool spared = table_total(table, TABLE_WHOLE, TABLE_LEAST) <= table->width;
    table_narrow(table, spared ? TABLE_WHOLE : 0, widest);
}

static int table_fill(struct bytes *out, char c, size_t count)
{
    if (count == 0) /* memset must not see the NULL of an empty run */
        return 0;
    if (bytes_reserve(out, count) != 0)
        return -1;
    memset(out->data + out->len, c, count);
    out->len += count;
    return 0;
}

/* last: nothing stands behind it, blanks neither. */
static int table_append_cell(const struct table *table, const struct table_column *column,
                             const struct table_cell *cell, bool last, struct bytes *out)
{
    const char *text = cell->len > 0 ? table->text.data + cell->at : "";
    size_t len = cell->len, taken = cell->columns;
    bool cut = taken > column->width && !column->number;
    if (cut)
        len = columns_fit(text, len, column->width > 3 ? column->width - 3 : 0, &taken);
    size_t dots = cut ? (column->width < 3 ? column->width : 3) : 0;
    taken += dots;
    size_t blanks = column->width > taken ? column->width - taken : 0;
    int status = column->number ? table_fill(out, ' ', blanks) : 0;
    if (status == 0)
        status = bytes_append(out, text, len);
    if (status == 0)
        status = table_fill(out, '.', dots);
    if (status == 0 && !column->number && !last)
        status = table_fill(out, ' ', blanks);
    if (status == 0 && !last)
        status = table_fill(out, ' ', TABLE_GAP);
    return status;
}

static int table_append_rule(const struct table *table, struct bytes *out)
{
    int status = 0;
    for (size_t i = 0; i < table->count && status == 0; i++) {
        if (i > 0)
            status = table_fill(out, ' ', TABLE_GAP);
        if (status == 0)
            status = table_fill(out, '-', table->columns[i].width);
    }
    return status == 0 ? bytes_append(out, "\n", 1) : -1;
}

static int table_append_held(struct table *table, bool head, struct bytes *out)
{
    int status = 0;
    for (size_t row = 0; row < table->held && status == 0; row++) {
        size_t from = out->len;
        for (size_t i = 0; i < table->count && status == 0; i++)
            status =
                table_append_cell(table, &table->columns[i], &table->cells[row * table->count + i],
                                  i == table->count - 1, out);
        while (out->len > from && out->data[out->len - 1] == ' ')
            out->len--;
        if (status == 0)
            status = bytes_append(out, "\n", 1);
        if (status == 0 && row == 0 && head)
            status = table_append_rule(table, out);
    }
    table->held = 0;
    table->text.len = 0;
    return status;
}

int table_row(struct table *table, struct bytes *out)
{
    table->held++;
    if (table->learned)
        return table_append_held(table, false, out);
    return table->held > TABLE_LEARNS ? table_end(table, out) : 0;
}

int table_end(struct table *table, struct bytes *out)
{
    if (table->learned)
        return 0;
    table_learn(table);
    return table_append_held(table, true, out);
}
