#include "config/fallbacks.h"

#include <string.h>

#include "internal/error_names.h"

#define NAME(suffix, name) name,
const char *const config_strategy_names[TRIP_STRATEGY_COUNT] = {TRIP_STRATEGIES(NAME)};
#undef NAME
const char *const config_fallback_types[CONFIG_FALLBACK_LISTS] = {ERROR_NAMES, "*"};

bool config_fallback_text(struct fallback_book *book, const char *text, struct fallback_step *step)
{
    const size_t size = strlen(text);
    uint32_t at = 0;
    while (at < book->text_used && strcmp(book->texts + at, text) != 0)
        at += (uint32_t)strlen(book->texts + at) + 1;
    if (at == book->text_used) {
        if (size + 1 >= FALLBACK_TEXTS - at) /* the byte behind the last text is one more NUL */
            return false;
        memcpy(book->texts + at, text, size + 1);
        book->text_used += (uint32_t)size + 1;
    }
    step->text = at;
    step->size = (uint32_t)size;
    return true;
}

/* Begins a list here? Equal lists share a place; a list never begins within another one, so that how many steps there
 * are does not depend on their order. */
static bool is_first(const struct fallback_book *book, size_t at)
{
    return at == 0 || book->steps[at - 1].flags & FALLBACK_LAST;
}

uint16_t config_fallback_list(struct fallback_book *book, struct fallback_step *steps, size_t count)
{
    size_t at = 0;
    steps[count - 1].flags |= FALLBACK_LAST;
    while (at + count <= book->step_count &&
           !(is_first(book, at) && memcmp(&book->steps[at], steps, count * sizeof(*steps)) == 0))
        at++;
    if (at + count > book->step_count) {
        at = book->step_count;
        if (at + count > FALLBACK_STEPS)
            return 0;
        memcpy(&book->steps[at], steps, count * sizeof(*steps));
        book->step_count += (uint32_t)count;
    }
    return (uint16_t)(at + 1);
}

uint16_t config_fallback_chain(struct fallback_book *book, const struct fallback_chain *chain)
{
    uint32_t at = 0;
    while (at < book->chain_count && memcmp(&book->chains[at], chain, sizeof(*chain)) != 0)
        at++;
    if (at == FALLBACK_CHAINS)
        return 0;
    book->chains[at] = *chain;
    if (at == book->chain_count)
        book->chain_count++;
    return (uint16_t)(at + 1);
}

/* ---------------------------------------------------------------------------------------------------------- as shown
 */

static size_t types_with(const struct fallback_chain *chain, uint16_t first)
{
    size_t count = 0;
    for (size_t type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        count += chain->first[type] == first;
    return count;
}

/* Returns the list that most types have. Of lists with as many it is that of the lowest type. */
static uint16_t most_common(const struct fallback_chain *chain)
{
    uint16_t most = chain->first[0];
    for (size_t type = 1; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (types_with(chain, chain->first[type]) > types_with(chain, most))
            most = chain->first[type];
    return most;
}

size_t config_fallback_lists(const struct fallback_chain *chain, int ret_lists[CONFIG_FALLBACK_LISTS])
{
    const uint16_t rest = most_common(chain);
    size_t count = rest > 0;
    for (size_t type = 0; type < TRIP_ERROR_TYPE_COUNT; type++) {
        ret_lists[type] = chain->first[type] == rest ? -1 : chain->first[type];
        count += ret_lists[type] >= 0;
    }
    ret_lists[TRIP_ERROR_TYPE_COUNT] = rest > 0 ? rest : -1;
    return count;
}

size_t config_fallback_size(const struct fallback_book *book, const struct fallback_chain *chain)
{
    const size_t keys = 48; /* {"endpoint": "", "weight": 1000}, and what an alternative begins with */
    int lists[CONFIG_FALLBACK_LISTS];
    size_t size = 0;
    config_fallback_lists(chain, lists);
    for (size_t type = 0; type < CONFIG_FALLBACK_LISTS; type++) {
        for (int at = lists[type]; at > 0; at++) {
            size += book->steps[at - 1].size + keys;
            if (book->steps[at - 1].flags & FALLBACK_LAST)
                break;
        }
    }
    return size;
}
