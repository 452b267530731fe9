#ifndef TRIPD_BREAKERS_POLICY_H
#define TRIPD_BREAKERS_POLICY_H

#include "breakers/table.h"

/* Whose calls in flight are looked at follows the settings. NULL: the slot is free. */
void breakers_watch(struct breakers *breakers, uint32_t slot, const struct breaker_settings *settings);
/* Settings of its name, mode by config; everything that clients judge by is written. */
void breakers_configure(struct breakers *breakers, uint32_t slot, const struct config *config);
/* Judge and the rest anew, and the generation in the word. */
void breakers_publish(struct breakers *breakers, uint32_t slot);
/* The next open time, as the image has it; core NULL: the image in force. */
void breakers_publish_next_open(struct breakers *breakers, uint32_t slot, const struct core_state *core,
                                uint64_t at_least_ms);
/* The breaker is open no more: open.forget runs for its growth from now on. The published open time stays. */
void breakers_opening_ended(struct breakers *breakers, uint32_t slot);
/* The same for a breaker that is there: where that puts another mode in force, ring and log say by whom. */
void breakers_configure_again(struct breakers *breakers, uint32_t slot, const struct config *config,
                              const struct breakers_actor *actor);
/* The mode in force, as its owners and their TTLs say. If it changed it is published, and ring and log say by whom. */
void breakers_take_mode(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor);
void breakers_look_at_mode(struct breakers *breakers, uint32_t slot); /* its time may have ended */
/* The longest time that a deadline may lie ahead now. */
uint64_t breakers_longest_ms(const struct breakers *breakers, uint32_t slot);

#endif
