/*
 * document.h: what the JSON documents that jansson makes have in common. Pure.
 *
 * Each function takes over the json_t it is given, and takes NULL for one that there was no memory
 * for: so calls can be nested, and the last one tells.
 */
#ifndef BEACOND_CONTRACT_DOCUMENT_H
#define BEACOND_CONTRACT_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Appends the document, which is freed; NULL stands for one that there was no memory for. 0, or -1
 * when out of memory. _as: with other flags of jansson's than JSON_COMPACT. */
int document_dump(struct bytes *out, json_t *document) MUST_CHECK;
int document_dump_as(struct bytes *out, json_t *document, size_t flags) MUST_CHECK;

/* A string; any bytes may be passed: see utf8_repair. NULL when out of memory. */
json_t *document_text(const char *text, size_t len, bool beginning) MUST_CHECK;

/* A moment in ISO 8601 (timestamp_format_any), or null when there is none. */
json_t *document_time(bool any, int64_t ms) MUST_CHECK;

/* Appends [first, number] to an array. 0, or -1 when out of memory. */
int document_add_pair(json_t *array, json_t *first, int64_t number) MUST_CHECK;

#endif
