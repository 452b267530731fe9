#ifndef TRIPD_BREAKERS_POLICY_H
#define TRIPD_BREAKERS_POLICY_H

#include "breakers/table.h"

/* Counts the breakers whose calls in flight are watched, by the settings of this one. NULL: the slot is free. */
void breakers_watch(struct breakers *breakers, uint32_t slot, const struct breaker_settings *settings);
/* Configures a breaker by its name: settings, mode from the config, and everything that clients judge by. */
void breakers_configure(struct breakers *breakers, uint32_t slot, const struct config *config);
/* Publishes judge and settings anew, and the generation in the word. */
void breakers_publish(struct breakers *breakers, uint32_t slot);
/* Comes before the settings that refer to the config's fallback chains are published. */
void breakers_publish_fallbacks(struct breakers *breakers, const struct config *config);
/* Publishes the next open time by this image; core NULL: by the image in force. */
void breakers_publish_next_open(struct breakers *breakers, uint32_t slot, const struct core_state *core,
                                uint64_t at_least_ms);
/* The breaker is open no more: from now on open.forget runs. The published open time stays. */
void breakers_opening_ended(struct breakers *breakers, uint32_t slot);
/* Configures a breaker that is there already. If that puts another mode in force, ring and log say who did it. */
void breakers_configure_again(struct breakers *breakers, uint32_t slot, const struct config *config,
                              const struct breakers_actor *actor);
/* Takes the mode in force from its owners and their TTLs. If it changed it is published, and ring and log say who did
 * it. */
void breakers_take_mode(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor);
void breakers_look_at_mode(struct breakers *breakers, uint32_t slot); /* the mode's TTL may have passed */
/* Returns how far ahead a deadline may lie now at most. */
uint64_t breakers_longest_ms(const struct breakers *breakers, uint32_t slot);

#endif
