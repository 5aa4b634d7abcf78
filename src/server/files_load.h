/*
 * files_load.h: a directory of files, read into memory.
 *
 * Depends on nothing but the directory, and changes nothing: a reload calls it again and, if it
 * succeeds, puts the new files in the old ones' place. Blocks for the disk: not for a loop's
 * thread.
 */
#ifndef BEACOND_SERVER_FILES_LOAD_H
#define BEACOND_SERVER_FILES_LOAD_H

#include "base/error.h"
#include "server/files.h"

/* More is no dashboard but a mistake, "/" for example. */
#define FILES_LOAD_COUNT 4096                       /* files */
#define FILES_LOAD_BYTES (64 * (size_t)1024 * 1024) /* of all files together */
#define FILES_LOAD_DEPTH 16                         /* directories below each other */

/* Reads dir (which may be a symbolic link) and all below it. What begins with a dot is left out. A
 * symbolic link below dir is followed as long as it leads to something in dir. A link that leads
 * out, what is neither file nor directory, what can't be read, a name that no URL can say
 * (url_path_segment), a missing index.html, and more than the above are errors that name the file.
 * The files, one reference, files_end done; or NULL with err. */
struct files *files_load(const char *dir, struct error *err) MUST_CHECK;

#endif
