/* Timers: a ring in order of deadlines. Most timers are armed for later than all others, so the search for a place
 * begins at the end. */
#include "loop/backend.h"

#include <errno.h>
#include <stdlib.h>

#include "internal/numbers.h"

int loop_timer_new(struct loop *loop, loop_due_fn *due, void *context, struct loop_timer **ret_timer)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));
    if (!timer)
        return -ENOMEM;
    loop_link_init(&timer->link);
    timer->loop = loop;
    timer->due = due;
    timer->context = context;
    *ret_timer = timer;
    return 0;
}

struct loop_timer *loop_timer_free(struct loop_timer *timer)
{
    if (timer)
        loop_link_remove(&timer->link);
    free(timer);
    return NULL;
}

static struct loop_timer *timer_of(struct loop_link *link)
{
    return (struct loop_timer *)link;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns)
{
    loop_link_remove(&timer->link);
    timer->deadline_ns = deadline_ns;
    if (deadline_ns == 0)
        return;
    struct loop_link *place = timer->loop->timers.previous;
    while (place != &timer->loop->timers && timer_of(place)->deadline_ns > deadline_ns)
        place = place->previous;
    loop_link_insert_after(place, &timer->link);
}

/* Takes aside all timers that are due, then fires them. So a handler that arms a timer for the past sees it fire in the
 * next iteration, after other sources had their turn. A handler that frees or moves a timer taken aside takes it out of
 * that ring. */
void loop_timers_fire(struct loop *loop, uint64_t now_ns)
{
    struct loop_link due;
    loop_link_init(&due);
    while (!loop_link_alone(&loop->timers) && timer_of(loop->timers.next)->deadline_ns <= now_ns) {
        struct loop_link *link = loop->timers.next;
        loop_link_remove(link);
        loop_link_insert_after(due.previous, link);
    }
    while (!loop_link_alone(&due)) {
        struct loop_timer *timer = timer_of(due.next);
        loop_link_remove(&timer->link);
        timer->due(timer->context, timer);
    }
}

uint64_t loop_timers_timeout(const struct loop *loop, uint64_t now_ns)
{
    if (loop_link_alone(&loop->timers))
        return LOOP_NEVER;
    const uint64_t deadline_ns = timer_of(loop->timers.next)->deadline_ns;
    return time_until(deadline_ns, now_ns);
}
