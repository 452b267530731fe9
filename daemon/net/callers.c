#include "net/callers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define CHAINS 64u

struct user {
    uid_t uid;
    uint32_t connections;
    struct user *next;
};

struct callers {
    struct user *chains[CHAINS];
    uint32_t strangers, reporters; /* connections of all such users but root */
};

struct caller {
    struct callers *callers;
    uid_t uid;
    uint32_t *together; /* the sum that this connection counts in, too; NULL: none */
};

static struct user **place_of(struct callers *callers, uid_t uid)
{
    struct user **place = &callers->chains[uid % CHAINS];
    while (*place && (*place)->uid != uid)
        place = &(*place)->next;
    return place;
}

int callers_new(struct callers **ret_callers)
{
    *ret_callers = calloc(1, sizeof(**ret_callers));
    return *ret_callers ? 0 : -ENOMEM;
}

struct callers *callers_free(struct callers *callers)
{
    for (unsigned chain = 0; callers && chain < CHAINS; chain++)
        while (callers->chains[chain]) {
            struct user *user = callers->chains[chain];
            callers->chains[chain] = user->next;
            free(user);
        }
    free(callers);
    return NULL;
}

/* Finds a user. NULL: it has no connection yet. */
static struct user *user_of(struct callers *callers, uid_t uid)
{
    struct user **place = place_of(callers, uid);
    if (*place)
        return *place;
    *place = calloc(1, sizeof(**place));
    if (*place)
        (*place)->uid = uid;
    return *place;
}

int callers_come(struct callers *callers, uid_t uid, uint32_t most, struct caller **ret_caller)
{
    const bool stranger = most == 0;
    const struct user *there = *place_of(callers, uid);
    uint32_t *const together = uid == 0 ? NULL : stranger ? &callers->strangers : &callers->reporters;
    if (there && there->connections >= (stranger ? CALLERS_STRANGER : most))
        return -EUSERS;
    if (together && *together >= (stranger ? CALLERS_STRANGERS : CALLERS_SHARES * most))
        return -EUSERS;
    struct caller *caller = malloc(sizeof(*caller));
    struct user *user = caller ? user_of(callers, uid) : NULL;
    if (!user) {
        free(caller);
        return -ENOMEM;
    }
    *caller = (struct caller){.callers = callers, .uid = uid, .together = together};
    user->connections++;
    if (together)
        (*together)++;
    *ret_caller = caller;
    return 0;
}

void callers_leave(void *left)
{
    struct caller *caller = left;
    struct user **place = place_of(caller->callers, caller->uid), *user = *place;
    if (caller->together)
        (*caller->together)--;
    if (--user->connections == 0) {
        *place = user->next;
        free(user);
    }
    free(caller);
}
