#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "must.h"
#include "states.h"

trip_state row_state(const struct row *row)
{
    for (unsigned i = 0; i < TRIP_STATE_COUNT; i++)
        if (row->states[states_by_trouble[i]])
            return states_by_trouble[i];
    return TRIP_STATE_CLOSED;
}

int row_trouble(const struct row *row)
{
    return 2 * state_trouble(row_state(row)) + (row->moded != 0);
}

/* Is it asked for breakers by their names? */
static bool asks(const struct rows_options *options)
{
    return (options->patterns && options->patterns[0]) || (options->filter && *options->filter);
}

bool rows_wanted(const char *name, const struct rows_options *options)
{
    bool wanted = !options->patterns || !options->patterns[0];
    for (char *const *pattern = options->patterns; pattern && *pattern; pattern++)
        wanted |= settings_pattern_matches(*pattern, name);
    if (!options->filter || !*options->filter)
        return wanted;
    return wanted && (strpbrk(options->filter, "*?") ? settings_pattern_matches(options->filter, name)
                                                     : strstr(name, options->filter) != NULL);
}

bool rows_show(const struct look_breaker *breaker, const struct rows_options *options)
{
    return rows_wanted(breaker->name, options) && (!breaker->hidden || asks(options));
}

/* ------------------------------------------------------------------------------------------------------------- rows */

static struct row row_of(const struct look_breaker *breaker)
{
    struct row row = {.breaker = breaker,
                      .name = breaker->name,
                      .length = strlen(breaker->name),
                      .breakers = 1,
                      .moded = breaker->figures.mode != TRIP_MODE_AUTO,
                      .window_calls = breaker->window_calls,
                      .window_failures = breaker->window_failures,
                      .window_slow = breaker->window_slow,
                      .in_flight = breaker->in_flight,
                      .rates = breaker->rates};
    row.states[breaker->figures.state] = 1;
    return row;
}

static void add_to_group(struct row *group, const struct row *row)
{
    group->breakers += row->breakers;
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        group->states[state] += row->states[state];
    group->moded += row->moded;
    group->window_calls += row->window_calls;
    group->window_failures += row->window_failures;
    group->window_slow += row->window_slow;
    group->in_flight += row->in_flight;
    rates_add(&group->rates, &row->rates);
}

/* A breaker stands before the group of its name. */
static int by_name(const struct row *a, const struct row *b)
{
    const int order = memcmp(a->name, b->name, a->length < b->length ? a->length : b->length);
    if (order == 0 && a->length == b->length)
        return !a->breaker - !b->breaker;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_names(const void *a, const void *b)
{
    return by_name(a, b);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct rows_options *const options = context;
    const int order = options->order ? options->order(a, b) : by_name(a, b);
    if (order == 0)
        return by_name(a, b);
    return options->descending ? -order : order;
}

static void add(struct rows *rows, size_t *room, const struct row *row)
{
    if (rows->count == *room) {
        *room = *room ? 2 * *room : 64;
        rows->rows = must(realloc(rows->rows, *room * sizeof(*row)));
    }
    rows->rows[rows->count++] = *row;
}

/* --------------------------------------------------------------------------------------------------------- the tree */

struct tree {
    const struct rows_options *options;
    struct rows *rows;
    size_t room;
};

static bool is_folded(const struct tree *tree, const struct row *group)
{
    return json_object_getn(tree->options->folded, group->name, group->length) != NULL;
}

/* Finds how many of the leaves, which are sorted by name, belong to the entry that the first one begins: the group of
 * the next part of its name, or the breaker itself. */
static struct row entry_at(const struct row *leaves, size_t count, size_t prefix, unsigned depth, size_t *ret_used)
{
    const char *const slash = strchr(leaves[0].name + prefix, '/');
    struct row entry = leaves[0];
    *ret_used = 1;
    if (slash) {
        entry = (struct row){.name = leaves[0].name, .length = (size_t)(slash - leaves[0].name)};
        for (*ret_used = 0; *ret_used < count; ++*ret_used) {
            const struct row *const leaf = &leaves[*ret_used];
            if (strncmp(leaf->name, entry.name, entry.length + 1) != 0)
                break;
            add_to_group(&entry, leaf);
        }
    }
    entry.label = prefix - (entry.breaker && entry.length == prefix); /* of "a/" the last part is empty: "/" */
    entry.depth = depth;
    return entry;
}

/* An entry of a group, with the leaves that it stands for. */
struct branch {
    struct row row; /* first, so that `compare` sees it */
    const struct row *leaves;
    size_t count;
};

/* Adds the entries of a group whose name, with the slash, is so long; each followed by what is in it. The depth is that
 * of slashes in a name, which TRIP_NAME_MAX bounds. */
static void add_group(struct tree *tree, const struct row *leaves, size_t count, size_t prefix, unsigned depth)
{
    struct branch *const branches = must(malloc((count ? count : 1) * sizeof(*branches)));
    size_t branch_count = 0;
    for (size_t at = 0, used; at < count; at += used) {
        struct branch *const branch = &branches[branch_count++];
        branch->row = entry_at(leaves + at, count - at, prefix, depth, &used);
        branch->leaves = leaves + at;
        branch->count = used;
    }
    if (branch_count)
        qsort_r(branches, branch_count, sizeof(*branches), compare, (void *)tree->options);
    for (size_t i = 0; i < branch_count; i++) {
        struct row *const row = &branches[i].row;
        row->folded = !row->breaker && is_folded(tree, row);
        add(tree->rows, &tree->room, row);
        if (!row->breaker && !row->folded)
            add_group(tree, branches[i].leaves, branches[i].count, row->length + 1, depth + 1);
    }
    free(branches);
}

/* ------------------------------------------------------------------------------------------------------- the result */

void rows_clear(struct rows *rows)
{
    free(rows->rows);
    *rows = (struct rows){0};
}

void rows_make(struct rows *rows, const struct look *look, const struct rows_options *options)
{
    struct rows leaves = {0};
    size_t room = 0;
    rows_clear(rows);
    for (uint32_t i = 0; i < look->count; i++) {
        const struct row row = row_of(look->breakers[i]);
        if (rows_show(row.breaker, options))
            add(&leaves, &room, &row);
    }
    if (!options->tree) {
        if (leaves.count)
            qsort_r(leaves.rows, leaves.count, sizeof(struct row), compare, (void *)options);
        *rows = leaves;
        return;
    }
    struct tree tree = {.options = options, .rows = rows};
    if (leaves.count)
        qsort(leaves.rows, leaves.count, sizeof(struct row), compare_names);
    add_group(&tree, leaves.rows, leaves.count, 0, 0);
    rows_clear(&leaves);
}
