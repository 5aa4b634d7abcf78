/* The completion for fish 3 or newer. */

#include "commands/completion.h"

#include <string.h>

static const char completion_fish_begin[] =
    "# Completion of beacond for fish. Made by: beacond completion fish\n"
    "\n"
    "# The command that the line has: none at its place, serve where options stand instead.\n"
    "function __beacond_command\n"
    "    set -l words (commandline -opc)\n"
    "    if not set -q words[2]\n"
    "        echo none\n"
    "    else if string match -q -- '-*' $words[2]\n"
    "        echo options\n"
    "    else\n"
    "        echo $words[2]\n"
    "    end\n"
    "end\n"
    "\n"
    "function __beacond_is\n"
    "    contains -- (__beacond_command) $argv\n"
    "end\n"
    "\n"
    "# Whether the word at hand is the first behind the command, or behind beacond.\n"
    "function __beacond_first\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -eq 1; or test (count $words) -eq 2; and not __beacond_is options\n"
    "end\n"
    "\n"
    "# Whether these, and no others, are the operands so far. Flags in front of their value count "
    "as one.\n"
    "function __beacond_behind\n"
    "    set -l words (commandline -opc)\n"
    "    set -l operands\n"
    "    set -l value no\n"
    "    for word in $words[3..-1]\n"
    "        if test $value = yes\n"
    "            set value no\n"
    "        else if string match -q -- '-*' $word\n"
    "            contains -- $word $__beacond_valued; and set value yes\n"
    "        else\n"
    "            set -a operands $word\n"
    "        end\n"
    "    end\n"
    "    test \"$operands\" = \"$argv\"\n"
    "end\n"
    "\n";

static void completion_fish_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    completion_escape(out, text, "\\", "\\'");
    fputc('\'', out);
}

/* The flags that have a value, whichever command they are of. */
static void completion_fish_valued(FILE *out)
{
    const struct command *command;
    struct completion_flag flag;
    fputs("set -g __beacond_valued", out);
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++)
        for (size_t n = 0; completion_own(command, n, &flag); n++)
            if (flag.value != COMPLETION_NOTHING)
                fprintf(out, " \\\n    --%s", flag.name);
    for (size_t n = 0; completion_option(n, &flag); n++)
        if (flag.value != COMPLETION_NOTHING)
            fprintf(out, " \\\n    --%s", flag.name);
    fputs("\n\ncomplete -c beacond -f\n", out);
}

static void completion_fish_flag(FILE *out, const struct completion_flag *flag)
{
    fprintf(out, " -l %s", flag->name);
    if (flag->value == COMPLETION_FILE)
        fputs(" -r -F", out);
    else if (flag->value == COMPLETION_FOLDER)
        fputs(" -x -a '(__fish_complete_directories)'", out);
    else if (flag->value == COMPLETION_WORDS)
        fprintf(out, " -x -a '%s'", flag->words);
    else if (flag->value == COMPLETION_ANYTHING)
        fputs(" -x", out);
    fputs(" -d ", out);
    completion_fish_quoted(out, flag->help);
    fputc('\n', out);
}

static void completion_fish_operands(FILE *out, const struct command *command)
{
    char first[1024], second[1024];
    if (completion_takes_files(command))
        fprintf(out, "complete -c beacond -n '__beacond_is %s%s' -F\n", command->name,
                command->usage.most > 1 ? "" : "; and __beacond_behind");
    completion_words(command, NULL, first, sizeof first);
    if (first[0] == '\0')
        return;
    fprintf(out, "complete -c beacond -n '__beacond_is %s; and __beacond_behind' -a '%s'\n",
            command->name, first);
    char *rest = NULL;
    for (char *word = strtok_r(first, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        completion_words(command, word, second, sizeof second);
        if (second[0] != '\0')
            fprintf(out,
                    "complete -c beacond -n '__beacond_is %s; and __beacond_behind %s' -a '%s'\n",
                    command->name, word, second);
    }
}

void completion_fish(FILE *out)
{
    const struct command *command;
    struct completion_flag flag;
    fputs(completion_fish_begin, out);
    completion_fish_valued(out);
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++) {
        fprintf(out, "complete -c beacond -n '__beacond_is none' -a %s -d ", command->name);
        completion_fish_quoted(out, command->help);
        fputc('\n', out);
    }
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++) {
        fputc('\n', out);
        for (size_t n = 0; completion_own(command, n, &flag); n++) {
            fprintf(out, "complete -c beacond -n '__beacond_is %s'", command->name);
            completion_fish_flag(out, &flag);
        }
        completion_fish_operands(out, command);
    }
    fputc('\n', out);
    /* Without a command stands serve. */
    for (size_t n = 0; completion_option(n, &flag); n++) {
        fputs("complete -c beacond -n '__beacond_is none options", out);
        for (size_t i = 0; (command = commands_nth(i)) != NULL; i++)
            if (arguments_takes(&command->usage, flag.name))
                fprintf(out, " %s", command->name);
        fputc('\'', out);
        completion_fish_flag(out, &flag);
    }
    fputs("complete -c beacond -n '__beacond_first; and __beacond_is none", out);
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++)
        fprintf(out, " %s", command->name);
    fputs("' -l help -d '" COMPLETION_HELP "'\n"
          "complete -c beacond -n '__beacond_is none' -l version -d '" COMPLETION_VERSION "'\n",
          out);
}
