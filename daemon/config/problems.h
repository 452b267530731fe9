/* What is wrong with a config, collected: a line each, FILE:LINE: what is wrong; what would be right. */
#ifndef TRIPD_CONFIG_PROBLEMS_H
#define TRIPD_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PROBLEMS_SHOWN 50

/* file NULL: of no file, "and 3 more"; line 0: of the file as a whole. */
typedef void config_told_fn(void *context, const char *file, size_t line, const char *what);

struct config_problems {
    const char *file;
    config_told_fn *told; /* is told each as well; NULL: nobody */
    void *context;        /* its */
    char *text;           /* NULL: none yet */
    size_t length;
    unsigned count;
    bool no_memory;
};

/* line 0: of the file as a whole. Beyond CONFIG_PROBLEMS_SHOWN they are only counted. */
__attribute__((format(printf, 3, 4))) void config_problem(struct config_problems *problems, size_t line,
                                                          const char *format, ...);
/* Says how many were not shown. The text is the caller's; NULL: there was none. */
char *config_problems_take(struct config_problems *problems);

#define CONFIG_QUOTE_MAX 48

/* What stands in the file, fit to be shown: in quotes, cut, and without what a terminal would obey. */
const char *config_quote(const char *text, size_t length, char quoted[CONFIG_QUOTE_MAX]);

#endif
