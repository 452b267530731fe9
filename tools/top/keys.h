/* The one table of keys: what is pressed, what it does, and what help and manual say of it. */
#ifndef TRIP_TOP_KEYS_H
#define TRIP_TOP_KEYS_H

#include <stdbool.h>
#include <stdio.h>

/* Keys that are no character. A character is its own code. X(ENUM_SUFFIX, "name") */
#define SPECIAL_KEYS(X)       \
    X(UP, "Up")               \
    X(DOWN, "Down")           \
    X(LEFT, "Left")           \
    X(RIGHT, "Right")         \
    X(PAGE_UP, "PageUp")      \
    X(PAGE_DOWN, "PageDown")  \
    X(HOME, "Home")           \
    X(END_KEY, "End")         \
    X(ENTER, "Enter")         \
    X(ESCAPE, "Esc")          \
    X(TAB, "Tab")             \
    X(BACK_TAB, "Shift-Tab")  \
    X(BACKSPACE, "Backspace") \
    X(SPACE, "Space")         \
    X(F1, "F1")               \
    X(F2, "F2")               \
    X(F3, "F3")               \
    X(F4, "F4")               \
    X(F5, "F5")               \
    X(F6, "F6")               \
    X(F7, "F7")               \
    X(F8, "F8")               \
    X(F9, "F9")               \
    X(F10, "F10")

#define SPECIAL_KEY_ENUM(suffix, name) PRESSED_##suffix,
enum { PRESSED_NOTHING = 0, PRESSED_FIRST = 0x200000, SPECIAL_KEYS(SPECIAL_KEY_ENUM) PRESSED_COUNT };

/* Where a key means something. */
enum key_place {
    KEY_ANYWHERE,
    KEY_IN_TABLE,  /* the table of breakers */
    KEY_CONTROL,   /* for breakers that are selected or tagged; for users with the role control */
    KEY_RECORDING, /* a recording is played back */
};

/* X(ENUM_SUFFIX, "keys", place, "what it does") */
#define KEYS(X)                                                                                                      \
    X(HELP, "F1 h ?", ANYWHERE, "show this help")                                                                    \
    X(QUIT, "q F10", ANYWHERE, "leave triptop")                                                                      \
    X(PANE_BREAKERS, "F2 1", ANYWHERE, "the table of breakers")                                                      \
    X(PANE_BREAKER, "F3 2", ANYWHERE, "the selected breaker: its settings, window, last hour, latencies, reporters") \
    X(PANE_EVENTS, "F4 3", ANYWHERE, "what happened: changes of state and mode, incidents")                          \
    X(PANE_ERRORS, "F5 4", ANYWHERE, "errors by the template of their messages, and the last ones")                  \
    X(PANE_INCIDENTS, "F7 5", ANYWHERE, "what failed together, with the likely cause")                               \
    X(PANE_CLIENTS, "F8 6", ANYWHERE, "processes that are attached")                                                 \
    X(PANE_LIMITS, "F9 7", ANYWHERE, "limits and retry budgets, with who holds them")                                \
    X(NEXT_PANE, "Tab", ANYWHERE, "the next pane")                                                                   \
    X(PREVIOUS_PANE, "Shift-Tab", ANYWHERE, "the pane before")                                                       \
    X(UP, "Up", ANYWHERE, "one line up")                                                                             \
    X(DOWN, "Down", ANYWHERE, "one line down")                                                                       \
    X(PAGE_UP, "PageUp", ANYWHERE, "a page up")                                                                      \
    X(PAGE_DOWN, "PageDown", ANYWHERE, "a page down")                                                                \
    X(FIRST, "Home", ANYWHERE, "to the first line")                                                                  \
    X(LAST, "End", ANYWHERE, "to the last line")                                                                     \
    X(LEFT, "Left -", ANYWHERE, "fold the selected group; in other panes, show what is further left")                \
    X(RIGHT, "Right +", ANYWHERE, "unfold it; show what is further right")                                           \
    X(OPEN, "Enter", IN_TABLE, "show the selected breaker, or fold or unfold the selected group")                    \
    X(TREE, "t", IN_TABLE, "a tree of groups, or a plain list")                                                      \
    X(SORT_BEFORE, "<", IN_TABLE, "sort by the column before")                                                       \
    X(SORT_AFTER, ">", IN_TABLE, "sort by the column after")                                                         \
    X(SORT_MENU, "F6", IN_TABLE, "choose the column to sort by")                                                     \
    X(REVERSE, "I", IN_TABLE, "reverse the order")                                                                   \
    X(SEARCH, "/", IN_TABLE, "go to the next breaker whose name has this text")                                      \
    X(SEARCH_AGAIN, "n", IN_TABLE, "search again")                                                                   \
    X(FILTER, "\\", ANYWHERE, "show breakers alone whose name has this text, or matches this pattern")               \
    X(TAG, "Space", IN_TABLE, "tag the selected breaker, or all of the selected group")                              \
    X(UNTAG, "U", IN_TABLE, "untag all")                                                                             \
    X(PAUSE, "Z", ANYWHERE, "pause, and go on")                                                                      \
    X(INTERVAL, "s", ANYWHERE, "how long to wait between two looks")                                                 \
    X(TRIP, "x", CONTROL, "trip: open now, and recover through half-open")                                           \
    X(FORCE_OPEN, "f", CONTROL, "force open: deny every call")                                                       \
    X(DISABLE, "d", CONTROL, "disable: admit every call, and keep the state")                                        \
    X(AUTO, "a", CONTROL, "auto: end a mode that an operator set")                                                   \
    X(RESET, "r", CONTROL, "reset: close now, with empty windows")                                                   \
    X(STEP_BACK, ",", RECORDING, "one look back, and pause")                                                         \
    X(STEP, ".", RECORDING, "one look on, and pause")                                                                \
    X(SEEK_BACK, "[", RECORDING, "10 seconds back")                                                                  \
    X(SEEK_ON, "]", RECORDING, "10 seconds on")                                                                      \
    X(SLOWER, "{", RECORDING, "half as fast")                                                                        \
    X(FASTER, "}", RECORDING, "twice as fast")

#define KEY_ENUM(suffix, keys, place, help) ACTION_##suffix,
enum action { KEYS(KEY_ENUM) ACTION_COUNT };

/* Returns the action of a key. ACTION_COUNT: it has none. */
enum action key_action(int pressed);
enum key_place key_place(enum action action);
const char *key_names(enum action action); /* "F1 h ?" */
const char *key_help(enum action action);
/* Writes the table for the manual, in scdoc's form. */
void keys_manual(FILE *out);
/* Writes an entry of such a table: a term, and what it means. */
void manual_entry(FILE *out, const char *term, const char *meaning);

#endif
