#include "top.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"

#define ASK_AGAIN_NS UINT64_C(10000000000)

struct top *top_new(const struct top_options *options)
{
    struct top *const top = must(calloc(1, sizeof(*top)));
    top->options = *options;
    top->answered = true;
    top->looks = must(looks_new());
    top->tagged = must(json_object());
    top->scene.named = options->named;
    settings_load(&top->settings);
    return top;
}

struct top *top_free(struct top *top)
{
    if (!top)
        return NULL;
    top_forget_targets(top);
    rows_clear(&top->rows);
    looks_free(top->looks);
    json_decref(top->tagged);
    settings_clear(&top->settings);
    free(top->message);
    free(top);
    return NULL;
}

void top_say(struct top *top, const char *format, ...)
{
    va_list arguments;
    free(top->message);
    va_start(arguments, format);
    if (vasprintf(&top->message, format, arguments) < 0)
        top->message = NULL;
    va_end(arguments);
}

/* ------------------------------------------------------------------------------------------------------------- rows */

struct rows_options top_rows_options(const struct top *top)
{
    return (struct rows_options){.tree = top->settings.tree,
                                 .order = column_order(top->settings.sort),
                                 .descending = top->settings.descending,
                                 .patterns = top->options.patterns,
                                 .filter = top->filter,
                                 .folded = top->settings.folded};
}

static bool is_selected(const struct top *top, const struct row *row)
{
    const size_t length = strlen(top->selected);
    return !row->breaker == top->group && row->length == length && memcmp(row->name, top->selected, length) == 0;
}

const struct row *top_row(const struct top *top)
{
    return top->cursor < top->rows.count ? &top->rows.rows[top->cursor] : NULL;
}

void top_select(struct top *top, size_t cursor)
{
    top->cursor = cursor < top->rows.count ? cursor : top->rows.count ? top->rows.count - 1 : 0;
    const struct row *const row = top_row(top);
    if (!row)
        return;
    snprintf(top->selected, sizeof(top->selected), "%.*s", (int)row->length, row->name);
    top->group = !row->breaker;
}

void top_rows(struct top *top)
{
    const struct rows_options options = top_rows_options(top);
    if (!top->scene.look) {
        rows_clear(&top->rows);
        return;
    }
    rows_make(&top->rows, top->scene.look, &options);
    for (size_t at = 0; at < top->rows.count; at++)
        if (is_selected(top, &top->rows.rows[at])) {
            top->cursor = at;
            return;
        }
    top_select(top, top->cursor); /* it is gone: the one that stands there now */
}

/* ------------------------------------------------------------------------------------------------------------ looks */

/* Asks for the user's roles where there is another worker or config since they were asked last. */
static void look_at_roles(struct top *top)
{
    const struct look *const look = top->scene.look;
    if (!top->options.arguments || !look || look->daemon != REPORT_RUNNING)
        return;
    uint64_t of = look->header.config_unix_ms ^ (uint64_t)look->header.worker_pid << 40;
    if (!top->answered) /* a tripd that did not answer is asked again, but not at each look */
        of += look->header.heartbeat_mono_ns / ASK_AGAIN_NS;
    if (of == top->asked_of)
        return;
    top->asked_of = of;
    top->allowed = act_allowed(top->options.arguments, &top->answered, top->refused);
}

bool top_may_act(struct top *top)
{
    if (!top->options.arguments) {
        snprintf(top->refused, sizeof(top->refused), "%s", top->options.unchangeable);
        return false;
    }
    if (top->scene.look && top->scene.look->daemon == REPORT_RUNNING)
        return top->allowed;
    snprintf(top->refused, sizeof(top->refused), "tripd does not run, and nobody else changes breakers");
    top->asked_of = 0; /* once it runs, it is asked again, for what it said before is overwritten */
    return false;
}

void top_look(struct top *top, const struct snapshot *snapshot, const char *waits, uint64_t unix_ms)
{
    top->scene.snapshot = snapshot;
    top->scene.waits = waits;
    top->scene.unix_ms = unix_ms;
    top->scene.look = snapshot ? must((void *)looks_take(top->looks, snapshot)) : NULL;
    top_rows(top);
    look_at_roles(top);
}

void top_jump(struct top *top)
{
    looks_forget(top->looks);
}

void top_playback(struct top *top, const char *playback)
{
    top->scene.playback = playback;
}
