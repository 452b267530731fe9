/* Prints the numbers that stand in shared memory and in compiled programs: the digest, and the value of each
 * enumerator. */
#include <stdio.h>

#include "internal/layout.h"
#include "internal/permit_word.h"
#include "internal/state_word.h"
#include "internal/wire.h"

#define SHOW(name) printf("%s %d\n", #name, (int)(name));

#define STATE(suffix, name)                             SHOW(TRIP_STATE_##suffix)
#define MODE(suffix, name)                              SHOW(TRIP_MODE_##suffix)
#define PLAIN(suffix, name)                             SHOW(TRIP_##suffix)
#define ERROR(suffix, name)                             SHOW(TRIP_ERROR_##suffix)
#define REASON(suffix, name)                            SHOW(TRIP_REASON_##suffix)
#define CLIENT(suffix, name)                            SHOW(TRIP_CLIENT_##suffix)
#define SECTION(suffix, pointer, type, entries, memory) SHOW(SECTION_##suffix)

int main(void)
{
    printf("digest %016llx\n", (unsigned long long)layout_digest());
    SHOW(LAYOUT_VERSION)
    SHOW(WIRE_VERSION)

    TRIP_STATES(STATE)
    TRIP_MODES(MODE)
    TRIP_VERDICTS(PLAIN)
    TRIP_OUTCOMES(PLAIN)
    TRIP_REASONS(REASON)
    TRIP_ERROR_TYPES(ERROR)
    SHOW(TRIP_ERROR_USER)
    TRIP_CLIENT_STATUSES(CLIENT)

    SEGMENT_SECTIONS(SECTION)
    SHOW(COMMONS_WORDS)
    SHOW(COMMONS_PERMITS)
    SHOW(DAEMON_NONE)
    SHOW(DAEMON_RUNNING)
    SHOW(DAEMON_STOPPED)
    SHOW(WORD_UNSET)
    SHOW(WORD_CLOSED)
    SHOW(WORD_OPEN)
    SHOW(WORD_HALF_OPEN)
    SHOW(WORD_RAMPING)
    SHOW(WORD_PROBING)
    SHOW(PERMIT_FREE)
    SHOW(PERMIT_ARMED)
    SHOW(PERMIT_OWNED)
    SHOW(PERMIT_OK)
    SHOW(PERMIT_FAILED)
    SHOW(PERMIT_NEUTRAL)
    SHOW(PERMIT_SLOW_OK)
    SHOW(PERMIT_SLOW_FAILED)
    SHOW(WIRE_HELLO)
    SHOW(WIRE_REFUSED)
    SHOW(WIRE_OPENINGS)
    SHOW(WIRE_TAKEN)
    SHOW(WIRE_WATCH)
    SHOW(WIRE_WATCHED)
    SHOW(WIRE_CANCEL)
    SHOW(WIRE_CANCELS)
    return 0;
}
