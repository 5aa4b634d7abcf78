/*
 * standalone.c: a fuzz target without libFuzzer, for any compiler. "fuzz_x FOLDER" runs it over the
 * inputs in FOLDER, then over mutations of them, the same ones in every run (dice.h says how to get
 * others). When the target ends the process, the input is told in hexadecimal digits.
 */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/dice.h"
#include "fuzz.h"

#define MUTATIONS 10000 /* of all inputs together */
#define MOST_BYTES 65536

/* One input, and the number of its mutation, for whoever looks into it when the target has failed.
 */
static struct {
    const char *seed;
    unsigned mutation;
    uint8_t data[MOST_BYTES];
    size_t len;
} input;

/* Runs the target on a copy of just that size: nothing behind it may be read. */
static void run(void)
{
    uint8_t *copy = malloc(input.len + 1);
    if (copy == NULL)
        abort();
    memcpy(copy + 1, input.data, input.len);
    LLVMFuzzerTestOneInput(copy + 1, input.len);
    free(copy);
}

static bool load(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    input.seed = name;
    input.mutation = 0;
    input.len = fread(input.data, 1, sizeof input.data, file);
    bool good = ferror(file) == 0;
    fclose(file);
    return good;
}

static void insert(struct dice *dice, size_t len)
{
    size_t at = dice_roll(dice, input.len + 1), from = dice_roll(dice, input.len + 1);
    if (len > input.len - from)
        len = input.len - from;
    if (len > sizeof input.data - input.len)
        return;
    uint8_t part[64];
    memcpy(part, input.data + from, len);
    memmove(input.data + at + len, input.data + at, input.len - at);
    memcpy(input.data + at, part, len);
    input.len += len;
}

static void drop(struct dice *dice, size_t len)
{
    size_t at = dice_roll(dice, input.len + 1);
    if (len > input.len - at)
        len = input.len - at;
    memmove(input.data + at, input.data + at + len, input.len - at - len);
    input.len -= len;
}

static void mutate(struct dice *dice)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x88,
                                      0x89, 0xc0, 0xc1, 0xc3, 0xf4, 0xfe, 0xff, '"'};
    uint8_t *at = input.len > 0 ? &input.data[dice_roll(dice, input.len)] : input.data;
    switch (dice_roll(dice, 6)) {
    case 0:
        *at ^= (uint8_t)(1 << dice_roll(dice, 8));
        break;
    case 1:
        *at = (uint8_t)dice_roll(dice, 256);
        break;
    case 2:
        *at = telling[dice_roll(dice, sizeof telling)];
        break;
    case 3:
        insert(dice, 1 + dice_roll(dice, 64));
        break;
    case 4:
        drop(dice, 1 + dice_roll(dice, 16));
        break;
    default:
        input.data[0] = (uint8_t)dice_roll(dice, 256); /* the options */
        break;
    }
}

/* abort() of the target, or of a sanitizer. */
static void on_abort(int signal_number)
{
    static char text[2 * MOST_BYTES + 512];
    size_t len = (size_t)snprintf(text, 512, "%s, mutation %u:\n", input.seed, input.mutation);
    for (size_t i = 0; i < input.len; i++) {
        text[len++] = "0123456789abcdef"[input.data[i] >> 4];
        text[len++] = "0123456789abcdef"[input.data[i] & 15];
    }
    text[len++] = '\n';
    if (write(STDOUT_FILENO, text, len) < 0)
        _exit(2);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int seeds_only(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **seeds;
    const char *slow = getenv("BEACOND_SLOW");
    int count = argc == 2 ? scandir(argv[1], &seeds, seeds_only, alphasort) : -1;
    if (count <= 0) {
        fprintf(stderr, "usage: %s FOLDER (of inputs, one at least)\n", argv[0]);
        return 2;
    }
    unsigned mutations = MUTATIONS / (unsigned)count + 1;
    if (slow != NULL && *slow == '1')
        mutations = mutations / 50 + 1;
    signal(SIGABRT, on_abort);
    struct dice dice = dice_new();
    int failed = 0;
    for (int i = 0; i < count; i++) {
        bool loaded = load(argv[1], seeds[i]->d_name);
        if (loaded)
            run();
        for (unsigned n = 1; loaded && n <= mutations; n++) {
            load(argv[1], seeds[i]->d_name);
            input.mutation = n;
            for (size_t times = 1 + dice_roll(&dice, 4); times > 0; times--)
                mutate(&dice);
            run();
        }
        if (!loaded)
            printf("%s can't be read\n", seeds[i]->d_name);
        failed += !loaded;
        free(seeds[i]);
    }
    free(seeds);
    printf("%d inputs and %u mutations of each\n", count, mutations);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
