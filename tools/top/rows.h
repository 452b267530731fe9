/* Breakers as rows, sorted and filtered: a list, or a tree of groups that fold. A breaker's name has its groups before
 * its slashes: `payments/db/read` is in `payments/db`, which is in `payments`. A group's row has the sums of its
 * breakers.
 */
#ifndef TRIP_TOP_ROWS_H
#define TRIP_TOP_ROWS_H

#include <jansson.h>

#include "look.h"

struct row {
    const struct look_breaker *breaker; /* NULL: a group */
    const char *name;                   /* of the breaker, or of one in the group */
    size_t length;                      /* of the row's own name: a group's is the beginning of `name` */
    size_t label;                       /* where its last part begins */
    unsigned depth;
    bool folded;
    uint32_t breakers, states[TRIP_STATE_COUNT], moded;
    uint64_t window_calls, window_failures, window_slow, in_flight;
    struct rates rates;
};

/* Compares two rows: which stands first? Ties are broken by name; NULL for the order of names. */
typedef int row_order_fn(const struct row *a, const struct row *b);

struct rows_options {
    bool tree;
    row_order_fn *order;
    bool descending;
    char *const *patterns; /* names or patterns, NULL after the last; none: all */
    const char *filter;    /* a part of a name, or a pattern; NULL or "": all */
    const json_t *folded;  /* names of groups, as keys of an object */
};

struct rows {
    struct row *rows;
    size_t count;
};

/* Makes the rows of a look. They last as long as it. Without memory the program ends. */
void rows_make(struct rows *rows, const struct look *look, const struct rows_options *options);
void rows_clear(struct rows *rows);

/* Is a breaker wanted that has this name? */
bool rows_wanted(const char *name, const struct rows_options *options);
/* Does the breaker get a row, or is it counted in one? One that is hidden does where names are asked for. */
bool rows_show(const struct look_breaker *breaker, const struct rows_options *options);
/* Returns the state of the row, of a group that of the breaker in the most trouble. */
trip_state row_state(const struct row *row);
/* Returns how much trouble it is in: the more, the higher. */
int row_trouble(const struct row *row);

#endif
