/* All clients of the process, their serials, and the lock of each. */
#include "client.h"

struct clients clients = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint64_t serial_next(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED); /* only its value counts */
}

bool client_try_lock(struct trip_client *client)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    if (pthread_mutex_trylock(&client->lock) == 0) {
        client->cancel_state = cancel_state;
        return true;
    }
    pthread_setcancelstate(cancel_state, NULL);
    return false;
}

/* Tries until then: a thread that holds the lock makes a few system calls at most, and gives it up to wait for tripd.
 */
bool client_lock_until(struct trip_client *client, uint64_t until_ns)
{
    static const struct timespec nap = {.tv_nsec = 500000};
    while (!client_try_lock(client)) {
        if (monotonic_ns() >= until_ns)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

void client_unlock(struct trip_client *client)
{
    const int cancel_state = client->cancel_state;
    pthread_mutex_unlock(&client->lock);
    pthread_setcancelstate(cancel_state, NULL);
}
