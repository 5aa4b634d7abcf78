/*
 * media.h: what a file of a web site is by its name. Pure.
 */
#ifndef BEACOND_CONTRACT_MEDIA_H
#define BEACOND_CONTRACT_MEDIA_H

#include <stdbool.h>

struct media {
    const char *type; /* Content-Type */
    bool packs;       /* worth an attempt to compress it: not so what is compressed already */
};

/* By what stands behind the name's last dot, in any case; application/octet-stream when nothing
 * known does. path may have directories. */
struct media media_of(const char *path);

/* Whether the last segment of a path has a dot behind its first character. A path of a page that a
 * script makes up has none; one of a file that a page asks for has. */
bool media_has_extension(const char *path);

/* Whether the name tells the content, so that an answer is right for ever: below a directory
 * assets/, with a build's hash of 8 characters before the extension (index-B3xYz_-q.js, and
 * index-4a5b6c7d.css of older builds). Words are no hashes: a hash has a digit and a capital, or is
 * hexadecimal with a digit and a letter. A hash that looks like a word costs a question; a word
 * taken for a hash would keep a browser from ever seeing the next build. */
bool media_hashed(const char *path);

/* Whether an Accept header (NULL: none was sent) names text/html, as browsers do when they open a
 * page, with a weight above 0. Wildcards do not count: scripts, images and curl send those. */
bool media_accepts_html(const char *accept);

#endif
