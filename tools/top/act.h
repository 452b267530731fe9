/* What operators do to breakers, over the control socket: triptop's one way to change anything. */
#ifndef TRIP_TOP_ACT_H
#define TRIP_TOP_ACT_H

#include "keys.h"
#include "verbs.h"

/* What an action asks for beside a reason. */
enum act_span { ACT_NO_SPAN, ACT_FOR, ACT_TTL };

struct act {
    const char *method; /* of the control socket */
    const char *doing;  /* "trip", "force open": what the user is asked about */
    const char *done;   /* "tripped", "forced open" */
    enum act_span span;
};

/* Returns the act of an action of KEY_CONTROL. */
const struct act *act_of(enum action action);

/* Asks tripd whether this user has the role control. *ret_answered: it answered. why: "", or why not.
 */
bool act_allowed(const struct arguments *arguments, bool *ret_answered, char why[128]);

/* Does it to each of these breakers, and says what it hit: how many, their names, what refused. NULL names end the
 * list. span_ms 0: none. The caller frees the text. */
char *act_do(const struct arguments *arguments, const struct act *act, char *const *names, const char *reason,
             uint64_t span_ms);

#endif
