#include "commands/completion.h"

#include <string.h>

static void completion_add(char *words, size_t size, const char *word, size_t len)
{
    size_t used = strlen(words);
    snprintf(words + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)len, word);
}

static enum completion_value completion_kind(const struct completion_flag *flag)
{
    if (flag->takes == NULL)
        return COMPLETION_NOTHING;
    if (flag->words[0] != '\0')
        return COMPLETION_WORDS;
    if (strcmp(flag->takes, "FILE") == 0)
        return COMPLETION_FILE;
    return strcmp(flag->takes, "DIR") == 0 ? COMPLETION_FOLDER : COMPLETION_ANYTHING;
}

bool completion_option(size_t n, struct completion_flag *flag)
{
    struct options_about about;
    if (!options_about(n, &about))
        return false;
    *flag = (struct completion_flag){
        .name = about.name, .help = about.help, .takes = about.takes, .repeats = about.repeats};
    for (size_t i = 0; about.choices != NULL && about.choices[i] != NULL; i++)
        completion_add(flag->words, sizeof flag->words, about.choices[i], strlen(about.choices[i]));
    flag->value = completion_kind(flag);
    return true;
}

bool completion_own(const struct command *command, size_t n, struct completion_flag *flag)
{
    const struct arguments_flag *own = command->usage.flags;
    for (size_t i = 0; own != NULL && i < n; i++, own++)
        if (own->name == NULL)
            return false;
    if (own == NULL || own->name == NULL)
        return false;
    *flag = (struct completion_flag){.name = own->name, .help = own->help, .takes = own->takes};
    /* "ndjson|csv" */
    const char *word = own->takes != NULL && strchr(own->takes, '|') != NULL ? own->takes : "";
    while (*word != '\0') {
        size_t len = strcspn(word, "|");
        completion_add(flag->words, sizeof flag->words, word, len);
        word += len + (word[len] == '|');
    }
    flag->value = completion_kind(flag);
    return true;
}

bool completion_flag(const struct command *command, size_t n, struct completion_flag *flag)
{
    size_t at = 0;
    for (; completion_own(command, at, flag); at++)
        if (at == n)
            return true;
    for (size_t i = 0; completion_option(i, flag); i++)
        if (arguments_takes(&command->usage, flag->name) && at++ == n)
            return true;
    return false;
}

bool completion_takes_files(const struct command *command)
{
    return command->usage.operands != NULL && strncmp(command->usage.operands, "FILE", 4) == 0;
}

static bool completion_has(const char *words, const char *word, size_t len)
{
    for (; *words != '\0'; words += strcspn(words, " "), words += *words == ' ')
        if (strncmp(words, word, len) == 0 && (words[len] == ' ' || words[len] == '\0'))
            return true;
    return false;
}

void completion_words(const struct command *command, const char *first, char *words, size_t size)
{
    const char *word;
    words[0] = '\0';
    for (size_t n = 0; command->usage.word != NULL && (word = command->usage.word(n)) != NULL;
         n++) {
        size_t len = strcspn(word, " ");
        const char *found = first == NULL ? word : "";
        if (first != NULL && strlen(first) == len && strncmp(first, word, len) == 0)
            found = word + len + (word[len] == ' ');
        len = strcspn(found, " ");
        if (len > 0 && !completion_has(words, found, len))
            completion_add(words, size, found, len);
    }
}

bool completion_is_like_serve(const struct command *command)
{
    return command->usage.options == NULL && command->usage.flags == NULL &&
           command->usage.operands == NULL;
}

void completion_escape(FILE *out, const char *text, const char *special, const char *quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs(quote, out);
            continue;
        }
        if (strchr(special, *text) != NULL)
            fputc('\\', out);
        fputc(*text, out);
    }
}

static const struct {
    const char *name;
    void (*write)(FILE *out);
} completion_shells[] = {
    {"bash", completion_bash},
    {"zsh", completion_zsh},
    {"fish", completion_fish},
};

enum { COMPLETION_SHELLS = sizeof completion_shells / sizeof completion_shells[0] };

static const char *completion_shell(size_t n)
{
    return n < COMPLETION_SHELLS ? completion_shells[n].name : NULL;
}

static int completion_run(const struct options *options, const struct arguments *arguments)
{
    (void)options;
    for (size_t i = 0; i < COMPLETION_SHELLS; i++) {
        if (strcmp(arguments->operands[0], completion_shells[i].name) == 0) {
            completion_shells[i].write(stdout);
            return COMMAND_OK;
        }
    }
    fprintf(stderr, "beacond: completion: expected bash, zsh or fish, got \"%s\"\n",
            arguments->operands[0]);
    return COMMAND_USAGE;
}

static const char *const completion_options[] = {NULL};

const struct command command_completion = {
    .name = "completion",
    .help = "print what makes a shell complete command lines",
    .usage = {.options = completion_options,
              .operands = "bash | zsh | fish",
              .word = completion_shell,
              .least = 1,
              .most = 1,
              .bare = true},
    .run = completion_run,
};
