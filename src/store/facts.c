#include "store/facts.h"

#include <stdlib.h>

#include "store/ops.h"

int store_facts(struct store_reader *reader, struct store_facts *out, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->facts(reader, out, err);
    gate_leave(reader->gate);
    return status;
}

int store_count_steps(struct store_reader *reader, const struct store_steps_ask *ask,
                      struct store_steps *out, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->count_steps(reader, ask, out, err);
    gate_leave(reader->gate);
    return status;
}

void store_steps_clear(struct store_steps *steps)
{
    free(steps->steps);
    steps->steps = NULL;
    steps->count = 0;
}

int store_show_rejects(struct store_reader *reader, const struct store_rejects_ask *ask,
                       struct store_rejects_show *show, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->show_rejects(reader, ask, show, err);
    gate_leave(reader->gate);
    return status;
}

int store_days(struct store_reader *reader, store_day_fn *day, void *arg, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->days(reader, day, arg, err);
    gate_leave(reader->gate);
    return status;
}
