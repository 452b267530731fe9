#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "core/settings.h"
#include "internal/paths.h"
#include "internal/printable.h"
#include "internal/rpc.h"
#include "protocol/report_errors.h"
#include "recording.h"
#include "trip.h"

#define WAIT_MS        30000
#define EVERY_MS       1000
#define EVERY_LEAST_MS 100
#define MOST           (UINT64_C(64) << 20)
#define MOST_LEAST     (UINT64_C(64) << 10)
#define COMMON         (OPTION_INSTANCE | OPTION_USER | OPTION_JSON | OPTION_HELP)
#define VERSION        OPTION_COUNT
#define WORDS          (OPTION_COUNT + 1) /* the internal option --complete: prints the words for the completion script */

#define DESCRIBE(suffix, name, letter, argument, help) {name, letter, argument, help},
static const struct {
    const char *name;
    char letter;
    const char *argument, *help;
} descriptions[] = {TRIPCTL_OPTIONS(DESCRIBE)};

#define LONG_OPTION(suffix, name, letter, argument, help) \
    {name, sizeof(argument) > 1 ? required_argument : no_argument, NULL, OPTION_INDEX_##suffix},
static const struct option long_options[] = {TRIPCTL_OPTIONS(LONG_OPTION){"version", no_argument, NULL, VERSION},
                                             {"complete", no_argument, NULL, WORDS},
                                             {NULL, 0, NULL, 0}};

/* ------------------------------------------------------------------------------------------------------------- help */

static void print_options(unsigned which)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        if (!(which & 1u << i))
            continue;
        char letter[8] = "    ", spelled[32];
        if (descriptions[i].letter)
            snprintf(letter, sizeof(letter), "-%c, ", descriptions[i].letter);
        snprintf(spelled, sizeof(spelled), "--%s%s%s", descriptions[i].name, *descriptions[i].argument ? " " : "",
                 descriptions[i].argument);
        printf("  %s%-18s %s\n", letter, spelled, descriptions[i].help);
    }
}

static void print_help(const struct verb *verbs)
{
    puts("usage: tripctl [OPTION...] VERB [OPERAND] [OPTION...]\n"
         "Looks at circuit breakers and changes them.\n");
    for (const struct verb *verb = verbs; verb->words; verb++) {
        char call[40];
        snprintf(call, sizeof(call), "%s %s", verb->words, verb->operands);
        printf("  %-26s %s\n", call, verb->help);
    }
    puts("\nA PATTERN has * for any run of characters and ? for one: quote it. With every verb:\n");
    print_options(COMMON);
    puts("      --version          print the version and exit\n\n"
         "`tripctl VERB --help` lists the options of a verb.\n"
         "Exit status: 0 done, 1 refused or not found, 2 wrong usage, 3 no tripd. See tripctl(1).");
}

static void print_verb_help(const struct verb *verb)
{
    printf("usage: tripctl %s%s%s [OPTION...]\n%s\n\n", verb->words, *verb->operands ? " " : "", verb->operands,
           verb->help);
    print_options(verb->options);
    print_options(COMMON);
}

/* Prints a line for each verb: words, operands or -, options, with tabs between; an option with an argument is
 * =ARGUMENT. */
static void print_words(const struct verb *verbs)
{
    for (const struct verb *verb = verbs; verb->words; verb++) {
        printf("%s\t%s\t", verb->words, *verb->operands ? verb->operands : "-");
        for (unsigned i = 0; i < OPTION_COUNT; i++)
            if ((verb->options | COMMON) & 1u << i)
                printf("--%s%s%s ", descriptions[i].name, *descriptions[i].argument ? "=" : "",
                       descriptions[i].argument);
        putchar('\n');
    }
}

/* ---------------------------------------------------------------------------------------------------------- checks */

static enum arguments_answer wrong(const char *before, const char *what, const char *after)
{
    fprintf(stderr, "tripctl: %s%s%s\n", before, what, after);
    return ARGUMENTS_WRONG;
}

static enum arguments_answer wrong_option(int answer, char **argv)
{
    const char letter[3] = {'-', (char)optopt, '\0'};
    const char *said = argv[optind - 1];
    if (answer == ':')
        return wrong("an argument is missing after ", said, "");
    return wrong("there is no option ", strncmp(said, "--", 2) == 0 || !optopt ? said : letter,
                 "; `tripctl --help` lists what there is");
}

static bool duration(const char *what, const char *text, uint64_t least_ms, uint64_t *ret_ms)
{
    char why[CONFIG_WHY_MAX];
    uint64_t ns;
    if (config_value_parse(CONFIG_DURATION, text, least_ms * TRIP_MS, RPC_DURATION_MAX * TRIP_MS, &ns, why)) {
        *ret_ms = ns / TRIP_MS;
        return true;
    }
    fprintf(stderr, "tripctl: %s'%s' %s\n", what, text, why);
    return false;
}

static bool number(const char *what, const char *text, uint64_t *ret_number)
{
    char why[CONFIG_WHY_MAX];
    if (config_value_parse(CONFIG_COUNT, text, 0, UINT64_MAX, ret_number, why))
        return true;
    fprintf(stderr, "tripctl: %s'%s' %s\n", what, text, why);
    return false;
}

static bool size(const char *what, const char *text, uint64_t *ret_bytes)
{
    char why[CONFIG_WHY_MAX];
    if (config_value_parse(CONFIG_BYTES, text, MOST_LEAST, RECORDING_MAX, ret_bytes, why))
        return true;
    fprintf(stderr, "tripctl: %s'%s' %s\n", what, text, why);
    return false;
}

static bool state(const char *text, trip_state *ret_state)
{
#define STATE_NAME(suffix, name) name,
    static const char *const names[] = {TRIP_STATES(STATE_NAME)};
    for (unsigned i = 0; i < TRIP_STATE_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_state = (trip_state)i;
            return true;
        }
    fprintf(stderr, "tripctl: --state: '%s' is no state; closed, open, half_open and ramping are\n", text);
    return false;
}

static bool reason_ok(const char *reason)
{
    if (strlen(reason) > RPC_REASON_MAX) {
        fprintf(stderr, "tripctl: the reason is longer than %d bytes\n", RPC_REASON_MAX);
        return false;
    }
    if (!printable_all(reason, strlen(reason))) {
        fprintf(stderr, "tripctl: the reason has a control character; it must be one line of text\n");
        return false;
    }
    return true;
}

static bool error_type_ok(const char *type)
{
    if (report_error_type_known(type))
        return true;
    fprintf(stderr,
            "tripctl: --type: '%s' is no type of errors; unknown, network, timeout, service_unavailable, "
            "rate_limited, resource_exhausted, protocol, authentication, internal and user_0 to user_15 are\n",
            type);
    return false;
}

/* Takes one option into *arguments. */
static bool take(unsigned index, const char *value, struct arguments *arguments)
{
    arguments->given |= 1u << index;
    switch (index) {
    case OPTION_INDEX_INSTANCE:
        arguments->instance = value;
        return true;
    case OPTION_INDEX_SEGMENT:
        arguments->segment = value;
        return true;
    case OPTION_INDEX_FOR:
        return duration("--for: ", value, 1, &arguments->for_ms);
    case OPTION_INDEX_TTL:
        return duration("--ttl: ", value, 1, &arguments->ttl_ms);
    case OPTION_INDEX_REASON:
        arguments->reason = value;
        return reason_ok(value);
    case OPTION_INDEX_CONFIG:
        arguments->config = value;
        return true;
    case OPTION_INDEX_SEED:
        return number("--seed: ", value, &arguments->seed);
    case OPTION_INDEX_STATE:
        return state(value, &arguments->state);
    case OPTION_INDEX_TYPE:
        arguments->type = value;
        return error_type_ok(value);
    case OPTION_INDEX_TRACE:
        arguments->trace = value;
        return true;
    case OPTION_INDEX_CORRELATION:
        arguments->correlation = value;
        return true;
    case OPTION_INDEX_SESSION:
        arguments->session = value;
        return true;
    case OPTION_INDEX_TIMEOUT:
        return duration("--timeout: ", value, 1, &arguments->timeout_ms);
    case OPTION_INDEX_EVERY:
        return duration("--every: ", value, EVERY_LEAST_MS, &arguments->every_ms);
    case OPTION_INDEX_MOST:
        return size("--most: ", value, &arguments->most);
    default:
        return true;
    }
}

/* Finds the verb: two words are tried before one, as `config check`. *ret_used: how many words it took. */
static const struct verb *verb_find(const struct verb *verbs, char **words, int count, int *ret_used)
{
    for (int used = count < 2 ? count : 2; used > 0; used--) {
        char spelled[64];
        snprintf(spelled, sizeof(spelled), "%s%s%s", words[0], used > 1 ? " " : "", used > 1 ? words[1] : "");
        for (const struct verb *verb = verbs; verb->words; verb++)
            if (strcmp(verb->words, spelled) == 0) {
                *ret_used = used;
                return verb;
            }
    }
    return NULL;
}

static enum arguments_answer no_verb(const struct verb *verbs, char **words, int count)
{
    const char *names[64];
    size_t known = 0, length = count > 0 ? strlen(words[0]) : 0;
    if (count == 0)
        return wrong("what shall be done? `tripctl --help` lists the verbs", "", "");
    for (const struct verb *verb = verbs; verb->words && known < 64; verb++)
        names[known++] = verb->words;
    for (const struct verb *verb = verbs; verb->words; verb++)
        if (strncmp(verb->words, words[0], length) == 0 && verb->words[length] == ' ')
            return wrong(words[0], " needs another word, as in ", verb->words);
    const char *near = config_value_nearest(words[0], names, known);
    fprintf(stderr, "tripctl: there is no verb %s; %s%s%s\n", words[0], near ? "did you mean `" : "`tripctl --help",
            near ? near : "", near ? "`?" : "` lists the verbs");
    return ARGUMENTS_WRONG;
}

static bool name_ok(const char *name, bool patterns, bool of_breaker)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-*?";
    const size_t length = strlen(name);
    if (length >= 1 && length <= TRIP_NAME_MAX && strspn(name, letters) == length && (patterns || !strpbrk(name, "*?")))
        return true;
    fprintf(stderr, "tripctl: \"%s\" is no %s: 1 to %d of letters, digits and . _ : / @ -%s\n", name,
            patterns     ? "name or pattern"
            : of_breaker ? "name of a breaker"
                         : "name",
            TRIP_NAME_MAX,
            patterns     ? ", with * for any run of characters and ? for one"
            : of_breaker ? "; `tripctl list` takes patterns"
                         : "");
    return false;
}

/* Is it a name of the kind that the verb wants here: NAME, GROUP or FEATURE, and patterns too where it says so? */
static bool operand_ok(const char *wanted, const char *word)
{
    const bool breaker = strstr(wanted, "NAME");
    const bool name = breaker || strstr(wanted, "GROUP") || strstr(wanted, "FEATURE");
    return !word || !name || name_ok(word, strstr(wanted, "PATTERN") != NULL, breaker);
}

/* Does the number of operands fit what the verb says it takes: none, one, or two with a space between? One that stands
 * in [...] may be missing; if that is the first of two, a single operand is the second. */
static bool operands_ok(const struct verb *verb, char **words, int count, struct arguments *arguments)
{
    const char *const second = strchr(verb->operands, ' ');
    const int most = second ? 2 : *verb->operands ? 1 : 0;
    const bool first_may_miss = verb->operands[0] == '[';
    const int least = most - first_may_miss - (second && second[1] == '[');
    if (count > most) {
        wrong(verb->words, " does not take ", words[most]);
        return false;
    }
    if (count < least) {
        wrong(verb->words, " needs ", verb->operands);
        return false;
    }
    const bool first_misses = count == 0 || (second && first_may_miss && count == 1);
    arguments->operand = first_misses ? NULL : words[0];
    arguments->second = count > 1 ? words[1] : first_misses && count == 1 ? words[0] : NULL;
    if (strcmp(verb->operands, "DURATION") == 0)
        return duration("", words[0], 1, &arguments->duration_ms);
    const size_t length = second ? (size_t)(second - verb->operands) : strlen(verb->operands);
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "%.*s", (int)length, verb->operands);
    return operand_ok(wanted, arguments->operand) && (!second || operand_ok(second, arguments->second));
}

static bool options_ok(const struct verb *verb, unsigned given)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (given & ~(verb->options | COMMON) & 1u << i) {
            fprintf(stderr, "tripctl: %s has no option --%s; `tripctl %s --help` lists its options\n", verb->words,
                    descriptions[i].name, verb->words);
            return false;
        }
    return true;
}

static bool instance_ok(struct arguments *arguments)
{
    const char *instance = paths_instance(arguments->instance);
    if (!instance)
        fprintf(stderr, "tripctl: \"%s\" is no instance: 1 to %d letters, digits and . _ -, no dot first\n",
                arguments->instance ? arguments->instance : getenv("TRIP_INSTANCE"), PATHS_INSTANCE_MAX);
    arguments->instance = instance;
    return instance != NULL;
}

/* --------------------------------------------------------------------------------------------------------- the way */

static enum arguments_answer parse_options(int argc, char **argv, const struct verb *verbs, struct arguments *arguments)
{
    int answer;
    optind = 0; /* glibc: begin anew, for tests */
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:hfc:", long_options, NULL)) != -1) {
        if (answer == VERSION) {
            printf("tripctl %d.%d.%d\n", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH);
            return ARGUMENTS_DONE;
        }
        if (answer == WORDS) {
            print_words(verbs);
            return ARGUMENTS_DONE;
        }
        for (unsigned i = 0; i < OPTION_COUNT; i++)
            if (answer == descriptions[i].letter && answer != 0)
                answer = (int)i;
        if (answer >= OPTION_COUNT)
            return wrong_option(answer, argv);
        if (!take((unsigned)answer, optarg, arguments))
            return ARGUMENTS_WRONG;
    }
    return ARGUMENTS_RUN;
}

enum arguments_answer arguments_parse(int argc, char **argv, const struct verb *verbs, struct arguments *ret_arguments)
{
    struct arguments arguments = {.seed = 1, .timeout_ms = WAIT_MS, .every_ms = EVERY_MS, .most = MOST};
    int used = 0;
    const enum arguments_answer answer = parse_options(argc, argv, verbs, &arguments);
    if (answer != ARGUMENTS_RUN)
        return answer;
    arguments.verb = verb_find(verbs, argv + optind, argc - optind, &used);
    if (arguments.given & OPTION_HELP) {
        if (arguments.verb)
            print_verb_help(arguments.verb);
        else
            print_help(verbs);
        return ARGUMENTS_DONE;
    }
    if (!arguments.verb)
        return no_verb(verbs, argv + optind, argc - optind);
    if (!options_ok(arguments.verb, arguments.given) || !instance_ok(&arguments) ||
        !operands_ok(arguments.verb, argv + optind + used, argc - optind - used, &arguments))
        return ARGUMENTS_WRONG;
    *ret_arguments = arguments;
    return ARGUMENTS_RUN;
}
