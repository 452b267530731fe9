/* What the user is asked in the last row, and what comes of the answers. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "config/value.h"
#include "internal/rpc.h"
#include "must.h"
#include "top.h"

void top_ask(struct top *top, enum question question, const char *typed)
{
    top->question = question;
    snprintf(top->typed, sizeof(top->typed), "%s", typed);
}

/* ---------------------------------------------------------------------------------------------------------- acting */

void top_forget_targets(struct top *top)
{
    for (char **name = top->targets; name && *name; name++)
        free(*name);
    free(top->targets);
    top->targets = NULL;
}

static void add_target(struct top *top, size_t *count, const char *name)
{
    top->targets = must(realloc(top->targets, (*count + 2) * sizeof(char *)));
    top->targets[(*count)++] = must(strdup(name));
    top->targets[*count] = NULL;
}

/* Is it meant: tagged; or where nothing is, selected, or in the selected group and shown; or shown as the one breaker?
 */
static bool is_meant(const struct top *top, const struct look_breaker *breaker)
{
    const struct row *const row = top_row(top);
    const struct rows_options options = top_rows_options(top);
    if (top->pane == PANE_BREAKER)
        return !top->group && strcmp(breaker->name, top->selected) == 0;
    if (top_tagged(top))
        return json_object_get(top->tagged, breaker->name) != NULL;
    if (!row || row->breaker)
        return row && row->breaker == breaker;
    return strncmp(breaker->name, row->name, row->length + 1) == 0 && rows_show(breaker, &options);
}

void top_begin_act(struct top *top, enum action action)
{
    size_t count = 0;
    if (top->pane != PANE_BREAKERS && top->pane != PANE_BREAKER) {
        top_say(top, "choose breakers in the table first");
        return;
    }
    if (!top_may_act(top)) {
        top_say(top, "%s", top->refused);
        return;
    }
    top_forget_targets(top);
    for (uint32_t i = 0; i < top->scene.look->count; i++)
        if (is_meant(top, top->scene.look->breakers[i]))
            add_target(top, &count, top->scene.look->breakers[i]->name);
    if (count == 0) {
        top_say(top, "no breaker is selected");
        return;
    }
    top->act = act_of(action);
    top_ask(top, ASK_REASON, "");
}

static void act(struct top *top, uint64_t span_ms)
{
    char *const said = act_do(top->options.arguments, top->act, top->targets, top->reason, span_ms);
    top_say(top, "%s", said);
    free(said);
    top_forget_targets(top);
    json_object_clear(top->tagged);
    top->question = ASK_NOTHING;
    top->asked_of = 0; /* a refusal may have told of another config */
}

/* --------------------------------------------------------------------------------------------------------- answers */

/* Reads a span as 30s or 5m. False: it is none between these, which the last row says. */
static bool span_of(struct top *top, uint64_t least_ms, uint64_t most_ms, uint64_t *ret_ms)
{
    char why[CONFIG_WHY_MAX];
    uint64_t ns;
    if (config_value_parse(CONFIG_DURATION, top->typed, least_ms * TRIP_MS, most_ms * TRIP_MS, &ns, why)) {
        *ret_ms = ns / TRIP_MS;
        return true;
    }
    top_say(top, "'%s' %s", top->typed, why);
    return false;
}

static void answer_interval(struct top *top)
{
    uint64_t ms;
    if (!*top->typed) {
        top->question = ASK_NOTHING;
        return;
    }
    if (!span_of(top, INTERVAL_LEAST_MS, INTERVAL_MOST_MS, &ms))
        return;
    top->settings.interval_ms = ms;
    top->question = ASK_NOTHING;
}

static void answer(struct top *top)
{
    uint64_t ms = 0;
    switch (top->question) {
    case ASK_SEARCH:
        memcpy(top->searched, top->typed, sizeof(top->searched));
        top->question = ASK_NOTHING;
        top_search(top);
        break;
    case ASK_FILTER:
        memcpy(top->filter, top->typed, sizeof(top->filter));
        top->question = ASK_NOTHING;
        top_rows(top);
        break;
    case ASK_INTERVAL:
        answer_interval(top);
        break;
    case ASK_REASON:
        memcpy(top->reason, top->typed, sizeof(top->reason));
        if (top->act->span == ACT_NO_SPAN)
            act(top, 0);
        else
            top_ask(top, ASK_SPAN, "");
        break;
    case ASK_SPAN:
        if (!*top->typed || span_of(top, 1, RPC_DURATION_MAX, &ms))
            act(top, ms);
        break;
    case ASK_COLUMN:
        top->question = ASK_NOTHING;
        if (top->choice != top->settings.sort)
            top_sort_by(top, top->choice);
        break;
    default:
        break;
    }
}

static void cancel(struct top *top)
{
    if (top->question == ASK_REASON || top->question == ASK_SPAN)
        top_say(top, "nothing was done");
    top_forget_targets(top);
    top->question = ASK_NOTHING;
}

/* ---------------------------------------------------------------------------------------------------------- typing */

/* Takes the last character away, of however many bytes. */
static void rub_out(char *typed)
{
    mbstate_t state = {0};
    size_t last = 0;
    for (size_t at = 0; typed[at];) {
        const size_t used = mbrlen(typed + at, MB_CUR_MAX, &state);
        last = at;
        at += used == 0 || used > MB_CUR_MAX ? 1 : used;
    }
    typed[last] = '\0';
}

static void type(struct top *top, int pressed)
{
    char bytes[MB_LEN_MAX];
    mbstate_t state = {0};
    const size_t length = strlen(top->typed), most = top->question == ASK_REASON ? RPC_REASON_MAX : TYPED_MAX - 1;
    const size_t more = pressed >= ' ' && pressed < PRESSED_FIRST ? wcrtomb(bytes, (wchar_t)pressed, &state) : 0;
    if (more == (size_t)-1 || more == 0 || length + more > most)
        return;
    memcpy(top->typed + length, bytes, more);
    top->typed[length + more] = '\0';
}

static void choose(struct top *top, int pressed)
{
    const int step = pressed == PRESSED_UP ? -1 : 1;
    if (pressed != PRESSED_UP && pressed != PRESSED_DOWN)
        return;
    do
        top->choice = (enum column)(((int)top->choice + step + COLUMN_COUNT) % COLUMN_COUNT);
    while (!column_sorts(top->choice));
}

void top_answer(struct top *top, int pressed)
{
    free(top->message);
    top->message = NULL;
    if (pressed == PRESSED_ENTER)
        answer(top);
    else if (pressed == PRESSED_ESCAPE)
        cancel(top);
    else if (top->question == ASK_COLUMN)
        choose(top, pressed);
    else if (pressed == PRESSED_BACKSPACE)
        rub_out(top->typed);
    else
        type(top, pressed);
}
