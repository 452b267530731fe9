#include "columns.h"

#include <stdio.h>
#include <string.h>

#include "format.h"
#include "internal/enum_names.h"
#include "keys.h"
#include "states.h"
#include "symbols.h"

#define NAME_MAX_WIDTH 60
#define CELL_MAX       128

#define COLUMN_FACTS(suffix, heading, width, right, rank, help) {heading, width, right, rank, help},
static const struct {
    const char *heading;
    int width;
    bool right;
    int rank;
    const char *help;
} facts[COLUMN_COUNT] = {COLUMNS(COLUMN_FACTS)};

static const char *const keys[COLUMN_COUNT] = {"name",   "state",   "mode", "owner",  "calls",
                                               "failed", "slow",    "p50",  "p99",    "in_flight",
                                               "denied", "permits", "next", "reason", "trail"};

const char *column_heading(enum column column)
{
    return facts[column].heading;
}

const char *column_help(enum column column)
{
    return facts[column].help;
}

const char *column_key(enum column column)
{
    return keys[column];
}

bool column_of_key(const char *key, enum column *ret_column)
{
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        if (strcmp(keys[column], key) == 0) {
            *ret_column = (enum column)column;
            return true;
        }
    return false;
}

void columns_manual(FILE *out)
{
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        manual_entry(out, facts[column].heading, facts[column].help);
}

/* ------------------------------------------------------------------------------------------------------------ plan */

static int needed(const bool there[COLUMN_COUNT])
{
    int width = -1;
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        width += there[column] ? facts[column].width + 1 : 0;
    return width;
}

/* Returns the column to leave out next. COLUMN_COUNT: all that are left must stay. */
static unsigned least(const bool there[COLUMN_COUNT])
{
    unsigned found = COLUMN_COUNT;
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        if (there[column] && facts[column].rank && (found == COLUMN_COUNT || facts[column].rank >= facts[found].rank))
            found = column;
    return found;
}

struct columns_plan columns_plan(int width)
{
    struct columns_plan plan = {0};
    bool there[COLUMN_COUNT];
    memset(there, true, sizeof(there));
    for (unsigned column; needed(there) > width && (column = least(there)) < COLUMN_COUNT;)
        there[column] = false;
    const int left = width - needed(there), name = facts[COLUMN_NAME].width + (left > 0 ? left : 0);
    for (unsigned column = 0, at = 0; column < COLUMN_COUNT; column++) {
        if (!there[column])
            continue;
        plan.at[column] = (int)at;
        plan.width[column] =
            column == COLUMN_NAME ? (name < NAME_MAX_WIDTH ? name : NAME_MAX_WIDTH) : facts[column].width;
        at += (unsigned)plan.width[column] + 1;
    }
    return plan;
}

/* ----------------------------------------------------------------------------------------------------------- order */

static int numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int order_state(const struct row *a, const struct row *b)
{
    return row_trouble(a) - row_trouble(b);
}

static int order_calls(const struct row *a, const struct row *b)
{
    return numbers(a->rates.calls, b->rates.calls);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : -1;
}

static int order_failed(const struct row *a, const struct row *b)
{
    return numbers(share(a->window_failures, a->window_calls), share(b->window_failures, b->window_calls));
}

static int order_slow(const struct row *a, const struct row *b)
{
    return numbers(share(a->window_slow, a->window_calls), share(b->window_slow, b->window_calls));
}

static int order_p50(const struct row *a, const struct row *b)
{
    return numbers(a->breaker ? a->breaker->p50_ms : -1, b->breaker ? b->breaker->p50_ms : -1);
}

static int order_p99(const struct row *a, const struct row *b)
{
    return numbers(a->breaker ? a->breaker->p99_ms : -1, b->breaker ? b->breaker->p99_ms : -1);
}

static int order_in_flight(const struct row *a, const struct row *b)
{
    return numbers((double)a->in_flight, (double)b->in_flight);
}

static int order_denied(const struct row *a, const struct row *b)
{
    return numbers(a->rates.denied, b->rates.denied);
}

static int order_mode(const struct row *a, const struct row *b)
{
    return (a->moded > b->moded) - (a->moded < b->moded);
}

row_order_fn *column_order(enum column column)
{
    static row_order_fn *const orders[COLUMN_COUNT] = {
        [COLUMN_STATE] = order_state,   [COLUMN_MODE] = order_mode,           [COLUMN_CALLS] = order_calls,
        [COLUMN_FAILED] = order_failed, [COLUMN_SLOW] = order_slow,           [COLUMN_P50] = order_p50,
        [COLUMN_P99] = order_p99,       [COLUMN_IN_FLIGHT] = order_in_flight, [COLUMN_DENIED] = order_denied};
    return orders[column];
}

bool column_sorts(enum column column)
{
    return column == COLUMN_NAME || column_order(column);
}

bool column_descends(enum column column)
{
    return column_order(column) != NULL;
}

/* ----------------------------------------------------------------------------------------------------------- cells */

struct painter {
    struct canvas *canvas;
    const struct columns_plan *plan;
    const struct row *row;
    int at;
    bool tagged, tree;
};

static void put(const struct painter *painter, enum column column, enum style style, const char *text)
{
    const int at = painter->plan->at[column], width = painter->plan->width[column];
    if (facts[column].right)
        canvas_put_right(painter->canvas, painter->at, at, width, style, text);
    else
        canvas_put(painter->canvas, painter->at, at, width, style, text);
}

static void put_name(const struct painter *painter)
{
    const struct row *const row = painter->row;
    const bool ascii = painter->canvas->ascii;
    const size_t from = painter->tree ? row->label : 0;
    char text[2 * TRIP_NAME_MAX + CELL_MAX];
    const char *const mark = row->breaker ? "" : symbol(row->folded ? SYMBOL_FOLDED : SYMBOL_UNFOLDED, ascii);
    snprintf(text, sizeof(text), "%s%*s%s%s%.*s%s", painter->tagged ? symbol(SYMBOL_TAGGED, ascii) : "",
             painter->tree ? (int)(2 * row->depth) : 0, "", mark, row->breaker ? "" : " ", (int)(row->length - from),
             row->name + from, row->breaker ? "" : "/");
    put(painter, COLUMN_NAME, painter->tagged || !row->breaker ? STYLE_BOLD : STYLE_PLAIN, text);
}

static void put_state(const struct painter *painter)
{
    const struct row *const row = painter->row;
    const trip_state state = row_state(row);
    const char *const mark = symbol(symbol_of_state(state), painter->canvas->ascii);
    const uint32_t troubled = row->breakers - row->states[TRIP_STATE_CLOSED];
    char text[CELL_MAX];
    if (row->breaker)
        snprintf(text, sizeof(text), "%s %s%s", mark, state_names[state], row->breaker->certain ? "" : "?");
    else
        snprintf(text, sizeof(text), "%s %u of %u", mark, troubled, row->breakers);
    if (canvas_width(text) > facts[COLUMN_STATE].width) /* a number that is cut would be another one */
        snprintf(text, sizeof(text), "%s %u", mark, troubled);
    put(painter, COLUMN_STATE, state_style(state), text);
}

static void put_mode(const struct painter *painter)
{
    const struct look_breaker *const breaker = painter->row->breaker;
    char text[CELL_MAX];
    if (painter->row->moded == 0)
        return;
    if (!breaker) {
        snprintf(text, sizeof(text), "%u not auto", painter->row->moded);
        put(painter, COLUMN_MODE, STYLE_MODED, text);
        return;
    }
    put(painter, COLUMN_MODE, STYLE_MODED, NAME_OF(mode_names, breaker->figures.mode));
    if (breaker->figures.mode_owner < MODE_OWNER_COUNT)
        put(painter, COLUMN_OWNER, STYLE_MODED, owner_names[breaker->figures.mode_owner]);
}

static void put_next(const struct painter *painter)
{
    const struct look_breaker *const breaker = painter->row->breaker;
    char text[FORMAT_MAX];
    if (!breaker)
        return;
    const struct figures *const figures = &breaker->figures;
    if (figures->mode == TRIP_MODE_FORCED_OPEN || figures->mode == TRIP_MODE_DISABLED)
        put(painter, COLUMN_NEXT, STYLE_MODED, format_span(figures->mode_ttl_ms, text));
    else if (figures->ramps)
        put(painter, COLUMN_NEXT, STYLE_RAMPING,
            figures->ramp_ends_ms == FIGURES_NEVER ? "-" : format_span(figures->ramp_ends_ms, text));
    else if (figures->state != TRIP_STATE_CLOSED)
        put(painter, COLUMN_NEXT, state_style(figures->state), format_span(figures->retry_after_ms, text));
}

static void put_permits(const struct painter *painter)
{
    const struct look_breaker *const breaker = painter->row->breaker;
    char text[FORMAT_MAX];
    if (!breaker)
        return;
    if (breaker->figures.ramps)
        put(painter, COLUMN_PERMITS, STYLE_RAMPING, format_permille((int32_t)breaker->figures.ramp_permille, text));
    if (breaker->figures.state != TRIP_STATE_HALF_OPEN)
        return;
    snprintf(text, sizeof(text), "%u", breaker->figures.permits_free);
    put(painter, COLUMN_PERMITS, STYLE_PROBED, text);
}

static void put_reason(const struct painter *painter)
{
    const struct look_breaker *const breaker = painter->row->breaker;
    char text[CELL_MAX];
    if (!breaker || breaker->figures.state == TRIP_STATE_CLOSED)
        return;
    snprintf(text, sizeof(text), "%s%s%s", NAME_OF(reason_names, breaker->reason),
             breaker->condition == TRIP_REASON_NONE ? "" : ": ",
             breaker->condition == TRIP_REASON_NONE ? "" : NAME_OF(reason_names, breaker->condition));
    put(painter, COLUMN_REASON, STYLE_PLAIN, text);
}

static void put_trail(const struct painter *painter)
{
    const struct look_breaker *const breaker = painter->row->breaker;
    float most = 0;
    for (unsigned i = 0; breaker && i < TRAIL_PLACES; i++)
        most = breaker->trail.calls[i] > most ? breaker->trail.calls[i] : most;
    for (unsigned i = 0; breaker && i < TRAIL_PLACES; i++) {
        const float calls = breaker->trail.calls[i];
        const unsigned part = calls > 0 ? 1 + (unsigned)(calls / most * (SPARKS - 2)) : 0;
        canvas_put(painter->canvas, painter->at, painter->plan->at[COLUMN_TRAIL] + (int)i, 1,
                   breaker->trail.trouble[i] ? STYLE_BAD : STYLE_GOOD, symbol_spark(part, painter->canvas->ascii));
    }
}

/* A rate, or "-" where none is known. */
static void put_rate(const struct painter *painter, enum column column, enum style style, double rate)
{
    char text[FORMAT_MAX];
    put(painter, column, rate > 0 ? style : STYLE_PLAIN, painter->row->rates.known ? format_count(rate, text) : "-");
}

static void put_numbers(const struct painter *painter)
{
    const struct row *const row = painter->row;
    const struct look_breaker *const breaker = row->breaker;
    char text[FORMAT_MAX];
    const bool timed = !breaker || breaker->figures.timed;
    put_rate(painter, COLUMN_CALLS, STYLE_PLAIN, row->rates.calls);
    put_rate(painter, COLUMN_DENIED, STYLE_BAD, row->rates.denied);
    put(painter, COLUMN_FAILED, row->window_failures ? STYLE_BAD : STYLE_PLAIN,
        format_share(row->window_failures, row->window_calls, text));
    put(painter, COLUMN_SLOW, timed && row->window_slow ? STYLE_PROBED : STYLE_PLAIN,
        timed ? format_share(row->window_slow, row->window_calls, text) : "-");
    put(painter, COLUMN_P50, STYLE_PLAIN, breaker ? format_latency(breaker->p50_ms, text) : "");
    put(painter, COLUMN_P99, STYLE_PLAIN, breaker ? format_latency(breaker->p99_ms, text) : "");
    put(painter, COLUMN_IN_FLIGHT, STYLE_PLAIN, format_count((double)row->in_flight, text));
}

void columns_paint(struct canvas *canvas, int at, const struct columns_plan *plan, const struct row *row, bool tagged,
                   bool tree)
{
    const struct painter painter = {
        .canvas = canvas, .plan = plan, .row = row, .at = at, .tagged = tagged, .tree = tree};
    put_name(&painter);
    put_state(&painter);
    put_mode(&painter);
    put_numbers(&painter);
    put_permits(&painter);
    put_next(&painter);
    put_reason(&painter);
    if (plan->width[COLUMN_TRAIL])
        put_trail(&painter);
}

void columns_paint_headings(struct canvas *canvas, int row, const struct columns_plan *plan, enum column sorted,
                            bool descending)
{
    canvas_fill(canvas, row, STYLE_HEADING);
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        char text[CELL_MAX];
        const bool marked = column == sorted; /* the mark may take the place of the last letter */
        snprintf(text, sizeof(text), "%.*s%s", facts[column].width - marked, facts[column].heading,
                 marked ? symbol(descending ? SYMBOL_DESCENDING : SYMBOL_ASCENDING, canvas->ascii) : "");
        if (facts[column].right)
            canvas_put_right(canvas, row, plan->at[column], plan->width[column], STYLE_HEADING, text);
        else
            canvas_put(canvas, row, plan->at[column], plan->width[column], STYLE_HEADING, text);
    }
}
