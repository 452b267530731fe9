/* Collects what is wrong with a config, a line for each problem. FILE:LINE: what is wrong; what would be right. */
#ifndef TRIPD_CONFIG_PROBLEMS_H
#define TRIPD_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PROBLEMS_SHOWN 50

/* Is told of one problem. file NULL: it is of no file, as "and 3 more"; line 0: it is of the file as a whole. */
typedef void config_told_fn(void *context, const char *file, size_t line, const char *what);

struct config_problems {
    const char *file;
    config_told_fn *told; /* called for each problem as well; NULL: nobody */
    void *context;        /* passed to `told` */
    char *text;           /* the lines; NULL: no problem yet */
    size_t length;
    unsigned count;
    bool no_memory;
};

/* Adds a problem. line 0: it is of the file as a whole. Beyond CONFIG_PROBLEMS_SHOWN problems are only counted. */
__attribute__((format(printf, 3, 4))) void config_problem(struct config_problems *problems, size_t line,
                                                          const char *format, ...);
/* Adds a line that says how many were not shown, and returns all lines, which the caller frees. NULL: no problem. */
char *config_problems_take(struct config_problems *problems);

#define CONFIG_QUOTE_MAX 48

/* Makes a text from the file fit to be shown: in quotes, cut, and without bytes that a terminal would obey. */
const char *config_quote(const char *text, size_t length, char quoted[CONFIG_QUOTE_MAX]);

#endif
