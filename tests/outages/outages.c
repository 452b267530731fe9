/* outages [SEEDS [FIRST]]
 * Plays the tuning seeds, from 1 on, and the held-out ones, from 1001 on, SEEDS of each (10), and prints how the
 * incidents and candidates that were told compare with the truth; fails where that is not good enough. FIRST: of these
 * seeds alone, without a judgement. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outages.h"

#define SEEDS_OF_A_SET 10
#define TUNING_FIRST   1
#define HELD_OUT_FIRST 1001

static int play_seed(uint64_t number, struct verdict *verdict)
{
    struct world world;
    struct story *const story = calloc(1, sizeof(*story));
    struct told *const told = calloc(1, sizeof(*told));
    uint64_t seed = number;
    int error = -1;
    if (story && told) {
        world_make(&world, &seed);
        story_make(story, &world, &seed);
        error = play(story, &world, seed, told);
    }
    if (error == 0) {
        const struct verdict before = *verdict;
        judge(story, told, verdict);
        printf("  seed %4llu: %u incidents, %u told, %u right (%u exactly), %u causes; %llu calls, %llu errors, %llu "
               "steps\n",
               (unsigned long long)number, OUTAGES, told->count, verdict->matched - before.matched,
               verdict->exact - before.exact, verdict->causes - before.causes, (unsigned long long)told->calls,
               (unsigned long long)told->errors, (unsigned long long)told->steps);
    }
    free(told);
    free(story);
    return error;
}

static double share(unsigned part, unsigned whole)
{
    return whole ? (double)part / whole : 0;
}

static void print(const char *what, const struct verdict *verdict)
{
    static const char *const bins[JUDGE_BINS] = {"below 50%", "50 to 70%", "70 to 90%", "90 to 100%"};
    printf("%s: %u incidents, %u told, %u right: precision %.3f, recall %.3f (exactly the same breakers: %u)\n", what,
           verdict->outages, verdict->told, verdict->matched, share(verdict->matched, verdict->told),
           share(verdict->matched, verdict->outages), verdict->exact);
    printf("%s: causes: %u right: precision %.3f, recall %.3f\n", what, verdict->causes,
           share(verdict->causes, verdict->told), share(verdict->causes, verdict->outages));
    for (unsigned bin = 0; bin < JUDGE_BINS; bin++)
        printf("%s: confidence %-10s %4u candidates, said %.3f, right %.3f\n", what, bins[bin], verdict->bins[bin].told,
               verdict->bins[bin].told ? verdict->bins[bin].said / verdict->bins[bin].told : 0,
               share(verdict->bins[bin].right, verdict->bins[bin].told));
    if (verdict->matched)
        printf("%s: start off by %.1f s in the mean\n", what, (double)verdict->start_off_ms / verdict->matched / 1000);
}

static int expect(const char *what, const char *of, double value, double lowest, double highest)
{
    if (value >= lowest && value <= highest)
        return 0;
    printf("FAILED: %s: %s is %.3f, not %.2f to %.2f\n", what, of, value, lowest, highest);
    return 1;
}

#define SURE        2  /* the bin of those said to be 80% sure */
#define SURE_ENOUGH 50 /* candidates in it */

static int judgement(const char *what, const struct verdict *verdict)
{
    return expect(what, "the incidents' precision", share(verdict->matched, verdict->told), 0.9, 1) +
           expect(what, "the incidents' recall", share(verdict->matched, verdict->outages), 0.9, 1) +
           expect(what, "the causes' precision", share(verdict->causes, verdict->told), 0.85, 1) +
           expect(what, "the causes' recall", share(verdict->causes, verdict->outages), 0.85, 1) +
           expect(what, "the right ones' share of candidates of 70 to 90%",
                  share(verdict->bins[SURE].right, verdict->bins[SURE].told), 0.7, 0.9) +
           expect(what, "the number of candidates of 70 to 90%", verdict->bins[SURE].told, SURE_ENOUGH, UINT32_MAX);
}

static int play_set(const char *what, uint64_t first, unsigned count, struct verdict *verdict)
{
    printf("%s seeds %llu to %llu\n", what, (unsigned long long)first, (unsigned long long)(first + count - 1));
    for (unsigned i = 0; i < count; i++)
        if (play_seed(first + i, verdict) < 0)
            return 1;
    print(what, verdict);
    fflush(stdout);
    return 0;
}

int main(int count, char **arguments)
{
    const unsigned seeds = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : SEEDS_OF_A_SET;
    struct verdict tuning = {0}, held_out = {0};
    if (count > 2)
        return play_set("these", strtoull(arguments[2], NULL, 10), seeds, &tuning);
    if (play_set("tuning", TUNING_FIRST, seeds, &tuning) || play_set("held out", HELD_OUT_FIRST, seeds, &held_out))
        return 1;
    return judgement("tuning", &tuning) + judgement("held out", &held_out) ? 1 : 0;
}
