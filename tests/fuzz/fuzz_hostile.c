/* A hostile reporter: its lane, the commons and what it sends over the socket are attacked together, beside an honest
 * client with calls in flight. fuzz_lanes.c, whose seeds keep their meaning, with more steps; besides what holds there:
 * no user's names take more than half of the table, and tickets that the honest client's calls do not
 * account for are free when the attacker is gone. */
#define FUZZ_HOSTILE 1
#include "fuzz_lanes.c"
