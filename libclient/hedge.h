/* Hedged attempts of trip_run: the first runs in a thread of its own, and when it takes longer than the settings say, a
 * second one runs in another thread. The first success is the answer; the other attempt runs to its end. */
#ifndef TRIP_HEDGE_H
#define TRIP_HEDGE_H

#include "client.h"

struct hedge;

/* NULL: there is no memory, and the operation is not hedged. */
struct hedge *hedge_new(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg);
/* One attempt, or two at once. False: it was not admitted. */
bool hedge_try(struct hedge *hedge, const trip_options *options, trip_attempt *ret_attempt, trip_result *result);
/* trip_run leaves the hedge. The last thread that leaves releases the operation's argument. */
void hedge_leave(struct hedge *hedge);

#endif
