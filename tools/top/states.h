/* What a state looks like, and how much trouble it is. */
#ifndef TRIP_TOP_STATES_H
#define TRIP_TOP_STATES_H

#include "canvas.h"
#include "trip.h"

/* The states, those of the most trouble first. */
extern const trip_state states_by_trouble[TRIP_STATE_COUNT];
/* Returns how much trouble a state is: 0 for closed, and the more, the higher. */
int state_trouble(trip_state state);
enum style state_style(trip_state state);

#endif
