/* tripctl: looks at circuit breakers through the state segment, changes them through the control socket. */
#include <stdio.h>

#include "arguments.h"

#define VERB(function, words, operands, options, help) {#function, words, operands, options, help, verb_##function},
static const struct verb verbs[] = {TRIPCTL_VERBS(VERB){0}};

int main(int argc, char **argv)
{
    struct arguments arguments;
    switch (arguments_parse(argc, argv, verbs, &arguments)) {
    case ARGUMENTS_DONE:
        return EXIT_DONE;
    case ARGUMENTS_WRONG:
        return EXIT_USAGE;
    default:
        break;
    }
    const int status = arguments.verb->run(&arguments);
    if (fflush(stdout) != 0) {
        perror("tripctl: standard output");
        return EXIT_REFUSED;
    }
    return status;
}
