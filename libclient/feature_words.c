/* All features of a client, and where their words are. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* The word of features that are not bound: it has nobody's mark. */
static const uint64_t no_word;

static struct trip_feature *registered(struct trip_client *client, const char *name)
{
    struct trip_feature *feature = __atomic_load_n(&client->features, __ATOMIC_ACQUIRE);
    while (feature && strcmp(feature->name, name) != 0)
        feature = feature->next;
    return feature;
}

struct trip_feature *features_get(struct trip_client *client, const char *name)
{
    struct trip_feature *first = __atomic_load_n(&client->features, __ATOMIC_ACQUIRE);
    struct trip_feature *there = registered(client, name);
    struct trip_feature *const fresh = there ? NULL : calloc(1, sizeof(*fresh) + strlen(name) + 1);
    if (!fresh)
        return there;
    fresh->word = &no_word;
    fresh->mark = feature_mark(name);
    fresh->client = client;
    memcpy(fresh->name, name, strlen(name) + 1);
    do { /* two threads may ask for the same new name at once */
        there = registered(client, name);
        fresh->next = first;
    } while (!there &&
             !__atomic_compare_exchange_n(&client->features, &first, fresh, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
    if (there)
        free(fresh);
    return there ? there : fresh;
}

void features_bind(struct trip_client *client)
{
    const struct view *const view = client->view;
    struct trip_feature *feature = __atomic_load_n(&client->features, __ATOMIC_ACQUIRE);
    for (; feature; feature = feature->next)
        __atomic_store_n(&feature->word, view ? feature_find(view->feature_words, feature->mark) : &no_word,
                         __ATOMIC_RELEASE);
}

void features_free(struct trip_client *client)
{
    while (client->features) {
        struct trip_feature *const feature = client->features;
        client->features = feature->next;
        free(feature);
    }
}
