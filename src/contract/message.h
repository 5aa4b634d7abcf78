/*
 * message.h: the small messages of the WebSocket sub-protocol (CONTRACT.md 6). Pure.
 *
 * Writing appends one whole message to out and returns 0, or -1 when out of memory.
 */
#ifndef BEACOND_CONTRACT_MESSAGE_H
#define BEACOND_CONTRACT_MESSAGE_H

#include <stddef.h>

#include "base/bytes.h"

#define MESSAGE_AUTH_OK "{\"type\":\"auth_ok\"}"
#define MESSAGE_PUSH_LOST "{\"type\":\"push:lost\"}"

int message_ack(struct bytes *out, size_t saved) MUST_CHECK; /* {"type":"ack","saved":N} */

/* {"type":"error","error":"text"}, with "reqId" behind the type where req_id (JSON text of any
 * value) is not NULL. */
int message_error(struct bytes *out, const char *text, const char *req_id) MUST_CHECK;

/* {"type":"events:response","reqId":…,"response": : the answer's document and a brace follow. */
int message_response_head(struct bytes *out, const char *req_id) MUST_CHECK;
#define MESSAGE_RESPONSE_TAIL "}"

#endif
