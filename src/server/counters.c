#include "server/counters.h"

const struct histogram_form counters_seconds = {
    {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}, 13, 1e3};

/* More statuses than anybody sends must not make more series: what is not here is "other". */
static const struct {
    int status;
    const char *text;
} counters_statuses[COUNTERS_STATUSES] = {
    {200, "200"}, {101, "101"}, {204, "204"}, {206, "206"}, {301, "301"}, {302, "302"},
    {304, "304"}, {308, "308"}, {400, "400"}, {401, "401"}, {403, "403"}, {404, "404"},
    {405, "405"}, {408, "408"}, {411, "411"}, {413, "413"}, {414, "414"}, {415, "415"},
    {416, "416"}, {417, "417"}, {426, "426"}, {429, "429"}, {431, "431"}, {500, "500"},
    {501, "501"}, {503, "503"}, {505, "505"}, {0, "other"},
};

const char *counters_status(size_t n)
{
    return n < COUNTERS_STATUSES ? counters_statuses[n].text : NULL;
}

void counters_answer(struct counters *counters, enum route_action action, int status,
                     int64_t took_ms)
{
    size_t n = 0;
    while (n < COUNTERS_STATUSES - 1 && counters_statuses[n].status != status)
        n++;
    counter_add(&counters->requests[action][n], 1);
    if (took_ms < 0 || (action != ROUTE_INGEST && action != ROUTE_READ))
        return;
    histogram_add(&counters->request_ms[action == ROUTE_READ ? COUNTERS_READ : COUNTERS_INGEST],
                  &counters_seconds, took_ms);
}

void counters_batch(struct counters *counters, enum counters_way way, size_t events, size_t bytes)
{
    counter_add(&counters->bytes[way], bytes);
    counter_add(&counters->events[way], events);
    counter_add(&counters->batches[way], events > 0);
}
