#include "symbols.h"

#define SYMBOL_TEXT(suffix, utf8, ascii) {utf8, ascii},
static const char *const symbols[SYMBOL_COUNT][2] = {SYMBOLS(SYMBOL_TEXT)};

const char *symbol(enum symbol symbol, bool ascii)
{
    return symbols[symbol][ascii];
}

enum symbol symbol_of_state(trip_state state)
{
    static const enum symbol by_state[TRIP_STATE_COUNT] = {[TRIP_STATE_CLOSED] = SYMBOL_CLOSED,
                                                           [TRIP_STATE_OPEN] = SYMBOL_OPEN,
                                                           [TRIP_STATE_HALF_OPEN] = SYMBOL_HALF_OPEN,
                                                           [TRIP_STATE_RAMPING] = SYMBOL_RAMPING};
    return by_state[state];
}

const char *symbol_spark(unsigned part, bool ascii)
{
    static const char *const sparks[SPARKS][2] = {{" ", " "}, {"▁", "_"}, {"▂", "."}, {"▃", ":"}, {"▄", "-"},
                                                  {"▅", "="}, {"▆", "+"}, {"▇", "*"}, {"█", "#"}};
    return sparks[part < SPARKS ? part : SPARKS - 1][ascii];
}
