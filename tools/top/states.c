#include "states.h"

const trip_state states_by_trouble[TRIP_STATE_COUNT] = {TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN, TRIP_STATE_RAMPING,
                                                        TRIP_STATE_CLOSED};

int state_trouble(trip_state state)
{
    unsigned place = 0;
    while (place < TRIP_STATE_COUNT - 1 && states_by_trouble[place] != state)
        place++;
    return TRIP_STATE_COUNT - 1 - (int)place;
}

enum style state_style(trip_state state)
{
    static const enum style styles[TRIP_STATE_COUNT] = {[TRIP_STATE_CLOSED] = STYLE_GOOD,
                                                        [TRIP_STATE_OPEN] = STYLE_BAD,
                                                        [TRIP_STATE_HALF_OPEN] = STYLE_PROBED,
                                                        [TRIP_STATE_RAMPING] = STYLE_RAMPING};
    return styles[state];
}
