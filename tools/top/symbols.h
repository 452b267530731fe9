/* Symbols, in UTF-8 and in ASCII. Nothing is said by colour alone: each state has a symbol of its own. */
#ifndef TRIP_TOP_SYMBOLS_H
#define TRIP_TOP_SYMBOLS_H

#include <stdbool.h>

#include "trip.h"

/* X(ENUM_SUFFIX, "UTF-8", "ASCII") */
#define SYMBOLS(X)               \
    X(CLOSED, "●", "o")          \
    X(OPEN, "✖", "X")            \
    X(HALF_OPEN, "◐", "?")       \
    X(RAMPING, "◢", "/")         \
    X(TAGGED, "▸", ">")          \
    X(FOLDED, "▶", "+")          \
    X(UNFOLDED, "▼", "-")        \
    X(BRANCH, "├─ ", "|- ")      \
    X(LAST_BRANCH, "└─ ", "`- ") \
    X(FULL, "█", "#")            \
    X(EMPTY, "░", ".")           \
    X(DASH, "─", "-")            \
    X(OK_CALL, "·", ".")         \
    X(FAILED_CALL, "✖", "X")     \
    X(SLOW_CALL, "◷", "s")       \
    X(ASCENDING, "▲", "^")       \
    X(DESCENDING, "▼", "v")

#define SYMBOL_ENUM(suffix, utf8, ascii) SYMBOL_##suffix,
enum symbol { SYMBOLS(SYMBOL_ENUM) SYMBOL_COUNT };

const char *symbol(enum symbol symbol, bool ascii);
enum symbol symbol_of_state(trip_state state);

#define SPARKS 9
/* A bar of `part` eighths, from 0 to 8. */
const char *symbol_spark(unsigned part, bool ascii);

#endif
