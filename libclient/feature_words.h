/* Where the words of features are. Words never move while their segment is mapped, and it stays mapped until
 * trip_close; so a thread may go on reading where a feature's word was before it was bound anew. */
#ifndef TRIP_FEATURE_WORDS_H
#define TRIP_FEATURE_WORDS_H

#include "internal/feature_word.h"

struct trip_client;

struct trip_feature {
    /* The feature's word, or the place where it may come; never NULL. Replaced under the client's lock. */
    const uint64_t *word;
    uint64_t mark; /* the word is the feature's while it has this mark */
    struct trip_client *client;
    struct trip_feature *next;
    char name[]; /* allocated with the struct */
};

/* Gives the feature of this name, made if need be. NULL: no memory. It is not bound yet. */
struct trip_feature *features_get(struct trip_client *client, const char *name);
/* Under the client's lock: binds all features to the words of the view. */
void features_bind(struct trip_client *client);
void features_free(struct trip_client *client);

#endif
