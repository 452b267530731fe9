/* Degradation levels and the features that they switch off. tripd alone writes. Clients read the words of features,
 * and nothing else of it; the rest is what tripd knows of levels and features, and what people are shown.
 *
 *   feature_words   a word a feature: read by each process at each call, written when a feature changes
 *   levels_memory   two images; tripd fills the one not in force, and moves `commits`
 */
#ifndef TRIP_INTERNAL_LAYOUT_LEVELS_H
#define TRIP_INTERNAL_LAYOUT_LEVELS_H

#include "internal/layout_base.h"

#define LEVELS_MAX     8 /* names of levels */
#define LEVEL_NAME_MAX 31
#define LEVEL_GROUPS   64        /* groups that have a level of their own */
#define FEATURES_MAX   256       /* of the config */
#define FEATURE_PLACES 512       /* a power of two, twice as many as features of the config */
#define FEATURE_ON     1000      /* permille: on for every key */
#define LEVEL_NEVER    UINT8_MAX /* off_from of a feature that no level switches off */

/* The level of the host, or of a group. `now` is in force at once where it rises to `set`, and goes down to it one step
 * at a time. */
struct level_state {
    char group[TRIP_NAME_MAX + 1]; /* "": the host's, or a free place */
    uint64_t since_unix_ms;        /* when `set` was set; 0: never */
    uint64_t until_ms;             /* when it ends; 0: it has no TTL */
    uint64_t next_ms;              /* when `now` goes down by one; 0: it does not */
    uint32_t uid;                  /* of the operator who set it */
    uint8_t set, now;
    uint8_t by; /* enum transition_by: who set it */
    /* While `untold` is not 0, tripd has an event to write: from `told` to `now`. tripd writes these two in the image
     * in force. */
    uint8_t told, untold;
    uint8_t reserved0[7];
    char reason[88];
};

/* Why the word of a feature is as it is. */
enum feature_cause {
    FEATURE_TOLD,     /* there is no event to write */
    FEATURE_BY_ACT,   /* what `by` did */
    FEATURE_BY_LEVEL, /* a level rose or fell */
    FEATURE_BY_CONFIG
};

/* A feature, in the same place as its word. It is in use while it is configured or set; a place that was used once
 * keeps its word for ever, so that a search that passed it goes on passing it. */
struct feature_state {
    uint64_t word; /* internal/feature_word.h; 0: the place was never used */
    char name[TRIP_NAME_MAX + 1];
    uint64_t since_unix_ms, until_ms; /* of what an operator set: as in struct level_state */
    uint32_t uid;
    uint16_t permille;     /* permille of the keys for which it is on while it is on, as configured */
    uint16_t set_permille; /* permille, as an operator set it */
    uint8_t configured, set;
    uint8_t off_from; /* the first level that switches it off, or LEVEL_NEVER */
    uint8_t by;       /* enum transition_by: who set it, or ended that */
    uint8_t untold;   /* enum feature_cause; tripd clears it in the image in force */
    uint8_t reserved0[3];
    char reason[88];
};

struct levels_image {
    uint64_t back_after_ms; /* how long each step back takes */
    uint64_t count;         /* of names */
    char names[LEVELS_MAX][LEVEL_NAME_MAX + 1];
    struct level_state levels[1 + LEVEL_GROUPS]; /* the host's first */
    struct feature_state features[FEATURE_PLACES];
};

struct levels_memory {
    uint64_t commits; /* its lowest bit says which image is in force */
    struct levels_image images[2];
};

#endif
