/* The completion for bash 4 or newer, without the package bash-completion. */

#include "commands/completion.h"

#include <string.h>

static const char completion_bash_begin[] =
    "# Completion of beacond for bash. Made by: beacond completion bash\n"
    "\n"
    "# _beacond_value COMMAND OPTION: what stands behind the option, in $value. False: nothing "
    "does.\n"
    "_beacond_value()\n"
    "{\n"
    "    case $1:$2 in\n";

static const char completion_bash_middle[] =
    "    *) return 1 ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# _beacond_quoted BEFORE: names, a line each, behind BEFORE and so that the shell takes them "
    "for "
    "names.\n"
    "_beacond_quoted()\n"
    "{\n"
    "    local name\n"
    "    while IFS= read -r name; do\n"
    "        printf '%s%q\\n' \"$1\" \"$name\"\n"
    "    done\n"
    "}\n"
    "\n"
    "_beacond()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} command=serve flags option='' value='' before=''\n"
    "    local first=1 at alone='--help --version'\n"
    "    local -a operands=()\n"
    "    COMPREPLY=()\n"
    "\n"
    "    if [[ $COMP_CWORD -eq 1 && $current != -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W '";

static const char completion_bash_walk[] =
    "' -- \"$current\")\n"
    "        return\n"
    "    fi\n"
    "    if [[ ${COMP_WORDS[1]} != -* ]]; then\n"
    "        command=${COMP_WORDS[1]}\n"
    "        first=2\n"
    "        alone=--help\n"
    "    fi\n"
    "\n"
    "    # bash makes a word of the = between a name and its value, unless COMP_WORDBREAKS was "
    "changed.\n"
    "    for ((at = first; at < COMP_CWORD; at++)); do\n"
    "        case ${COMP_WORDS[at]} in\n"
    "        --*=*) ;;\n"
    "        -*)\n"
    "            _beacond_value \"$command\" \"${COMP_WORDS[at]}\" || continue\n"
    "            option=${COMP_WORDS[at]}\n"
    "            at=$((at + 1))\n"
    "            if [[ ${COMP_WORDS[at]} = '=' && $at -lt $COMP_CWORD ]]; then\n"
    "                at=$((at + 1))\n"
    "            fi\n"
    "            [[ $at -eq $COMP_CWORD ]] || option=\n"
    "            ;;\n"
    "        *) operands+=(\"${COMP_WORDS[at]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ -n $option && $current = '=' ]]; then\n"
    "        current=\n"
    "    elif [[ -z $option && $current = --*=* ]]; then\n"
    "        option=${current%%=*}\n"
    "        before=$option=\n"
    "        current=${current#*=}\n"
    "    fi\n"
    "\n"
    "    case $command in\n";

static const char completion_bash_operands[] =
    "    *) return ;;\n"
    "    esac\n"
    "    [[ $first -ne $COMP_CWORD ]] || flags+=\" $alone\"\n"
    "    if [[ -n $option ]]; then\n"
    "        _beacond_value \"$command\" \"$option\" || value=nothing\n"
    "    elif [[ $current = -* ]]; then\n"
    "        value=$flags\n"
    "    else\n"
    "        case $command:${operands[*]} in\n";

static const char completion_bash_end[] =
    "        *) value=$flags ;;\n"
    "        esac\n"
    "    fi\n"
    "\n"
    "    # bash itself knows quotes, tildes and variables in names of files.\n"
    "    case $value$before in\n"
    "    nothing*) ;;\n"
    "    files) compopt -o default ;;\n"
    "    folders) compopt -o dirnames ;;\n"
    "    files*) mapfile -t COMPREPLY < <(compgen -f -- \"$current\" | _beacond_quoted "
    "\"$before\") ;;\n"
    "    folders*) mapfile -t COMPREPLY < <(compgen -d -- \"$current\" | _beacond_quoted "
    "\"$before\") ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$value\" -- \"$current\") ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "complete -F _beacond beacond\n";

static void completion_bash_value(FILE *out, const char *command,
                                  const struct completion_flag *flag)
{
    static const char *const told[] = {
        [COMPLETION_ANYTHING] = "nothing",
        [COMPLETION_FILE] = "files",
        [COMPLETION_FOLDER] = "folders",
    };
    if (flag->value == COMPLETION_WORDS)
        fprintf(out, "    %s:--%s) value='%s' ;;\n", command, flag->name, flag->words);
    else if (flag->value != COMPLETION_NOTHING)
        fprintf(out, "    %s:--%s) value=%s ;;\n", command, flag->name, told[flag->value]);
}

static void completion_bash_values(FILE *out)
{
    const struct command *command;
    struct completion_flag flag;
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++)
        for (size_t n = 0; completion_own(command, n, &flag); n++)
            completion_bash_value(out, command->name, &flag);
    for (size_t n = 0; completion_option(n, &flag); n++)
        completion_bash_value(out, "*", &flag);
}

static void completion_bash_flags(FILE *out)
{
    const struct command *command;
    struct completion_flag flag;
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++) {
        if (command != &command_serve && completion_is_like_serve(command))
            continue;
        fputs("    ", out);
        for (size_t n = i; command == &command_serve && commands_nth(++n) != NULL;)
            if (completion_is_like_serve(commands_nth(n)))
                fprintf(out, "%s | ", commands_nth(n)->name);
        fprintf(out, "%s)\n        flags='", command->name);
        for (size_t n = 0; completion_flag(command, n, &flag); n++)
            fprintf(out, "%s--%s", n == 0 ? "" : n % 6 == 0 ? "\n            " : " ", flag.name);
        fputs("'\n", out);
        fputs("        ;;\n", out);
    }
}

static void completion_bash_words(FILE *out)
{
    const struct command *command;
    char first[1024], second[1024];
    for (size_t i = 0; (command = commands_nth(i)) != NULL; i++) {
        if (completion_takes_files(command))
            fprintf(out, "        %s:%s) value=files ;;\n", command->name,
                    command->usage.most > 1 ? "*" : "");
        completion_words(command, NULL, first, sizeof first);
        if (first[0] == '\0')
            continue;
        fprintf(out, "        %s:) value='%s' ;;\n", command->name, first);
        char *rest = NULL;
        for (char *word = strtok_r(first, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            completion_words(command, word, second, sizeof second);
            if (second[0] != '\0')
                fprintf(out, "        %s:%s) value='%s' ;;\n", command->name, word, second);
        }
    }
}

void completion_bash(FILE *out)
{
    fputs(completion_bash_begin, out);
    completion_bash_values(out);
    fputs(completion_bash_middle, out);
    for (size_t i = 0; commands_nth(i) != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", commands_nth(i)->name);
    fputs(completion_bash_walk, out);
    completion_bash_flags(out);
    fputs(completion_bash_operands, out);
    completion_bash_words(out);
    fputs(completion_bash_end, out);
}
