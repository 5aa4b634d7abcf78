#include "faulty.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *faulty_setting(const char *name)
{
    char variable[64];
    snprintf(variable, sizeof variable, "FAULTY_%s", name);
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void faulty_kill(void)
{
    for (;;) {
        raise(SIGKILL);
        pause();
    }
}
