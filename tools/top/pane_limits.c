/* Limits and budgets: how much of each is taken, by whom, and how many calls they turned away. */
#include "format.h"
#include "panes.h"
#include "print_parts.h"
#include "symbols.h"

#define BAR_WIDTH 20

/* A bar of what is taken of a limit. */
static int write_bar(struct canvas *paper, int at, uint64_t taken, uint64_t limit)
{
    const unsigned full = limit ? (unsigned)((double)(taken < limit ? taken : limit) * BAR_WIDTH / (double)limit) : 0;
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        at = pane_more(paper, at, taken >= limit ? STYLE_BAD : STYLE_GOOD, "%s",
                       symbol(i < full ? SYMBOL_FULL : SYMBOL_EMPTY, paper->ascii));
    return at;
}

static void write_holders(struct canvas *paper, const struct scene *scene, const json_t *tickets)
{
    size_t i;
    const json_t *holder;
    json_array_foreach(json_object_get(tickets, "holders"), i, holder)
    {
        struct client_slot client;
        const bool known = snapshot_client(scene->snapshot, (uint32_t)tree_number(holder, "lane"), &client);
        if (tree_absent(holder, "lane"))
            pane_line(paper, STYLE_DIM, "%16s%5llu  without a lane", "", N(holder, "tickets"));
        else if (known)
            pane_line(paper, STYLE_DIM, "%16s%5llu  by %.24s, pid %u", "", N(holder, "tickets"), client.program,
                      client.pid);
        else
            pane_line(paper, STYLE_DIM, "%16s%5llu  by lane %llu", "", N(holder, "tickets"), N(holder, "lane"));
    }
}

static void write_tickets(struct canvas *paper, const struct scene *scene, const json_t *tickets)
{
    if (!json_is_object(tickets))
        return;
    int at = pane_line(paper, STYLE_DIM, "  %-14s", "concurrency");
    at = write_bar(paper, at, tree_number(tickets, "taken"), tree_number(tickets, "limit"));
    at = pane_more(paper, at, STYLE_PLAIN, " %llu of %llu tickets taken", N(tickets, "taken"), N(tickets, "limit"));
    if (tree_number(tickets, "max") != tree_number(tickets, "limit"))
        at = pane_more(paper, at, STYLE_PLAIN, ", %llu at most", N(tickets, "max"));
    pane_more(paper, at, STYLE_PLAIN, "; %llu rejected", N(tickets, "rejected"));
    write_holders(paper, scene, tickets);
}

static void write_rate(struct canvas *paper, const json_t *rate)
{
    char per[FORMAT_MAX];
    if (!json_is_object(rate))
        return;
    const uint64_t burst = tree_number(rate, "burst"), free = tree_number(rate, "free");
    int at = pane_line(paper, STYLE_DIM, "  %-14s", "rate");
    at = write_bar(paper, at, burst > free ? burst - free : 0, burst);
    pane_more(paper, at, STYLE_PLAIN, " %llu of %llu free, %llu in %s; %llu rejected", N(rate, "free"),
              N(rate, "burst"), N(rate, "limit"), format_span(tree_number(rate, "per_ms"), per), N(rate, "rejected"));
}

static void write_others(struct canvas *paper, const json_t *limits)
{
    const json_t *const throttle = json_object_get(limits, "throttle"), *const retry = json_object_get(limits, "retry");
    if (json_is_object(throttle))
        pane_line(paper, STYLE_PLAIN, "  %-14sadmits %.1f%%; %llu shed", "throttle",
                  (double)tree_number(throttle, "admit_permille") / 10, N(throttle, "shed"));
    if (tree_number(retry, "retries") || tree_number(retry, "refused"))
        pane_line(paper, STYLE_PLAIN, "  %-14s%llu more are paid for; %llu were, %llu refused", "retries",
                  N(retry, "budget_tokens"), N(retry, "retries"), N(retry, "refused"));
    if (tree_number(limits, "deadline_rejected"))
        pane_line(paper, STYLE_PLAIN, "  %-14s%llu calls not sent: their deadline had passed", "deadlines",
                  N(limits, "deadline_rejected"));
}

static bool has_some(const json_t *limits)
{
    const json_t *const retry = json_object_get(limits, "retry");
    return json_is_object(json_object_get(limits, "concurrency")) || json_is_object(json_object_get(limits, "rate")) ||
           json_is_object(json_object_get(limits, "throttle")) || tree_number(retry, "retries") ||
           tree_number(retry, "refused") || tree_number(limits, "deadline_rejected");
}

static bool write_breaker(struct canvas *paper, const struct scene *scene, const struct look_breaker *breaker)
{
    struct snapshot_breaker copy;
    if (!snapshot_breaker(scene->snapshot, breaker->slot, &copy))
        return false;
    json_t *const limits = report_limits(&copy.report);
    const bool some = has_some(limits);
    if (some) {
        pane_line(paper, STYLE_BOLD, "%s", breaker->name);
        write_tickets(paper, scene, json_object_get(limits, "concurrency"));
        write_rate(paper, json_object_get(limits, "rate"));
        write_others(paper, limits);
    }
    json_decref(limits);
    return some;
}

void pane_limits(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    bool some = false;
    pane_heading(paper, "LIMITS AND RETRY BUDGETS, AND WHO HOLDS THEM");
    for (uint32_t i = 0; i < scene->look->count; i++)
        if (rows_show(scene->look->breakers[i], options->rows))
            some |= write_breaker(paper, scene, scene->look->breakers[i]);
    if (!some)
        pane_line(paper, STYLE_PLAIN, "no breaker has a limit, or has seen a retry");
}
