/* The limits that a call must pass after the breaker: bulkhead, rate and adaptive throttling; for a retry the budget.
 */
#ifndef TRIP_LIMITS_H
#define TRIP_LIMITS_H

#include "call.h"
#include "reporter.h"

/* Takes what the policy demands of an admitted call, whose clock runs from then on. False: rejected, *ret_verdict says
 * why, and nothing is held. What takes a ticket is counted as begun first: tripd takes those back that no call of the
 * lane's accounts for. most_wait_ns: no longer for a ticket than so, and than the settings say. */
bool limits_take(const struct reporter *reporter, struct call *call, trip_priority priority, uint64_t most_wait_ns,
                 trip_verdict *ret_verdict);
/* How many tickets there are now. */
struct ticket_limit limits_tickets(const struct binding *binding);
/* Gives a ticket back, and wakes callers that wait for one. */
void limits_give(const struct call *call);
/* Gives back the ticket, if any, of a call that is not sent after all. */
void limits_give_unsent(const struct reporter *reporter, struct call *call);
/* The time until the rate admits the next call of this priority; 0: now. */
uint64_t limits_rate_wait_ns(const struct binding *binding, trip_priority priority);
/* Charges the retry budget: the host's, without tripd the process's own. False: it is dry. */
bool limits_pay_retry(struct trip_breaker *breaker, const struct binding *binding);

#endif
