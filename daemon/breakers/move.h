#ifndef TRIPD_BREAKERS_MOVE_H
#define TRIPD_BREAKERS_MOVE_H

#include "breakers/table.h"

struct move {
    enum word_state to;
    trip_reason reason;
    trip_reason condition; /* for a relapse */
    uint64_t for_ms;       /* open: how long; 0: as published */
    bool neutral;          /* open: at once due again, and no step of the growth */
    bool reset;            /* closed: empties the window, and forgets the growth of open times */
    enum transition_by by;
    uint32_t uid;
    const char *note;
};
/* Returns the move that a streak makes which has reached its threshold. */
static inline struct move move_by_streak(uint64_t word)
{
    return word_state(word) == WORD_RAMPING
               ? (struct move){.to = WORD_OPEN, .reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_CONSECUTIVE}
               : (struct move){.to = WORD_OPEN, .reason = TRIP_REASON_CONSECUTIVE};
}

/* Takes tripd's own step, by CAS from the word that was judged. False: the word has changed meanwhile. */
bool breakers_move(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move);
/* Records a step that was taken at at_ns: image, details, ring, mirror. */
void breakers_record(struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to, const struct move *move,
                     uint64_t at_ns);
/* Carries out the journal's entry of a step. */
void breakers_step_store(struct breakers *breakers, const struct step_mark *step);

#endif
