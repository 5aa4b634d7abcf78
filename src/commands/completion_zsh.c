/* The completion for zsh: a file for a folder of $fpath. */

#include "commands/completion.h"

#include <string.h>

static const char completion_zsh_begin[] =
    "#compdef beacond\n"
    "# Completion of beacond for zsh. Made by: beacond completion zsh\n"
    "\n"
    "_beacond() {\n"
    "    local curcontext=$curcontext command=serve\n"
    "    local -a commands flags alone\n"
    "    commands=(\n";

static const char completion_zsh_middle[] =
    "    )\n"
    "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
    "        _describe -t commands command commands\n"
    "        return\n"
    "    fi\n"
    "    if [[ $words[2] == -* ]]; then\n"
    "        alone=('--version[" COMPLETION_VERSION "]')\n"
    "    else\n"
    "        command=$words[2]\n"
    "        shift words\n"
    "        (( CURRENT-- ))\n"
    "    fi\n"
    "    alone+=('--help[" COMPLETION_HELP "]')\n"
    "    (( CURRENT == 2 )) || alone=()\n"
    "\n"
    "    case $command in\n";

static const char completion_zsh_end[] = "    *) return 1 ;;\n"
                                         "    esac\n"
                                         "    _arguments -S $flags $alone\n"
                                         "}\n"
                                         "\n"
                                         "_beacond \"$@\"\n";

/* '*--listen=[help]:ADDRESS: ', as _arguments reads it. */
static void completion_zsh_flag(FILE *out, const struct completion_flag *flag)
{
    bool value = flag->value != COMPLETION_NOTHING;
    fprintf(out, "            '%s--%s%s[", flag->repeats ? "*" : "", flag->name, value ? "=" : "");
    completion_escape(out, flag->help, "[]:\\", "'\\''");
    fputc(']', out);
    if (value) {
        fputc(':', out);
        completion_escape(out, flag->takes, ":\\", "'\\''");
        fputc(':', out);
    }
    if (flag->value == COMPLETION_FILE)
        fputs("_files", out);
    else if (flag->value == COMPLETION_FOLDER)
        fputs("_path_files -/", out);
    else if (flag->value == COMPLETION_WORDS)
        fprintf(out, "(%s)", flag->words);
    else if (value)
        fputc(' ', out);
    fputs("'\n", out);
}

static void completion_zsh_operands(FILE *out, const struct command *command)
{
    char first[1024], second[1024];
    if (completion_takes_files(command))
        fprintf(out, "            '%s:file:_files'\n", command->usage.most > 1 ? "*" : "1");
    completion_words(command, NULL, first, sizeof first);
    if (first[0] == '\0')
        return;
    fprintf(out, "            '1:what:(%s)'\n", first);
    char *rest = NULL;
    for (char *word = strtok_r(first, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        completion_words(command, word, second, sizeof second);
        if (second[0] != '\0')
            fprintf(out, "            ${words[(r)%s]:+'2:what:(%s)'}\n", word, second);
    }
}

static void completion_zsh_command(FILE *out, const struct command *command)
{
    struct completion_flag flag;
    fputs("    ", out);
    for (size_t n = 0; command == &command_serve && commands_nth(n) != NULL; n++)
        if (commands_nth(n) != command && completion_is_like_serve(commands_nth(n)))
            fprintf(out, "%s | ", commands_nth(n)->name);
    fprintf(out, "%s)\n        flags=(\n", command->name);
    for (size_t n = 0; completion_flag(command, n, &flag); n++)
        completion_zsh_flag(out, &flag);
    completion_zsh_operands(out, command);
    fputs("        )\n", out);
    fputs("        ;;\n", out);
}

void completion_zsh(FILE *out)
{
    const struct command *command;
    fputs(completion_zsh_begin, out);
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++) {
        fprintf(out, "        '%s:", command->name);
        completion_escape(out, command->help, ":\\", "'\\''");
        fputs("'\n", out);
    }
    fputs(completion_zsh_middle, out);
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++)
        if (command == &command_serve || !completion_is_like_serve(command))
            completion_zsh_command(out, command);
    fputs(completion_zsh_end, out);
}
