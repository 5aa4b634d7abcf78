#include "options/arguments.h"

#include <getopt.h>
#include <string.h>

#include "options/table.h"

/* getopt_long's codes, beyond what it returns of its own: rows of the table, then own flags. */
#define ARGUMENTS_ROW 1000
#define ARGUMENTS_OWN 2000
#define ARGUMENTS_MOST 200

static size_t arguments_count(const struct arguments_usage *usage)
{
    size_t count = 0;
    while (usage->flags != NULL && usage->flags[count].name != NULL)
        count++;
    return count;
}

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    size_t count = arguments_count(arguments->usage);
    for (size_t i = 0; i < count; i++)
        if (strcmp(arguments->usage->flags[i].name, name) == 0)
            return arguments->values[i];
    return NULL;
}

bool arguments_takes(const struct arguments_usage *usage, const char *option)
{
    if (usage->options == NULL)
        return true;
    for (size_t i = 0; usage->options[i] != NULL; i++)
        if (strcmp(usage->options[i], option) == 0)
            return true;
    return false;
}

void arguments_help(FILE *out, const struct arguments_usage *usage)
{
    size_t count = arguments_count(usage);
    for (size_t i = 0; i < count; i++) {
        const struct arguments_flag *flag = &usage->flags[i];
        fprintf(out, "  --%s%s%s\n      %s\n", flag->name, flag->takes != NULL ? " " : "",
                flag->takes != NULL ? flag->takes : "", flag->help);
    }
}

/* getopt_long takes any unambiguous beginning of a name. Scripts that rely on that break when an
 * option is added, so only whole names count. */
static bool arguments_is_whole(const char *argument, const char *name)
{
    size_t len = strlen(name);
    return strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, len) == 0 &&
           (argument[2 + len] == '\0' || argument[2 + len] == '=');
}

static int arguments_bad_flag(const struct arguments_usage *usage, const char *argument, int code,
                              struct error *err)
{
    int len = (int)strcspn(argument, "="); /* what stands behind may be a key */
    bool value = code >= ARGUMENTS_OWN
                     ? usage->flags[code - ARGUMENTS_OWN].takes != NULL
                     : code >= ARGUMENTS_ROW &&
                           options_row((size_t)(code - ARGUMENTS_ROW))->kind != OPTIONS_FLAG;

    if (code < ARGUMENTS_ROW)
        error_set(err, "there is no option %.*s", len, argument);
    else if (value)
        error_set(err, "%.*s needs a value", len, argument);
    else
        error_set(err, "%.*s takes no value", len, argument);
    return OPTIONS_USAGE;
}

/* All flags that the command takes, as getopt_long wants them. */
static void arguments_flags(const struct arguments_usage *usage, struct option *flags)
{
    size_t count = 0, own = arguments_count(usage);
    for (size_t i = 0; options_row(i) != NULL; i++) {
        const struct options_row *row = options_row(i);
        if (!arguments_takes(usage, row->name))
            continue;
        flags[count++] =
            (struct option){.name = row->name,
                            .has_arg = row->kind == OPTIONS_FLAG ? no_argument : required_argument,
                            .val = ARGUMENTS_ROW + (int)i};
    }
    for (size_t i = 0; i < own; i++)
        flags[count++] = (struct option){
            .name = usage->flags[i].name,
            .has_arg = usage->flags[i].takes == NULL ? no_argument : required_argument,
            .val = ARGUMENTS_OWN + (int)i};
    flags[count] = (struct option){0};
}

static int arguments_take(struct options_reader *reader, struct arguments *arguments,
                          const char *argument, int code, struct error *err)
{
    const struct options_row *row = NULL;
    const char *name;
    if (code >= ARGUMENTS_OWN) {
        name = arguments->usage->flags[code - ARGUMENTS_OWN].name;
    } else {
        row = options_row((size_t)(code - ARGUMENTS_ROW));
        name = row->name;
    }
    if (!arguments_is_whole(argument, name))
        return arguments_bad_flag(arguments->usage, argument, 0, err);
    if (row == NULL) {
        arguments->values[code - ARGUMENTS_OWN] = optarg != NULL ? optarg : "";
        return OPTIONS_OK;
    }
    char where[64];
    snprintf(where, sizeof(where), "--%s", row->name);
    const char *value = row->kind == OPTIONS_FLAG ? "yes" : optarg;
    return options_take(reader, row, OPTIONS_FROM_FLAG, where, value, err) == 0 ? OPTIONS_OK
                                                                                : OPTIONS_CONFIG;
}

static int arguments_operands(struct arguments *arguments, int argc, char **argv, struct error *err)
{
    const struct arguments_usage *usage = arguments->usage;
    size_t count = (size_t)(argc - optind);
    if (count > usage->most) {
        error_set(err, "\"%s\" is not expected here", argv[optind + (int)usage->most]);
        return OPTIONS_USAGE;
    }
    if (count < usage->least) {
        error_set(err, "expected %s", usage->operands);
        return OPTIONS_USAGE;
    }
    arguments->operands = argv + optind;
    arguments->operand_count = count;
    return OPTIONS_OK;
}

/* Where the flag stands that getopt_long has just read, which may have skipped operands. */
static int arguments_place(int argc, char **argv)
{
    if (optarg != NULL && optind >= 2 && optarg == argv[optind - 1])
        return optind - 2;
    /* A group of short ones is not left before its last. */
    if (strncmp(argv[optind - 1], "-", 1) != 0 && optind < argc)
        return optind;
    return optind - 1;
}

int options_read_flags(struct options_reader *reader, struct arguments *arguments, int argc,
                       char **argv, struct error *err)
{
    struct option flags[ARGUMENTS_MOST];
    /* Flags may stand behind operands where there are any, as people type them. */
    const char *form = arguments->usage->most > 0 ? ":" : "+:";
    int code, status = OPTIONS_OK;

    arguments_flags(arguments->usage, flags);
    optind = 0; /* start anew, whoever used getopt before */
    opterr = 0;
    while (status == OPTIONS_OK) {
        optopt = 0;
        optarg = NULL;
        code = getopt_long(argc, argv, form, flags, NULL);
        if (code == -1)
            break;
        int at = arguments_place(argc, argv);
        if (code < ARGUMENTS_ROW)
            status = arguments_bad_flag(arguments->usage, argv[at], optopt, err);
        else
            status = arguments_take(reader, arguments, argv[at], code, err);
    }
    return status == OPTIONS_OK ? arguments_operands(arguments, argc, argv, err) : status;
}
