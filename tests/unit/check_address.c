#include "contract/address.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An address as the tables write it: family and all of its bytes that count. */
static const char *address_show(struct address address, char out[64])
{
    static const char *const names[] = {"none", "unix", "4", "6"};
    static const size_t lengths[] = {0, 0, 4, 16};
    size_t at = (size_t)sprintf(out, "%s", names[address.family]);
    for (size_t i = 0; i < lengths[address.family]; i++)
        at += (size_t)sprintf(out + at, "%s%02x", i % 2 == 0 ? " " : "", address.bytes[i]);
    for (size_t i = lengths[address.family]; i < sizeof address.bytes; i++)
        ck_assert_uint_eq(address.bytes[i], 0);
    return out;
}

static struct address address_of(const char *text)
{
    struct address address = {ADDRESS_UNIX, {0}};
    if (strcmp(text, "unix") != 0)
        ck_assert_msg(address_parse(&address, text, strlen(text)) == 0, "%s", text);
    return address;
}

/* ---- one address ---- */

static const struct {
    const char *text;
    const char *shown;
} good[] = {
    {"192.0.2.1", "4 c000 0201"},
    {"0.0.0.0", "4 0000 0000"},
    {"255.255.255.255", "4 ffff ffff"},
    {"::", "6 0000 0000 0000 0000 0000 0000 0000 0000"},
    {"::1", "6 0000 0000 0000 0000 0000 0000 0000 0001"},
    {"2001:db8::1", "6 2001 0db8 0000 0000 0000 0000 0000 0001"},
    {"2001:DB8:0:0:0:0:0:1", "6 2001 0db8 0000 0000 0000 0000 0000 0001"},
    {"[2001:db8::1]", "6 2001 0db8 0000 0000 0000 0000 0000 0001"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "6 ffff ffff ffff ffff ffff ffff ffff ffff"},
    /* mapped: the same client, whichever socket it came by */
    {"::ffff:192.0.2.1", "4 c000 0201"},
    {"::ffff:c000:201", "4 c000 0201"},
    {"[::ffff:192.0.2.1]", "4 c000 0201"},
    /* these only look mapped */
    {"::192.0.2.1", "6 0000 0000 0000 0000 0000 0000 c000 0201"},
    {"::fffe:192.0.2.1", "6 0000 0000 0000 0000 0000 fffe c000 0201"},
    {"::1:ffff:192.0.2.1", "6 0000 0000 0000 0000 0001 ffff c000 0201"},
};

START_TEST(addresses_are_read)
{
    struct address address;
    char shown[64];
    ck_assert_msg(address_parse(&address, good[_i].text, strlen(good[_i].text)) == 0, "%s",
                  good[_i].text);
    ck_assert_str_eq(address_show(address, shown), good[_i].shown);
}
END_TEST

static const char *const bad[] = {
    "",
    "[]",
    "[",
    "]",
    "1",
    "192.0.2",
    "192.0.2.",
    "192.0.2.256",
    "192.0.2.1.",
    "192.0.2.1.1",
    " 192.0.2.1",
    "192.0.2.1 ",
    "192.0.2.1:80",
    "0x7f.0.0.1",
    "192.0.2.-1",
    ":",
    ":::",
    "2001:db8::1::",
    "2001:db8",
    "[2001:db8::1",
    "2001:db8::1]",
    "[2001:db8::1]:80",
    "2001:db8::g",
    "fe80::1%lo",
    "localhost",
    "unknown",
    "_hidden",
    "unix",
    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550",
    "[[::1]]",
};

START_TEST(what_is_no_address_is_refused)
{
    struct address address;
    ck_assert_msg(address_parse(&address, bad[_i], strlen(bad[_i])) == -1, "%s", bad[_i]);
}
END_TEST

START_TEST(only_the_given_length_is_read)
{
    struct address address;
    char shown[64];
    ck_assert_int_eq(address_parse(&address, "192.0.2.123", 10), 0);
    ck_assert_str_eq(address_show(address, shown), "4 c000 020c");
}
END_TEST

/* ---- one client ---- */

static const struct {
    const char *one, *other;
    bool same;
} clients[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"192.0.2.1", "::192.0.2.1", false},
    {"2001:db8::1", "2001:db8::2", true},
    {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
    {"2001:db8::1", "2001:db8:0:1::1", false},
    {"2001:db8::1", "2001:db9::1", false},
    {"unix", "unix", true},
    {"unix", "0.0.0.0", false},
    {"0.0.0.0", "::", false},
};

START_TEST(an_ipv6_client_is_its_64)
{
    struct address one = address_client(address_of(clients[_i].one));
    struct address other = address_client(address_of(clients[_i].other));
    bool same = one.family == other.family && memcmp(one.bytes, other.bytes, 16) == 0;
    ck_assert_msg(same == clients[_i].same, "%s and %s", clients[_i].one, clients[_i].other);
}
END_TEST

/* ---- networks ---- */

static const struct {
    const char *net;
    const char *address;
    bool in;
} nets[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1/32", "192.0.2.1", true},
    {"192.0.2.1/32", "192.0.2.0", false},
    {"192.0.2.1/31", "192.0.2.0", true},
    {"192.0.2.1/31", "192.0.2.2", false},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.1.2.3/8", "10.9.9.9", true}, /* the bits behind don't count */
    {"172.16.0.0/12", "172.31.255.255", true},
    {"172.16.0.0/12", "172.32.0.0", false},
    {"172.16.0.0/12", "172.15.255.255", false},
    {"128.0.0.0/1", "255.0.0.0", true},
    {"128.0.0.0/1", "127.0.0.0", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"0.0.0.0/0", "unix", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "192.0.2.1", false},
    {"::/0", "unix", false},
    {"::1", "::1", true},
    {"[::1]", "::1", true},
    {"::1", "::2", false},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::1/127", "2001:db8::", true},
    {"2001:db8::1/127", "2001:db8::2", false},
    {"192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"::ffff:192.0.2.1", "192.0.2.1", true},
    {"unix", "unix", true},
    {"unix", "127.0.0.1", false},
    {"unix", "0.0.0.0", false},
};

START_TEST(networks_hold_what_agrees_in_their_bits)
{
    struct address_net net;
    struct error err = {""};
    ck_assert_msg(address_net_parse(&net, nets[_i].net, &err) == 0, "%s: %s", nets[_i].net,
                  err.text);
    ck_assert_msg(address_in(address_of(nets[_i].address), &net, 1) == nets[_i].in, "%s in %s",
                  nets[_i].address, nets[_i].net);
}
END_TEST

static const char *const bad_nets[] = {
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/ 8",
    "10.0.0.0/8 ",
    "10.0.0.0/8/8",
    "10.0.0.0/a",
    "10/8",
    "10.0.0.0/99999999999999999999",
    "::/129",
    "::ffff:10.0.0.0/104",
    "proxy.example",
    "Unix",
    "unix:/run/x",
    "unix/0",
    "10.0.0.1:80",
    "*",
};

START_TEST(what_is_no_network_is_refused_with_an_example)
{
    struct address_net net;
    struct error err = {""};
    ck_assert_msg(address_net_parse(&net, bad_nets[_i], &err) == -1, "%s", bad_nets[_i]);
    ck_assert_ptr_nonnull(strstr(err.text, "10.0.0.0/8"));
}
END_TEST

START_TEST(any_of_several_networks_will_do_and_none_holds_nobody)
{
    struct address_net list[2];
    struct error err;
    struct address none = {ADDRESS_NONE, {0}};
    ck_assert_int_eq(address_net_parse(&list[0], "10.0.0.0/8", &err), 0);
    ck_assert_int_eq(address_net_parse(&list[1], "::/0", &err), 0);
    ck_assert(address_in(address_of("10.1.1.1"), list, 2));
    ck_assert(address_in(address_of("2001:db8::1"), list, 2));
    ck_assert(!address_in(address_of("2001:db8::1"), list, 1));
    ck_assert(!address_in(address_of("192.0.2.1"), list, 2));
    ck_assert(!address_in(address_of("10.1.1.1"), NULL, 0));
    ck_assert(!address_in(none, list, 2));
}
END_TEST

/* ---- behind proxies ---- */

/* Trusted are 10.0.0.0/8, 2001:db8:f::/48 and the Unix socket. */
static const struct {
    const char *peer;
    const char *value;
    const char *client;
} forwarded_for[] =
    {
        /* nobody's word but a trusted proxy's counts */
        {"192.0.2.9", "203.0.113.5", "192.0.2.9"},
        {"192.0.2.9", "10.0.0.1", "192.0.2.9"},
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.5", "203.0.113.5"},
        {"unix", "203.0.113.5", "203.0.113.5"},
        {"unix", NULL, "unix"},
        {"2001:db8:f::1", "2001:db8:1::7", "2001:db8:1::7"},
        {"::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"},
        /* read from the right: what stands further left may be forged */
        {"10.0.0.1", "198.51.100.1, 203.0.113.5", "203.0.113.5"},
        {"10.0.0.1", "10.0.0.7,203.0.113.5", "203.0.113.5"},
        {"10.0.0.1", "not an address at all, \",\",,203.0.113.5", "203.0.113.5"},
        {"10.0.0.1", "127.0.0.1, unix, 203.0.113.5", "203.0.113.5"},
        /* several trusted ones in a row */
        {"10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"},
        {"10.0.0.1", "198.51.100.1, 203.0.113.5, 10.0.0.3, 10.0.0.2", "203.0.113.5"},
        {"unix", "203.0.113.5,2001:db8:f::2,10.0.0.2", "203.0.113.5"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"}, /* a client of the inner network */
        /* forms */
        {"10.0.0.1", " \t203.0.113.5\t ", "203.0.113.5"},
        {"10.0.0.1", "198.51.100.1 ,\t203.0.113.5 , 10.0.0.2", "203.0.113.5"},
        {"10.0.0.1", "203.0.113.5:4711", "203.0.113.5"},
        {"10.0.0.1", "2001:db8:1::7", "2001:db8:1::7"},
        {"10.0.0.1", "[2001:db8:1::7]", "2001:db8:1::7"},
        {"10.0.0.1", "[2001:db8:1::7]:4711", "2001:db8:1::7"},
        {"10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"},
        {"10.0.0.1", "203.0.113.5, ::ffff:10.0.0.2", "203.0.113.5"},
        /* what can't be read: the last one that could be */
        {"10.0.0.1", "unknown", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.5, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "203.0.113.5, , 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "203.0.113.5,", "10.0.0.1"},
        {"10.0.0.1", "203.0.113", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8:1::7", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8:1::7]x", "10.0.0.1"},
        {"10.0.0.1", "for=203.0.113.5", "10.0.0.1"},
        {"10.0.0.1", "\"203.0.113.5\"", "10.0.0.1"},
        {"10.0.0.1", ",", "10.0.0.1"},
},
  forwarded[] = {
      {"192.0.2.9", "for=203.0.113.5", "192.0.2.9"},
      {"10.0.0.1", NULL, "10.0.0.1"},
      {"10.0.0.1", "", "10.0.0.1"},
      {"10.0.0.1", "for=203.0.113.5", "203.0.113.5"},
      {"unix", "FOR=203.0.113.5", "203.0.113.5"},
      {"10.0.0.1", "For=\"203.0.113.5\"", "203.0.113.5"},
      {"10.0.0.1", "for=\"203.0.113.5:4711\"", "203.0.113.5"},
      {"10.0.0.1", "for=\"[2001:db8:1::7]\"", "2001:db8:1::7"},
      {"10.0.0.1", "for=\"[2001:db8:1::7]:4711\"", "2001:db8:1::7"},
      {"10.0.0.1", "for=\"[2001:db8:1::7]:_port\"", "2001:db8:1::7"},
      {"10.0.0.1", "for=[2001:db8:1::7]", "2001:db8:1::7"},
      {"10.0.0.1", "for=\"::ffff:203.0.113.5\"", "203.0.113.5"},
      {"10.0.0.1", "proto=https;for=203.0.113.5;by=10.0.0.1", "203.0.113.5"},
      {"10.0.0.1", "by=10.0.0.1 ; for=203.0.113.5 ; host=x", "203.0.113.5"},
      {"10.0.0.1", "by=198.51.100.1;proto=http", "10.0.0.1"},
      {"10.0.0.1", "xfor=198.51.100.1", "10.0.0.1"},
      /* from the right, through trusted ones */
      {"10.0.0.1", "for=198.51.100.1, for=203.0.113.5", "203.0.113.5"},
      {"10.0.0.1", "for=10.0.0.9, for=203.0.113.5;proto=https", "203.0.113.5"},
      {"10.0.0.1", "for=198.51.100.1,for=203.0.113.5,for=10.0.0.3;by=10.0.0.2,for=10.0.0.2",
       "203.0.113.5"},
      {"unix", "for=203.0.113.5, for=\"[2001:db8:f::2]:99\"", "203.0.113.5"},
      /* nodes without an address: unknown, obfuscated, empty, broken */
      {"10.0.0.1", "for=unknown", "10.0.0.1"},
      {"10.0.0.1", "for=_hidden", "10.0.0.1"},
      {"10.0.0.1", "for=\"_hidden:80\"", "10.0.0.1"},
      {"10.0.0.1", "for=203.0.113.5, for=_hidden, for=10.0.0.2", "10.0.0.2"},
      {"10.0.0.1", "for=", "10.0.0.1"},
      {"10.0.0.1", "for=\"\"", "10.0.0.1"},
      {"10.0.0.1", "for=\"203.0.113.5", "10.0.0.1"},
      {"10.0.0.1", "for", "10.0.0.1"},
      {"10.0.0.1", "203.0.113.5", "10.0.0.1"},
      {"10.0.0.1", "for=203.0.113.5,", "10.0.0.1"},
      {"10.0.0.1", ";;;", "10.0.0.1"},
      /* a quote that somebody left open on the left does not swallow the proxy's word */
      {"10.0.0.1", "for=\"198.51.100.1, for=203.0.113.5", "203.0.113.5"},
      {"10.0.0.1", "host=\"a, for=203.0.113.5;host=\"b\"", "203.0.113.5"},
      {"10.0.0.1", "\\\", for=203.0.113.5;host=\"b\"", "203.0.113.5"},
      /* what stands in quotes is the client's word, told on by the proxy */
      {"10.0.0.1", "host=\"a;for=198.51.100.1;b\";for=203.0.113.5", "203.0.113.5"},
      {"10.0.0.1", "for=203.0.113.5;host=\"a,for=198.51.100.1\"", "203.0.113.5"},
      {"10.0.0.1", "for=203.0.113.5;host=\"a,for=198.51.100.1;b\"", "203.0.113.5"},
      {"10.0.0.1", "for=203.0.113.5;host=\"a\\\",for=198.51.100.1;b\\\"\"", "203.0.113.5"},
      {"10.0.0.1", "host=\"\\\";for=198.51.100.1;\\\"\";for=203.0.113.5", "203.0.113.5"},
      {"10.0.0.1", "for=203.0.113.5;host=\"\\\\\\\"\"", "203.0.113.5"},
      {"10.0.0.1", "for=203.0.113.5;host=\"a\\\\\", for=10.0.0.2;host=\",\"", "203.0.113.5"},
};

static void check_behind(enum address_header header, const char *peer, const char *value,
                         const char *expected)
{
    struct address_net trusted[3];
    struct error err;
    char got[64], wanted[64];
    ck_assert_int_eq(address_net_parse(&trusted[0], "10.0.0.0/8", &err), 0);
    ck_assert_int_eq(address_net_parse(&trusted[1], "2001:db8:f::/48", &err), 0);
    ck_assert_int_eq(address_net_parse(&trusted[2], "unix", &err), 0);
    struct address client = address_behind(address_of(peer), header, value, trusted, 3);
    ck_assert_msg(
        strcmp(address_show(client, got), address_show(address_of(expected), wanted)) == 0,
        "%s behind %s: got %s, expected %s", value == NULL ? "(none)" : value, peer, got, wanted);
}

START_TEST(x_forwarded_for_is_read_from_the_right)
{
    check_behind(ADDRESS_X_FORWARDED_FOR, forwarded_for[_i].peer, forwarded_for[_i].value,
                 forwarded_for[_i].client);
}
END_TEST

START_TEST(forwarded_is_read_from_the_right)
{
    check_behind(ADDRESS_FORWARDED, forwarded[_i].peer, forwarded[_i].value, forwarded[_i].client);
}
END_TEST

START_TEST(without_a_configured_header_or_proxy_nothing_is_believed)
{
    struct address_net all;
    struct error err;
    char got[64];
    struct address peer = address_of("10.0.0.1");
    ck_assert_int_eq(address_net_parse(&all, "0.0.0.0/0", &err), 0);
    ck_assert_str_eq(
        address_show(address_behind(peer, ADDRESS_HEADER_NONE, "203.0.113.5", &all, 1), got),
        "4 0a00 0001");
    ck_assert_str_eq(
        address_show(address_behind(peer, ADDRESS_X_FORWARDED_FOR, "203.0.113.5", NULL, 0), got),
        "4 0a00 0001");
}
END_TEST

START_TEST(when_everybody_is_trusted_the_leftmost_is_the_client)
{
    struct address_net all;
    struct error err;
    char got[64];
    ck_assert_int_eq(address_net_parse(&all, "0.0.0.0/0", &err), 0);
    ck_assert_str_eq(address_show(address_behind(address_of("10.0.0.1"), ADDRESS_X_FORWARDED_FOR,
                                                 "192.0.2.1,192.0.2.2,192.0.2.3", &all, 1),
                                  got),
                     "4 c000 0201");
}
END_TEST

START_TEST(a_long_header_is_read_in_a_straight_line)
{
    /* As long as a head may be, ten times over: if each element cost a look at all of it, the
     * runner's patience would end first. */
    static char value[1 << 22];
    size_t at = 0;
    while (at < sizeof value - 16)
        at += (size_t)sprintf(value + at, "for=10.0.0.1,");
    check_behind(ADDRESS_FORWARDED, "10.0.0.1", value, "10.0.0.1");
    memset(value, '\\', sizeof value - 2);
    value[sizeof value - 2] = '"';
    check_behind(ADDRESS_FORWARDED, "10.0.0.1", value, "10.0.0.1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *one = tcase_create("address");
    TCase *net = tcase_create("network");
    TCase *behind = tcase_create("behind");

    tcase_add_loop_test(one, addresses_are_read, 0, COUNT(good));
    tcase_add_loop_test(one, what_is_no_address_is_refused, 0, COUNT(bad));
    tcase_add_test(one, only_the_given_length_is_read);
    tcase_add_loop_test(one, an_ipv6_client_is_its_64, 0, COUNT(clients));
    tcase_add_loop_test(net, networks_hold_what_agrees_in_their_bits, 0, COUNT(nets));
    tcase_add_loop_test(net, what_is_no_network_is_refused_with_an_example, 0, COUNT(bad_nets));
    tcase_add_test(net, any_of_several_networks_will_do_and_none_holds_nobody);
    tcase_add_loop_test(behind, x_forwarded_for_is_read_from_the_right, 0, COUNT(forwarded_for));
    tcase_add_loop_test(behind, forwarded_is_read_from_the_right, 0, COUNT(forwarded));
    tcase_add_test(behind, without_a_configured_header_or_proxy_nothing_is_believed);
    tcase_add_test(behind, when_everybody_is_trusted_the_leftmost_is_the_client);
    tcase_add_test(behind, a_long_header_is_read_in_a_straight_line);
    suite_add_tcase(suite, one);
    suite_add_tcase(suite, net);
    suite_add_tcase(suite, behind);
    return unit_main(suite);
}
