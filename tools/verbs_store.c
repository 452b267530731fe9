/* The verbs about what the store keeps: cached answers and queues. */
#include <stdio.h>

#include "print.h"
#include "reading.h"

static void print_away(FILE *out, const json_t *result)
{
    (void)result;
    fputs("the store is away: it keeps no answers, and takes nothing into a queue\n", out);
}

/* No store belongs to this version of tripd: fallbacks that need one answer store_away, and so do these verbs. */
static int store_away(const struct arguments *arguments)
{
    const int status = reading_show(arguments, json_pack("{s:s}", "store", "away"), print_away);
    return status == EXIT_DONE ? EXIT_NO_DAEMON : status;
}

int verb_cache(const struct arguments *arguments)
{
    return store_away(arguments);
}

int verb_queue(const struct arguments *arguments)
{
    return store_away(arguments);
}
