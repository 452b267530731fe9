/* tripctl's command line: tripctl [OPTION...] VERB [OPERAND] [OPTION...] */
#ifndef TRIP_TOOLS_ARGUMENTS_H
#define TRIP_TOOLS_ARGUMENTS_H

#include "verbs.h"

enum arguments_answer {
    ARGUMENTS_RUN,   /* *ret_arguments is set */
    ARGUMENTS_DONE,  /* help, version, or words for completion were printed */
    ARGUMENTS_WRONG, /* standard error says what is wrong */
};

/* Reads the command line. verbs: a verb without words ends them. Strings of *ret_arguments are argv's and the
 * environment's. */
enum arguments_answer arguments_parse(int argc, char **argv, const struct verb *verbs, struct arguments *ret_arguments);

#endif
