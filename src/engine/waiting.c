#include "engine/waiting.h"

void waiting_append(struct waiting *waiting, struct submission *submission)
{
    submission->next = NULL;
    submission->previous = waiting->last;
    if (waiting->last != NULL)
        waiting->last->next = submission;
    else
        waiting->first = submission;
    waiting->last = submission;
    submission->queued = true;
}

void waiting_prepend(struct waiting *waiting, struct submission *submission)
{
    submission->previous = NULL;
    submission->next = waiting->first;
    if (waiting->first != NULL)
        waiting->first->previous = submission;
    else
        waiting->last = submission;
    waiting->first = submission;
    submission->queued = true;
}

void waiting_remove(struct waiting *waiting, struct submission *submission)
{
    if (submission->previous != NULL)
        submission->previous->next = submission->next;
    else
        waiting->first = submission->next;
    if (submission->next != NULL)
        submission->next->previous = submission->previous;
    else
        waiting->last = submission->previous;
    submission->queued = false;
}
