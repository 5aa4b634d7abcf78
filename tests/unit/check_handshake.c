#include <stdio.h>
#include <string.h>

#include "contract/handshake.h"
#include "unit.h"

START_TEST(handshake_answers_keys)
{
    static const char *const cases[][2] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455, 1.3 */
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="},
        {"AAECAwQFBgcICQoLDA0ODw==", "Bz3qJYTGdOe8gUSpLosEdiLKDrk="},
        {"+/A++/A++/A++/A++/A+AQ==", "Rdwz1w3aiKrv/19TaM9nOUhlvhs="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[HANDSHAKE_ACCEPT_SIZE];
        memset(out, 'x', sizeof out);
        handshake_accept(cases[i][0], out);
        ck_assert_str_eq(out, cases[i][1]);
        ck_assert(handshake_key_ok(cases[i][0]));
    }
}
END_TEST

START_TEST(handshake_refuses_keys_that_are_not_16_bytes)
{
    static const char *const bad[] = {
        "",
        "=",
        "==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ== ",
        " dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ==",
        "dGhlIHNhbXBsZSBub25jZQQ=",
        "dGhlIHNhbXBsZSBub25jZQQQ",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBs=SBub25jZQ==",
        "dGhlIHNhbXBs-SBub25jZQ==",
        "dGhlIHNhbXBs_SBub25jZQ==",
        "dGhlIHNhbXBs SBub25jZQ==",
        "dGhlIHNhbXBs\303\244ub25jZQ==",
        "c2hvcnQ=",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!handshake_key_ok(bad[i]), "%s", bad[i]);
}
END_TEST

/* What a Sec-WebSocket-Extensions header gets for an answer. */
enum answer { NONE, PLAIN, WINDOW };

#define PMD "permessage-deflate"

static const struct {
    const char *offers;
    enum answer answer;
} handshake_offers[] = {
    /* What clients send: Chromium and Firefox, Node's ws, Python's websockets. */
    {PMD "; client_max_window_bits", PLAIN},
    {PMD, PLAIN},
    {PMD "; server_max_window_bits=12; client_max_window_bits=12", NONE},
    {NULL, NONE},

    /* Lists. */
    {"", NONE},
    {"  ", NONE},
    {",", NONE},
    {", ,\t,", NONE},
    {"x-webkit-deflate-frame", NONE},
    {"x-webkit-deflate-frame, " PMD, PLAIN},
    {PMD ",x-webkit-deflate-frame", PLAIN},
    {"foo; bar=1; baz=\"a b\", " PMD, NONE}, /* a b is no token, quoted or not */
    {"foo; bar=1; bar=1; baz, " PMD, PLAIN},
    {"foo; x=\"ab\"," PMD, PLAIN},
    {",," PMD ",,", PLAIN},
    {"  " PMD "  ", PLAIN},
    {"permessage-deflat", NONE},
    {"permessage-deflate2", NONE},
    {"xpermessage-deflate", NONE},

    /* Parameters. */
    {PMD "; server_no_context_takeover", PLAIN},
    {PMD "; client_no_context_takeover", PLAIN},
    {PMD ";server_no_context_takeover;client_no_context_takeover;client_max_window_bits", PLAIN},
    {PMD "\t; \tclient_no_context_takeover\t", PLAIN},
    {PMD "; server_no_context_takeover=1", NONE},
    {PMD "; server_no_context_takeover=true", NONE},
    {PMD "; client_no_context_takeover=\"1\"", NONE},
    {PMD "; client_max_window_bits=8", PLAIN},
    {PMD "; client_max_window_bits=9", PLAIN},
    {PMD "; client_max_window_bits=10", PLAIN},
    {PMD "; client_max_window_bits=15", PLAIN},
    {PMD "; client_max_window_bits=\"15\"", PLAIN},
    {PMD "; client_max_window_bits=\"1\\5\"", PLAIN},
    {PMD "; client_max_window_bits=7", NONE},
    {PMD "; client_max_window_bits=16", NONE},
    {PMD "; client_max_window_bits=0", NONE},
    {PMD "; client_max_window_bits=08", NONE},
    {PMD "; client_max_window_bits=010", NONE},
    {PMD "; client_max_window_bits=+9", NONE},
    {PMD "; client_max_window_bits=-9", NONE},
    {PMD "; client_max_window_bits=1", NONE},
    {PMD "; client_max_window_bits=1a", NONE},
    {PMD "; client_max_window_bits=150", NONE},
    {PMD "; client_max_window_bits=80", NONE},
    {PMD "; client_max_window_bits=9a", NONE},
    {PMD "; client_max_window_bits=20", NONE},
    {PMD "; client_max_window_bits=4294967305", NONE},
    {PMD "; server_max_window_bits=15", WINDOW},
    {PMD "; server_max_window_bits=\"15\"", WINDOW},
    {PMD "; client_max_window_bits; server_max_window_bits=15", WINDOW},
    {PMD "; server_max_window_bits", NONE},
    {PMD "; server_max_window_bits=8", NONE},
    {PMD "; server_max_window_bits=14", NONE},
    {PMD "; server_max_window_bits=16", NONE},
    {PMD "; server_max_window_bits=015", NONE},
    {PMD "; unknown", NONE},
    {PMD "; unknown=1", NONE},
    {PMD "; Server_no_context_takeover", NONE},
    {PMD "; client_max_window_bit", NONE},
    {PMD "; client_max_window_bitss", NONE},

    /* Repeated ones. */
    {PMD "; client_max_window_bits; client_max_window_bits", NONE},
    {PMD "; client_max_window_bits=15; client_max_window_bits=15", NONE},
    {PMD "; server_no_context_takeover; server_no_context_takeover", NONE},
    {PMD "; client_no_context_takeover; client_no_context_takeover", NONE},
    {PMD "; server_max_window_bits=15; server_max_window_bits=15", NONE},

    /* The next offer is as good; the first that will do is taken. */
    {PMD "; server_max_window_bits=10, " PMD, PLAIN},
    {PMD "; server_max_window_bits=10; client_max_window_bits, " PMD "; client_max_window_bits",
     PLAIN},
    {PMD "; unknown, " PMD "; server_max_window_bits=15, " PMD, WINDOW},
    {PMD ", " PMD "; server_max_window_bits=15", PLAIN},
    {PMD "; unknown, " PMD "; unknown", NONE},

    /* Malformed headers are as good as none, wherever they are malformed. */
    {PMD ";", NONE},
    {PMD "; ;client_max_window_bits", NONE},
    {PMD "; =15", NONE},
    {PMD "=15", NONE},
    {PMD "; client_max_window_bits=", NONE},
    {PMD "; client_max_window_bits=\"\"", NONE},
    {PMD "; client_max_window_bits=\"15", NONE},
    {PMD "; client_max_window_bits=15\"", NONE},
    {PMD "; client_max_window_bits=\"15\\\"", NONE},
    {PMD "; client_max_window_bits=\"15\"x", NONE},
    {PMD "; client_max_window_bits = 15", NONE},
    {PMD " client_max_window_bits", NONE},
    {PMD ", (foo)", NONE},
    {PMD ", foo bar", NONE},
    {PMD ", foo; x=", NONE},
    {PMD ", foo; x=\"\"", NONE},
    {PMD "; client_max_window_bits, \"foo\"", NONE},
    {"\"" PMD "\"", NONE},
    {";" PMD, NONE},
    {PMD ", foo; x=\"unended, " PMD, NONE},
    {PMD ", f\xc3\xb6o", NONE},
};

START_TEST(handshake_chooses_among_offers)
{
    static const char *const answers[] = {"none", HANDSHAKE_DEFLATE, HANDSHAKE_DEFLATE_WINDOW};
    for (size_t i = 0; i < sizeof handshake_offers / sizeof *handshake_offers; i++) {
        const char *offers = handshake_offers[i].offers;
        const char *answer = handshake_deflate(offers);
        const char *wanted = answers[handshake_offers[i].answer];
        ck_assert_msg(strcmp(answer != NULL ? answer : "none", wanted) == 0, "%s: %s, not %s",
                      offers != NULL ? offers : "no header", answer != NULL ? answer : "none",
                      wanted);
    }
}
END_TEST

START_TEST(handshake_finds_tokens)
{
    static const struct {
        const char *header, *token;
        bool found;
    } cases[] = {
        {"Upgrade", "upgrade", true},
        {"keep-alive, Upgrade", "upgrade", true},
        {"UPGRADE,keep-alive", "upgrade", true},
        {"keep-alive ,\tupgrade\t , x", "upgrade", true},
        {",,upgrade", "upgrade", true},
        {"websocket", "websocket", true},
        {NULL, "upgrade", false},
        {"", "upgrade", false},
        {",", "upgrade", false},
        {" , ", "", false},
        {"keep-alive", "upgrade", false},
        {"upgraded", "upgrade", false},
        {"xupgrade", "upgrade", false},
        {"upgrad", "upgrade", false},
        {"no upgrade", "upgrade", false},
        {"upgrade no", "upgrade", false},
        {"upgrade;x", "upgrade", false},
        {"websocket/13", "websocket", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(handshake_token(cases[i].header, cases[i].token) == cases[i].found, "%s",
                      cases[i].header != NULL ? cases[i].header : "no header");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshake");
    TCase *tests = tcase_create("handshake");
    tcase_add_test(tests, handshake_answers_keys);
    tcase_add_test(tests, handshake_refuses_keys_that_are_not_16_bytes);
    tcase_add_test(tests, handshake_chooses_among_offers);
    tcase_add_test(tests, handshake_finds_tokens);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
