/* Hedged attempts of trip_run: the first runs in a thread of its own, and when it takes longer than the settings say, a
 * second one does too. Whoever succeeds first answers; the other ends when it ends. */
#ifndef TRIP_HEDGE_H
#define TRIP_HEDGE_H

#include "client.h"

struct hedge;

/* NULL: no memory; then nothing is hedged. */
struct hedge *hedge_new(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg);
/* One attempt, or two at once. False: it was not admitted. */
bool hedge_try(struct hedge *hedge, const trip_options *options, trip_attempt *ret_attempt, trip_result *result);
/* trip_run's part is over; the last to leave releases the operation's argument. */
void hedge_leave(struct hedge *hedge);

#endif
