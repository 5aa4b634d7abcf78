#include "contract/sse.h"

#include <inttypes.h>
#include <string.h>

#include "contract/line.h"

#define SSE_RETRY_MS 2000
#define SSE_ID_DIGITS 18 /* more than there will be events, less than overflows */

int sse_append_hello(struct bytes *out, int64_t seq)
{
    return bytes_append_format(out, "retry: %d\nid: %" PRId64 "\n\n", SSE_RETRY_MS, seq);
}

int sse_append_event(struct bytes *out, int64_t seq, const char *text, size_t len)
{
    if (bytes_append_format(out, "id: %" PRId64 "\ndata: ", seq) != 0 ||
        line_append(out, text, len) != 0)
        return -1;
    return bytes_append(out, "\n\n", 2);
}

int sse_read_id(const char *text, int64_t *seq)
{
    size_t len = strlen(text);
    int64_t number = 0;
    if (len == 0 || len > SSE_ID_DIGITS)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    *seq = number;
    return 0;
}
