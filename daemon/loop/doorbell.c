/* Puts ASLEEP into the doorbell's word when tripd sleeps. Anyone can write that word and wake its waiters, so tripd
 * trusts it little.
 *
 * Too many wakes: after an honest one something is pending, or the wake was late: its ringer moved the word, tripd
 * looked by itself meanwhile, and the wake reached it in its next sleep. So a few wakes in a row after which nothing is
 * pending are forgiven. After more, tripd sleeps without the word (which says AWAKE, so that ringers spare the system
 * call) for 1 ms, doubling to 250 ms, and looks at the end of each such rest. The rests end when something is pending.
 *
 * Too few wakes: strangers who wait on the word before tripd are woken in its place, or tripd's waiter was moved to
 * another word. tripd notices when it wakes for another reason, finds the word rung and something pending, but got no
 * wake. It goes on waiting on the word, but also looks by itself: after 1 ms, doubling to 250 ms while nothing is
 * pending, until no ring went unheard for ten seconds. */
#include "loop/backend.h"

#include <errno.h>

#include "internal/doorbell.h"
#include "internal/ticks.h"

#define EMPTY_FORGIVEN 2
#define REST_MIN_NS    UINT64_C(1000000)
#define REST_MAX_NS    UINT64_C(250000000)
#define POLLING_NS     UINT64_C(10000000000)

static void thread_poked(void *context, struct loop_watch *watch)
{
    (void)watch;
    struct loop *loop = context;
    if (doorbell_thread_rung(loop->doorbell.thread))
        loop->doorbell.answered = true;
}

int loop_doorbell(struct loop *loop, uint32_t *word, loop_pending_fn *pending, loop_rung_fn *rung, void *context)
{
    struct loop_doorbell *bell = &loop->doorbell;
    if (bell->word)
        return -EBUSY;
    if (!loop->ops->doorbell_wait) {
        struct loop_watch *watch;
        int error = doorbell_thread_start(word, &bell->thread);
        if (error == 0)
            error = loop_watch_add(loop, doorbell_thread_fd(bell->thread), thread_poked, loop, &watch);
        if (error < 0) {
            bell->thread = doorbell_thread_stop(bell->thread);
            return error;
        }
    }
    bell->word = word;
    bell->pending = pending;
    bell->rung = rung;
    bell->context = context;
    return 0;
}

void loop_doorbell_close(struct loop *loop)
{
    if (!loop->doorbell.word)
        return;
    if (!loop->doorbell.thread)
        loop->ops->doorbell_cancel(loop);
    loop->doorbell.thread = doorbell_thread_stop(loop->doorbell.thread);
    loop->doorbell.word = NULL;
}

void loop_doorbell_rearm(struct loop *loop)
{
    if (loop->doorbell.thread)
        doorbell_thread_again(loop->doorbell.thread);
    else if (loop->doorbell.word)
        loop->ops->doorbell_cancel(loop);
}

uint64_t loop_doorbell_sleep(struct loop *loop, uint64_t now_ns)
{
    struct loop_doorbell *bell = &loop->doorbell;
    if (!bell->word)
        return LOOP_NEVER;
    const bool resting = now_ns < bell->rest_until_ns;
    bell->asleep = !resting;
    if (!resting)
        doorbell_sleep(bell->word);
    if (bell->pending(bell->context)) {
        doorbell_awake(bell->word);
        bell->found = true;
        bell->asleep = false;
        return 0;
    }
    if (resting)
        return bell->rest_until_ns - now_ns;
    if (bell->thread)
        doorbell_thread_wait(bell->thread);
    else
        loop->ops->doorbell_wait(loop);
    return bell->poll_ns ? bell->poll_ns : LOOP_NEVER;
}

static bool was_rung(const struct loop_doorbell *bell)
{
    /* Acquire: pairs with the ringer's CAS: what it published before that is pending. */
    return __atomic_load_n(bell->word, __ATOMIC_ACQUIRE) != DOORBELL_ASLEEP;
}

void loop_doorbell_woke(struct loop *loop)
{
    struct loop_doorbell *bell = &loop->doorbell;
    if (!bell->word)
        return;
    bell->unheard = bell->asleep && was_rung(bell) && bell->pending(bell->context);
    doorbell_awake(bell->word);
    if (bell->thread)
        doorbell_thread_awake(bell->thread);
}

/* Notes a wake-up by the word after which nothing was pending. After a few in a row the next sleeps leave the word out.
 */
static void rest(struct loop_doorbell *bell)
{
    bell->empty++;
    if (bell->empty <= EMPTY_FORGIVEN)
        return;
    const unsigned doublings = bell->empty - EMPTY_FORGIVEN - 1;
    const uint64_t rest_ns = doublings < 8 ? REST_MIN_NS << doublings : REST_MAX_NS;
    bell->rest_until_ns = monotonic_ns() + rest_ns;
}

/* Sets how long the next sleep may last, after a sleep that the word did not end. */
static void look_by_ourselves(struct loop_doorbell *bell)
{
    if (bell->unheard) {
        bell->poll_ns = REST_MIN_NS;
        bell->poll_until_ns = monotonic_ns() + POLLING_NS;
    } else if (bell->poll_ns) {
        bell->poll_ns = bell->poll_ns < REST_MAX_NS / 2 ? bell->poll_ns * 2 : REST_MAX_NS;
        if (monotonic_ns() >= bell->poll_until_ns)
            bell->poll_ns = 0;
    }
}

void loop_doorbell_answer(struct loop *loop)
{
    struct loop_doorbell *bell = &loop->doorbell;
    if (bell->word && !bell->answered)
        look_by_ourselves(bell);
    if (!bell->answered && !bell->found)
        return;
    if (bell->found || bell->pending(bell->context)) {
        bell->empty = 0;
        bell->rest_until_ns = 0;
    } else {
        rest(bell);
    }
    bell->answered = bell->found = false;
    bell->rung(bell->context);
}
