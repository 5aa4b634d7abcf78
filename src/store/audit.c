#include "store/audit.h"

#include <stdio.h>

#include "store/ops.h"

int store_audit(const char *database, enum store_audit_depth depth,
                const struct store_audit_ear *ear, struct store_audit_facts *facts,
                struct error *err)
{
    int status = store_check(database, err);
    return status == STORE_OK ? store_kind_of(database)->audit(database, depth, ear, facts, err)
                              : status;
}

void store_audit_say(const struct store_audit_ear *ear, struct store_audit_facts *facts, bool ok,
                     const char *format, va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    for (char *at = text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    if (!ok)
        facts->whole = false;
    ear->say(ear->arg, ok, text);
}
