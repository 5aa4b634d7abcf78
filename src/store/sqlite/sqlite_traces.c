/* What erased rows have left in the file: found by reading it, cleaned through SQLite. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/leaf.h"
#include "store/sqlite/sqlite_store_parts.h"

#define TRACES_HEADER_BYTES 100
#define TRACES_PAGES 128 /* that are read at once */
/* Columns by which the two tables that hold events are told from the others. */
#define TRACES_EVENTS_COLUMNS 6
#define TRACES_REJECTS_COLUMNS 4

struct traces_file {
    int fd;
    size_t page_bytes, usable;
};

static int traces_fail(struct error *err, const char *what)
{
    error_set(err, "can't read the database file: %s", what);
    return STORE_BUSY;
}

static int traces_open(struct sqlite_store *store, struct traces_file *file, struct error *err)
{
    unsigned char header[TRACES_HEADER_BYTES];
    file->fd = store->checkpoint.file;
    ssize_t got = pread(file->fd, header, sizeof header, 0);
    if (got != (ssize_t)sizeof header)
        return traces_fail(err, got < 0 ? strerror(errno) : "it is too short");
    file->page_bytes = (size_t)header[16] << 8 | header[17];
    if (file->page_bytes == 1)
        file->page_bytes = 65536;
    if (file->page_bytes < 512 || header[20] > 32)
        return traces_fail(err, "its header is damaged");
    file->usable = file->page_bytes - header[20];
    return STORE_OK;
}

/* Pages that say where other pages belong. number: 1 and up. */
static bool traces_is_map(const struct traces_file *file, int64_t number)
{
    return number >= 2 && (number - 2) % (int64_t)(file->usable / 5 + 1) == 0;
}

/* Whether the page is one of those that store_clean_traces knows how to clean. */
static bool traces_can_clean(const struct leaf *leaf)
{
    struct leaf_row row;
    return leaf->kind == LEAF_TABLE &&
           (leaf->cells == 0 ||
            (leaf_row(leaf, 0, &row) &&
             (row.columns == TRACES_EVENTS_COLUMNS || row.columns == TRACES_REJECTS_COLUMNS)));
}

static void traces_look(const struct traces_file *file, int64_t number, const unsigned char *page,
                        store_trace_fn *fn, void *arg)
{
    struct leaf leaf;
    if (traces_is_map(file, number) ||
        !leaf_read(&leaf, page, file->usable, number == 1 ? TRACES_HEADER_BYTES : 0) ||
        !leaf_is_dirty(&leaf))
        return;
    if (leaf.kind == LEAF_INDEX || traces_can_clean(&leaf))
        fn(arg, number - 1, leaf.kind == LEAF_TABLE, (const char *)page + leaf.unused,
           leaf.content - leaf.unused);
}

int sqlite_store_find_traces(struct store *base, int64_t *page, store_trace_fn *fn, void *arg,
                             bool *more, struct error *err)
{
    struct traces_file file;
    int status = traces_open((struct sqlite_store *)base, &file, err);
    *more = false;
    if (status != STORE_OK)
        return status;
    unsigned char *pages = malloc(TRACES_PAGES * file.page_bytes);
    if (pages == NULL)
        return traces_fail(err, "out of memory");
    ssize_t got = pread(file.fd, pages, TRACES_PAGES * file.page_bytes,
                        (off_t)*page * (off_t)file.page_bytes);
    if (got < 0)
        status = traces_fail(err, strerror(errno));
    for (size_t i = 0; got >= 0 && (i + 1) * file.page_bytes <= (size_t)got; i++) {
        traces_look(&file, ++*page, pages + i * file.page_bytes, fn, arg);
        *more = true;
    }
    free(pages);
    return status;
}

/* --- cleaning --------------------------------------------------------------------------------- */

/* Puts another value into the last column of the row. blob: it is one. */
static int traces_put(struct db *db, enum sql_statement name, int64_t key, const void *data,
                      size_t len, bool blob, struct error *err)
{
    sqlite3_stmt *put = db_statement(db, name);
    if (put == NULL)
        return db_failure(db, err);
    int at = sqlite3_bind_parameter_index(put, ":event");
    db_bind_int(put, ":key", key);
    int code = blob ? sqlite3_bind_blob64(put, at, data, len, SQLITE_STATIC)
                    : sqlite3_bind_text64(put, at, data, len, SQLITE_STATIC, SQLITE_UTF8);
    int status = code == SQLITE_OK ? db_finish(db, put, err) : db_failure(db, err);
    (void)sqlite3_clear_bindings(put);
    return status;
}

/* Makes the row as large as its page has room for, and then what it was. */
static int traces_swell(struct db *db, const struct leaf_row *row, struct error *err)
{
    bool event = row->columns == TRACES_EVENTS_COLUMNS;
    enum sql_statement put = event ? SQL_SWELL_EVENT : SQL_SWELL_REJECT;
    sqlite3_stmt *get = db_statement(db, event ? SQL_EVENT_TEXT : SQL_REJECT_TEXT);
    if (get == NULL)
        return db_failure(db, err);
    db_bind_int(get, ":key", row->key);
    int code = sqlite3_step(get), status = STORE_OK;
    if (code != SQLITE_ROW) {
        status = code == SQLITE_DONE ? STORE_OK : db_failure(db, err);
        (void)sqlite3_reset(get);
        return status;
    }
    size_t len = (size_t)sqlite3_column_bytes(get, 0);
    char *was = malloc(len + 1), *spaces = malloc((size_t)row->swollen + 1);
    if (was != NULL && spaces != NULL) {
        if (len > 0)
            memcpy(was, sqlite3_column_blob(get, 0), len);
        memset(spaces, ' ', (size_t)row->swollen);
    } else {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    }
    (void)sqlite3_reset(get);
    if (status == STORE_OK)
        status = traces_put(db, put, row->key, spaces, (size_t)row->swollen, !event, err);
    if (status == STORE_OK)
        status = traces_put(db, put, row->key, was, len, !event, err);
    free(was);
    free(spaces);
    return status;
}

/* The page is as the file has it, since the WAL is empty and nobody else writes. */
static int traces_clean(struct sqlite_store *store, const struct traces_file *file, int64_t page,
                        unsigned char *room, struct error *err)
{
    struct leaf leaf;
    struct leaf_row row;
    if (pread(file->fd, room, file->page_bytes, (off_t)page * (off_t)file->page_bytes) !=
        (ssize_t)file->page_bytes)
        return STORE_OK; /* the file has become smaller */
    if (page == 0 || !leaf_read(&leaf, room, file->usable, 0) || !leaf_is_dirty(&leaf) ||
        !traces_can_clean(&leaf))
        return STORE_OK;
    for (size_t n = 0; n < leaf.cells; n++)
        if (leaf_row(&leaf, n, &row) && row.swollen >= 0)
            return traces_swell(&store->db, &row, err);
    return STORE_OK;
}

int sqlite_store_clean_traces(struct store *base, const int64_t *pages, size_t count,
                              struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct traces_file file;
    int status = checkpoint_empty(&store->checkpoint, &store->db, err);
    if (status == STORE_OK)
        status = traces_open(store, &file, err);
    if (status != STORE_OK)
        return status;
    unsigned char *room = malloc(file.page_bytes);
    if (room == NULL)
        return traces_fail(err, "out of memory");
    status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = traces_clean(store, &file, pages[i], room, err);
    status = sqlite_store_end(store, status, err);
    free(room);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
