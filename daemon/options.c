#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "internal/paths.h"
#include "trip.h"

/* X(long name, letter or value, argument or "", help) */
#define OPTIONS(X)                                                                               \
    X("instance", 'i', "NAME", "the instance to run; else $TRIP_INSTANCE, else \"default\"")     \
    X("config", 'c', "FILE", "the config file; else /etc/tripd/NAME.yaml, which may be missing") \
    X("user", 'u', "", "run for this user: sockets, config and state in the XDG directories")    \
    X("test-clock", 't', "", "time moves by `tripctl clock advance` alone")                      \
    X("version", 'v', "", "print the version and exit")                                          \
    X("help", 'h', "", "print this help and exit")

#define SHORT_OPTIONS ":i:c:h" /* the others have no letter */

static const struct option long_options[] = {
#define OPTION_LONG(name, value, argument, help) \
    {name, sizeof(argument) > 1 ? required_argument : no_argument, NULL, value},
    OPTIONS(OPTION_LONG){NULL, 0, NULL, 0}};

static void print_option(const char *name, int letter, const char *argument, const char *help)
{
    char spelled[32];
    const bool has_letter = strchr(SHORT_OPTIONS, letter) != NULL;
    snprintf(spelled, sizeof(spelled), "%s%s%s", name, *argument ? " " : "", argument);
    if (has_letter)
        printf("  -%c, --%-16s %s\n", letter, spelled, help);
    else
        printf("      --%-16s %s\n", spelled, help);
}

static void print_help(void)
{
    puts("usage: tripd [OPTION...]\n"
         "The daemon of circuit breakers that every process of a host shares. Stays in the foreground.\n");
#define OPTION_HELP(name, value, argument, help) print_option(name, value, argument, help);
    OPTIONS(OPTION_HELP)
    puts("\nSee tripd(8).");
}

static enum options_answer wrong(const char *what, const char *which)
{
    fprintf(stderr, "tripd: %s%s; `tripd --help` lists what there is\n", what, which);
    return OPTIONS_WRONG;
}

static enum options_answer wrong_option(int answer, char **argv)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    /* A long option is the argument before the next one; a letter may stand among other letters. */
    const char *said = argv[optind - 1];
    if (answer == ':')
        return wrong("an argument is missing after ", said);
    return wrong("there is no option ", strncmp(said, "--", 2) == 0 || !optopt ? said : letter);
}

static enum options_answer check_instance(const char *name, struct options *options)
{
    const char *valid = paths_instance(name);
    if (!valid) {
        fprintf(stderr,
                "tripd: \"%s\" cannot name an instance: 1 to %d letters, digits and . _ - are allowed, and the first "
                "is no dot\n",
                name ? name : getenv("TRIP_INSTANCE"), PATHS_INSTANCE_MAX);
        return OPTIONS_WRONG;
    }
    options->instance = valid;
    return OPTIONS_RUN;
}

enum options_answer options_parse(int argc, char **argv, struct options *ret_options)
{
    struct options options = {0};
    const char *instance = NULL;
    int answer;
    optind = 0; /* glibc: begin anew, for tests */
    opterr = 0;
    while ((answer = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
        switch (answer) {
        case 'i':
            instance = optarg;
            break;
        case 'c':
            options.config = optarg;
            break;
        case 'u':
            options.user = true;
            break;
        case 't':
            options.test_clock = true;
            break;
        case 'v':
            printf("tripd %d.%d.%d\n", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
            return OPTIONS_DONE;
        case 'h':
            print_help();
            return OPTIONS_DONE;
        default:
            return wrong_option(answer, argv);
        }
    }
    if (optind < argc)
        return wrong("no argument is expected: ", argv[optind]);
    if (check_instance(instance, &options) == OPTIONS_WRONG)
        return OPTIONS_WRONG;
    *ret_options = options;
    return OPTIONS_RUN;
}
