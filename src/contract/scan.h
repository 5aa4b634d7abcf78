/*
 * scan.h: walks an ingest body once and hands out its events as slices of it. Pure.
 *
 * The hot path the project exists for. It checks RFC 8259 grammar over the whole body and UTF-8
 * within strings, and it does not build anything: an event comes back byte for byte. What strict
 * libraries refuse but browsers send is legal: \u0000, lone surrogates (\ud800), numbers of any
 * size, duplicate member names. Member names count after unescaping; of duplicates the last counts.
 * Iterative: nesting costs one bit a level of a growing bitmap, no recursion. A byte order mark in
 * front of the body is skipped.
 *
 * Two kinds of trouble are told apart. A body that is no JSON is refused as a whole (SCAN_NO_JSON).
 * An event that is legal JSON and still can't be kept (no object, too deep, bad UTF-8 in it) is
 * handed out with its fault and the walk goes on: its neighbours must not suffer (no poison).
 * Bad UTF-8 outside the events makes the body no JSON.
 */
#ifndef BEACOND_CONTRACT_SCAN_H
#define BEACOND_CONTRACT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum scan_status {
    SCAN_OK = 0,
    SCAN_NO_JSON = -1,   /* err says what and at which byte */
    SCAN_NO_EVENTS = -2, /* JSON, but no object whose (last) "events" member is an array */
    SCAN_NO_MEMORY = -3, /* for the nesting bitmap */
    SCAN_STOPPED = -4,   /* the sink returned non-zero */
};

enum scan_kind { SCAN_ABSENT, SCAN_STRING, SCAN_OTHER };

enum scan_fault {
    SCAN_FAULT_NONE,
    SCAN_FAULT_NOT_OBJECT, /* a number, string, array, … where an event should be */
    SCAN_FAULT_DEPTH,      /* nested deeper than max_depth; the event object itself is level 1 */
    SCAN_FAULT_UTF8,       /* bytes in a string (or member name) that are no UTF-8 */
};

/* Offset and length within the body. */
struct scan_slice {
    size_t at;
    size_t len;
};

struct scan_event {
    struct scan_slice raw;  /* the array element, without white space around it */
    enum scan_fault fault;  /* the first that applies, in the order of the enum */
    bool has_members;       /* false for {}: no comma needed behind a spliced member */
    bool id_escaped;        /* the id string holds a backslash */
    bool timestamp_escaped; /* likewise */
    enum scan_kind id_kind; /* the last top level member named id */
    struct scan_slice id;   /* its value; of a string what stands between the quotes */
    enum scan_kind timestamp_kind;
    struct scan_slice timestamp; /* as id */
};

/* The last member of a name. */
struct scan_field {
    enum scan_kind kind;
    bool escaped;            /* the string holds a backslash */
    struct scan_slice value; /* of a string what stands between the quotes */
};

/* What stands in the body beside the events; a WebSocket message is told by it. The members may
 * come in any order, also behind the events. */
struct scan_envelope {
    struct scan_slice object; /* the body, braces and all; of length 0 when it is no object */
    struct scan_field type;   /* the top level member named type */
    struct scan_field req_id; /* reqId */
    struct scan_field key;    /* key */
};

/* Where what is found goes. Both functions run on the calling thread; non-zero from event stops
 * the walk. */
struct scan_sink {
    int (*event)(void *arg, const struct scan_event *event); /* in the order of the array */
    void (*restart)(void *arg); /* another "events" member: forget all events so far */
    void *arg;
    struct scan_envelope *envelope; /* filled in on SCAN_OK and SCAN_NO_EVENTS, else left empty;
                                     * NULL: not wanted */
};

/* Walks text[0..len). Returns an enum scan_status; SCAN_OK when everything was handed out. On any
 * other status what was handed out must be thrown away. The text need not end in a NUL; nothing
 * behind len is read. */
int scan_batch(const char *text, size_t len, unsigned max_depth, const struct scan_sink *sink,
               struct error *err) MUST_CHECK;

/* As scan_batch, for a text that must be one single event object and nothing else (import, one line
 * of a log). SCAN_OK and *event, or SCAN_NO_JSON, SCAN_NO_MEMORY. */
int scan_event(const char *text, size_t len, unsigned max_depth, struct scan_event *event,
               struct error *err) MUST_CHECK;

/* Is the field a string of this text, after unescaping? text: what was walked. wanted: ASCII, of at
 * most SCAN_WANTED_MOST characters. */
bool scan_field_is(const char *text, const struct scan_field *field, const char *wanted);
#define SCAN_WANTED_MOST 16

/* Unescapes what stands between the quotes of a JSON string that scan_batch has accepted. out needs
 * room for len bytes (unescaping never grows). Lone surrogates come out as their three-byte
 * generalised UTF-8 (WTF-8), so different strings stay different. Returns the bytes written. */
size_t scan_unescape(const char *text, size_t len, char *out);

#endif
