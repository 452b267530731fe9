/* tripd's command line. */
#ifndef TRIPD_OPTIONS_H
#define TRIPD_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *instance; /* a valid name */
    const char *config;   /* NULL: the instance's own file, if there is one */
    bool user;
    bool test_clock;
};

enum options_answer {
    OPTIONS_RUN,   /* *ret_options is set */
    OPTIONS_DONE,  /* help or version was printed: exit 0 */
    OPTIONS_WRONG, /* standard error says what is wrong: exit 2 */
};

/* Reads the command line. The strings of *ret_options are argv's and the environment's. */
enum options_answer options_parse(int argc, char **argv, struct options *ret_options);

#endif
