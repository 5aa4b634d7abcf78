/*
 * files.h: the files of a web site, in memory, as they are served.
 *
 * Filled once and never changed from then on (files_end): any thread may look and hold a reference.
 * What a request asks for is looked up among the names here, and nothing else: no path of a request
 * ever reaches the file system. Where the files come from is files_load.h's business.
 *
 * A site that was changed is loaded into new struct files, which take the old ones' place; answers
 * that are on their way hold the old ones until they are out.
 */
#ifndef BEACOND_SERVER_FILES_H
#define BEACOND_SERVER_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

#define FILES_ETAG_SIZE 43 /* a SHA-1 in hexadecimal, two quotes and a NUL */

/* One form in which a file can be sent. */
struct file_form {
    char *data; /* NULL when there is no such form, or nothing in it */
    size_t len;
    char etag[FILES_ETAG_SIZE]; /* strong: of these very bytes; "" when there is no such form */
};

struct file {
    char *name;             /* "index.html", "assets/index.js": see contract/url_path.h */
    const char *type;       /* Content-Type */
    bool lasting;           /* another content would have another name (media_hashed) */
    struct file_form plain; /* as it is */
    struct file_form gzip;  /* compressed, where that saves something worth */
};

struct files; /* counted references */

struct files *files_new(void) MUST_CHECK; /* one reference; NULL when out of memory */

/* Adds a file; the bytes of data are taken over, and emptied. Compresses it if that helps: blocks
 * for that. A name is added once. 0, or -1 when out of memory. */
int files_add_take(struct files *files, const char *name, struct bytes *data) MUST_CHECK;

/* No more is added: from here on files_find finds. */
void files_end(struct files *files);

/* NULL when there is none of that name. */
const struct file *files_find(const struct files *files, const char *name);

size_t files_count(const struct files *files);
size_t files_bytes(const struct files *files); /* of all files, as they are */

struct files *files_hold(struct files *files); /* another reference */
void files_drop(struct files *files);          /* NULL is fine */

#endif
