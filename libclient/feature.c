/* Features that degradation levels switch off. */
#include "client.h"

#include <errno.h>

int trip_feature_get(trip_client *client, const char *name, trip_feature **ret_feature)
{
    if (!name || !breaker_name_valid(name))
        return -EINVAL;
    ERRNO_KEPT;
    fork_generation();
    struct trip_feature *const feature = features_get(client, name);
    if (!feature)
        return -ENOMEM;
    client_look(client);
    /* If another thread holds the lock, feature_elsewhere finds the word at each call, until the next time. */
    if (client_try_lock(client)) {
        features_bind(client);
        client_unlock(client);
    }
    *ret_feature = feature;
    return 0;
}

/* Looks for the word where the feature is not bound, or its place has another feature's word. Async-signal-safe. */
COLD static uint64_t feature_elsewhere(const struct trip_feature *feature)
{
    const struct view *const view = __atomic_load_n(&feature->client->view, __ATOMIC_ACQUIRE);
    const uint64_t *const place = view ? feature_find(view->feature_words, feature->mark) : feature->word;
    const uint64_t word = __atomic_load_n(place, __ATOMIC_RELAXED);
    return feature_has_mark(word, feature->mark) ? word : feature->mark | FEATURE_ON;
}

static inline uint64_t word_of(const struct trip_feature *feature)
{
    /* Relaxed: the word is all there is to read. Its writer is tripd's segment_feature_publish. */
    const uint64_t word = __atomic_load_n(__atomic_load_n(&feature->word, __ATOMIC_ACQUIRE), __ATOMIC_RELAXED);
    return likely(feature_has_mark(word, feature->mark)) ? word : feature_elsewhere(feature);
}

bool trip_feature_enabled(const trip_feature *feature)
{
    return (word_of(feature) & FEATURE_PERMILLE_MASK) != 0;
}

unsigned trip_feature_permille(const trip_feature *feature)
{
    fork_generation();
    client_look(feature->client);
    return feature_permille(word_of(feature));
}

bool trip_feature_enabled_for(const trip_feature *feature, const char *key)
{
    const unsigned permille = trip_feature_permille(feature);
    if (permille == 0 || permille == FEATURE_ON)
        return permille != 0;
    return feature_position(feature->name, key ? key : "") < permille;
}
