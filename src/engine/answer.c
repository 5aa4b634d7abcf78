#include "engine/answer.h"

/* Segments that go out as they are: so many plain bytes a chunk, a tenth of it on the way. */
#define ANSWER_GLUED_BYTES (256 << 10)
/* Room for the row that reaches over a chunk's end. */
#define ANSWER_ROW_BYTES 4096
/* Text that has to be compressed: with more of it an answer is not made in one piece. */
#define ANSWER_LOOSE_BYTES (1 << 20)
/* What is made at once is this small. Its text, segments in full, may be some tenth of a
 * millisecond's work. */
#define ANSWER_SMALL_EVENTS 100
#define ANSWER_SMALL_BYTES (256 << 10)
/* How long the cache is waited for until it knows what other nodes have committed. */
#define ANSWER_ABREAST_MS 250

void answer_init(struct answer *answer, struct answer_source *source, const struct range *range,
                 const struct reading_form *form)
{
    *answer = (struct answer){.source = source, .range = *range, .form = *form};
    answer->place = PLACE_HIGHEST;
    if (range->resumed) {
        answer->total = range->total;
        answer->max_seq = range->max_seq;
        answer->place = range->after;
    }
}

void answer_chunk_clear(struct answer_chunk *chunk, struct answer_source *source)
{
    if (chunk->whole)
        leases_give(source->leases, chunk->leased);
    chunk->whole = false;
    bytes_clear(&chunk->text);
    cut_clear(&chunk->cut);
}

static int answer_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return -1;
}

/* How many events lie in front of the page; a page beyond all numbers is beyond all events. */
static int64_t answer_skip(const struct range *range)
{
    if (range->resumed || range->limit == 0 || range->page <= 1)
        return 0;
    return range->page - 1 > INT64_MAX / range->limit ? INT64_MAX
                                                      : (range->page - 1) * range->limit;
}

static bool answer_window_is_empty(const struct answer *answer)
{
    return answer->range.since > answer->range.until;
}

/* What is still wanted of the window, from the place on. */
static struct cut_ask answer_ask(const struct answer *answer, size_t bytes)
{
    return (struct cut_ask){
        .since = answer->range.since,
        .until = answer->range.until,
        .start = answer->place,
        .max_seq = answer->begun || answer->range.resumed ? answer->max_seq : INT64_MAX,
        .limit = (uint64_t)(answer->range.limit - answer->sent),
        .bytes = bytes,
    };
}

/* --- what is cut from the cache --------------------------------------------------------------- */

/* Whether all of the cut may become one chunk, and the answer have a length, in which case what it
 * may keep in memory is counted: segments as they go out, and text, compressed or not. */
static bool answer_lease(struct answer *answer, struct answer_chunk *chunk)
{
    const struct cut *cut = &chunk->cut;
    chunk->leased = (size_t)cut->loose_bytes;
    for (size_t i = 0; i < cut->part_count; i++) {
        const struct segment *segment = cut->parts[i].segment;
        if (cut->parts[i].whole)
            chunk->leased +=
                answer->form.coding == READING_PLAIN ? segment->plain_len : segment->deflated_len;
    }
    chunk->whole = leases_take(answer->source->leases, chunk->leased);
    return chunk->whole;
}

/* The cut is not used after all. */
static void answer_return(struct answer *answer, struct answer_chunk *chunk)
{
    if (chunk->whole)
        leases_give(answer->source->leases, chunk->leased);
    chunk->whole = false;
    cut_clear(&chunk->cut);
}

/* The chunk's events are those of its cut. */
static int answer_accept(struct answer *answer, struct answer_chunk *chunk, struct error *err)
{
    struct cut *cut = &chunk->cut;
    if (cut->count > 0) {
        if ((answer->sent > 0 && bytes_append(&chunk->text, ",", 1) != 0) ||
            cut_last(cut, &cut->parts[cut->part_count - 1], &answer->place) != 0)
            return answer_no_memory(err);
        answer->sent += (int64_t)cut->count;
        answer->from_cache = true;
    }
    answer->done = !cut->more && !cut->below;
    return 0;
}

static size_t answer_cut_bytes(const struct answer *answer, size_t max_bytes)
{
    return answer->form.coding == READING_PLAIN ? max_bytes : ANSWER_GLUED_BYTES;
}

/* Tries whether one cut has all that is wanted, to be sent as it is in one piece: 1, and the chunk
 * has it, or 0. -1 when out of memory. */
static int answer_cut_whole(struct answer *answer, struct cut_ask ask, struct answer_chunk *chunk)
{
    struct cut *cut = &chunk->cut;
    ask.bytes = 0;
    ask.whole_loose = ANSWER_LOOSE_BYTES;
    if (answer->form.coding != READING_GZIP)
        return 0;
    if (ring_cut(answer->source->ring, &ask, cut) != 0)
        return -1;
    bool all = !cut->above && (cut->count == ask.limit || !cut->below);
    if (all && cut->loose_bytes <= ANSWER_LOOSE_BYTES && answer_lease(answer, chunk))
        return 1;
    cut_clear(cut);
    return 0;
}

/* Whether the cut tells all about its moment: it reaches over the whole window, or over the first
 * events of all there are. */
static bool answer_is_hot(const struct answer *answer, const struct cut_ask *ask,
                          const struct cut *cut)
{
    if (cut->above || (answer->range.resumed && cut->max_seq != answer->range.max_seq))
        return false;
    if (!cut->below)
        return true;
    return cut->all && (cut->count > 0 || ask->limit == 0);
}

/* Takes the snapshot, and the first events with it, from the cache: 1, or 0 when it does not know
 * enough of the window. -1 when out of memory, or not at_once. */
static int answer_snapshot_hot(struct answer *answer, size_t max_bytes, bool at_once,
                               struct answer_chunk *chunk, struct error *err)
{
    struct cut *cut = &chunk->cut;
    struct cut_ask ask = answer_ask(answer, answer_cut_bytes(answer, max_bytes));
    ask.skip = (uint64_t)answer_skip(&answer->range);
    ask.at_once = at_once;
    if (answer->source->ring == NULL)
        return 0;
    int whole = answer_cut_whole(answer, ask, chunk);
    if (whole == 0)
        whole = ring_cut(answer->source->ring, &ask, cut);
    if (whole < 0)
        return answer_no_memory(err);
    if (!answer_is_hot(answer, &ask, cut)) {
        answer_return(answer, chunk);
        return 0;
    }
    if (!answer->range.resumed)
        answer->total = (int64_t)(cut->below ? cut->stored : cut->total);
    answer->max_seq = cut->max_seq;
    answer->erasures = cut->erasures;
    return 1;
}

/* --- what is read from the database ----------------------------------------------------------- */

static int answer_snapshot_cold(struct answer *answer, struct store_reader *reader,
                                struct error *err)
{
    struct store_survey survey = {0};
    const struct range *range = &answer->range;
    /* Of a chain only the erasures are new: an empty window is asked for. */
    int64_t since = range->resumed ? 1 : range->since, until = range->resumed ? 0 : range->until;
    answer->from_store = true;
    if (store_survey(reader, since, until, answer_skip(range), &survey, err) != STORE_OK)
        return -1;
    if (!range->resumed) {
        answer->total = survey.total;
        answer->max_seq = survey.max_seq;
        answer->place = survey.start;
    }
    answer->erasures = survey.erasures;
    return 0;
}

struct answer_rows {
    struct answer *answer;
    struct bytes *text;
    size_t max_bytes;
    bool failed; /* out of memory */
};

static int answer_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct answer_rows *rows = arg;
    struct answer *answer = rows->answer;
    if (answer->sent == answer->range.limit) {
        answer->more = true;
        return 1;
    }
    if ((answer->sent > 0 && bytes_append(rows->text, ",", 1) != 0) ||
        bytes_append(rows->text, text, len) != 0) {
        rows->failed = true;
        return 1;
    }
    answer->sent++;
    answer->place = place;
    return rows->text->len >= rows->max_bytes;
}

/* Reads events dated since or later. *more: there may be others. */
static int answer_read(struct answer *answer, struct store_reader *reader, int64_t since,
                       size_t max_bytes, struct answer_chunk *chunk, bool *more, struct error *err)
{
    struct answer_rows rows = {answer, &chunk->text, max_bytes, false};
    answer->from_store = true;
    if (bytes_reserve(&chunk->text, max_bytes + ANSWER_ROW_BYTES) != 0)
        return answer_no_memory(err);
    if (store_page(reader, since, answer->max_seq, answer->place, answer_row, &rows, more, err) !=
        STORE_OK)
        return -1;
    if (rows.failed)
        return answer_no_memory(err);
    /* The one behind the limit was seen. */
    answer->done = answer->more;
    return 0;
}

static int answer_read_rest(struct answer *answer, struct store_reader *reader, size_t max_bytes,
                            struct answer_chunk *chunk, struct error *err)
{
    bool more;
    if (answer_read(answer, reader, answer->range.since, max_bytes, chunk, &more, err) != 0)
        return -1;
    answer->done = answer->done || !more;
    return 0;
}

/* Reads what lies above the cache, at high or later. */
static int answer_read_above(struct answer *answer, struct store_reader *reader,
                             struct range_place high, size_t max_bytes, struct answer_chunk *chunk,
                             struct error *err)
{
    bool more;
    int64_t since = answer->range.since > high.ts ? answer->range.since : high.ts;
    if (answer_read(answer, reader, since, max_bytes, chunk, &more, err) != 0)
        return -1;
    if (!more) /* the ceiling is the beginning of a millisecond: go on behind it */
        answer->place = high;
    return 0;
}

/* --- the two together ------------------------------------------------------------------------- */

/* One step: adds events to the chunk, or moves the place on, or is done. */
static int answer_step(struct answer *answer, struct store_reader *reader, size_t max_bytes,
                       struct answer_chunk *chunk, struct error *err)
{
    struct cut *cut = &chunk->cut;
    struct cut_ask ask = answer_ask(answer, answer_cut_bytes(answer, max_bytes));
    ask.part = true;
    if (answer->source->ring == NULL)
        return answer_read_rest(answer, reader, max_bytes, chunk, err);
    int whole = chunk->first ? answer_cut_whole(answer, ask, chunk) : 0;
    if (whole == 0)
        whole = ring_cut(answer->source->ring, &ask, cut);
    if (whole < 0)
        return answer_no_memory(err);
    struct range_place high = cut->high;
    bool knows = cut->max_seq == answer->max_seq && cut->erasures == answer->erasures;
    bool above = cut->above, below = cut->below;
    if (knows && !above && (cut->count > 0 || !below))
        return answer_accept(answer, chunk, err);
    answer_return(answer, chunk);
    if (knows && above)
        return answer_read_above(answer, reader, high, max_bytes, chunk, err);
    return answer_read_rest(answer, reader, max_bytes, chunk, err);
}

/* Behind the limit: whether an event is left. The total tells, but for a chain, whose cursor does
 * not say how many its earlier pages had. */
static int answer_look(struct answer *answer, struct store_reader *reader, struct error *err)
{
    struct answer look = *answer;
    struct answer_chunk other = {0};
    int status = 0;
    answer->done = true;
    if (!answer->range.resumed) {
        answer->more = answer->total - answer->sent > answer_skip(&answer->range);
        return 0;
    }
    look.range.limit = look.sent + 1;
    while (status == 0 && !look.done && look.sent == answer->sent)
        status = answer_step(&look, reader, 1, &other, err);
    answer_chunk_clear(&other, answer->source);
    answer->more = look.sent > answer->sent;
    answer->from_store = look.from_store;
    return status;
}

/* The snapshot has been taken; hot: and the first events with it. */
static int answer_begin(struct answer *answer, bool hot, struct answer_chunk *chunk,
                        struct error *err)
{
    struct answer_source *source = answer->source;
    uint64_t epoch = source->abreast == NULL ? source->epoch : abreast_epoch(source->abreast);
    etag_make(answer->tag, epoch, answer->erasures, answer->total, source->secret);
    answer->begun = true;
    answer->same = etag_matches(answer->form.known, answer->tag);
    answer->done = answer->same || answer->range.limit == 0 || answer_window_is_empty(answer);
    if (answer->same) {
        answer_chunk_clear(chunk, answer->source);
        return 0;
    }
    if (bytes_append(&chunk->text, answer->form.head, answer->form.head_len) != 0 ||
        bytes_append_text(&chunk->text, "{\"events\":[") != 0)
        return answer_no_memory(err);
    return hot && !answer->done ? answer_accept(answer, chunk, err) : 0;
}

/* Whether the cache may know the newest moment: 1 or 0, or -1 when the store failed. */
static int answer_abreast(struct answer *answer, struct store_reader *reader, struct error *err)
{
    const struct answer_source *source = answer->source;
    struct store_moment moment;
    if (source->abreast == NULL)
        return 1;
    if (source->ring == NULL)
        return 0;
    if (store_moment(reader, &moment, err) != STORE_OK)
        return -1;
    return abreast_come(source->abreast, &moment, ANSWER_ABREAST_MS);
}

static int answer_fetch_first(struct answer *answer, struct store_reader *reader, size_t max_bytes,
                              struct answer_chunk *chunk, struct error *err)
{
    int hot = answer_abreast(answer, reader, err);
    if (hot == 1)
        hot = answer_snapshot_hot(answer, max_bytes, false, chunk, err);
    if (hot < 0 || (hot == 0 && answer_snapshot_cold(answer, reader, err) != 0))
        return -1;
    return answer_begin(answer, hot == 1, chunk, err);
}

int answer_fetch(struct answer *answer, struct store_reader *reader, size_t max_bytes,
                 struct answer_chunk *chunk, struct error *err)
{
    *chunk = (struct answer_chunk){.first = !answer->begun};
    bytes_init(&chunk->text);
    int status = 0;
    int64_t sent = answer->sent;
    if (chunk->first)
        status = answer_fetch_first(answer, reader, max_bytes, chunk, err);
    while (status == 0 && !answer->done && answer->sent == sent)
        status = answer_step(answer, reader, max_bytes, chunk, err);
    if (status == 0 && !answer->done && answer->sent == answer->range.limit)
        status = answer_look(answer, reader, err);
    chunk->last = answer->done;
    return status;
}

int answer_fetch_at_once(struct answer *answer, struct answer_chunk *chunk)
{
    *chunk = (struct answer_chunk){.first = true, .last = true};
    bytes_init(&chunk->text);
    const struct cut *cut = &chunk->cut;
    int64_t limit = answer->range.limit;
    if (answer->source->abreast != NULL || answer->form.coding != READING_PLAIN ||
        answer->range.resumed || limit > ANSWER_SMALL_EVENTS ||
        answer_snapshot_hot(answer, ANSWER_SMALL_BYTES, true, chunk, NULL) != 1)
        return -1;
    bool whole = (int64_t)cut->count == limit || (!cut->below && !cut->more);
    if (!whole || cut->bytes > ANSWER_SMALL_BYTES || !answer_lease(answer, chunk) ||
        answer_begin(answer, true, chunk, NULL) != 0 ||
        (!answer->done && answer_look(answer, NULL, NULL) != 0)) {
        answer_chunk_clear(chunk, answer->source);
        return -1;
    }
    return 0;
}
