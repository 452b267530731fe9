/* report_outcomes: reports what the lines of standard input say, "BREAKER LETTERS", and answers each line with "done".
 *
 *   S F T s f   an outcome without admission: success, failure, timeout; slow ones, of 2 s
 *   A R         a call: admitted within 10 s of trying, and good or failed with the error network
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "trip.h"

#define PATIENCE_MS 60000
#define SLOW_NS     UINT64_C(2000000000)

static void nap(void)
{
    nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
}

static void give_up(const char *what)
{
    fprintf(stderr, "report_outcomes: %s\n", what);
    exit(1);
}

static void call(trip_breaker *breaker, bool good)
{
    const trip_error error = {.type = TRIP_ERROR_NETWORK, .message = "refused"};
    trip_call call;
    for (unsigned waited = 0; !trip_admitted(trip_begin(breaker, &call)); waited++) {
        if (waited == PATIENCE_MS)
            give_up("a call was denied for 10 s");
        nap();
    }
    if (good)
        trip_end(&call, TRIP_OK);
    else
        trip_end_error(&call, &error);
}

static void report(trip_breaker *breaker, char letter)
{
    const bool slow = letter == 's' || letter == 'f';
    switch (letter) {
    case 'A':
    case 'R':
        call(breaker, letter == 'A');
        break;
    case 'S':
    case 's':
        trip_record(breaker, TRIP_OK, slow ? SLOW_NS : 1);
        break;
    case 'T':
        trip_record(breaker, TRIP_TIMEOUT, 1);
        break;
    default:
        trip_record(breaker, TRIP_FAILURE, slow ? SLOW_NS : 1);
    }
}

int main(void)
{
    char name[128], letters[1024];
    trip_client *client;
    trip_breaker *breaker;
    if (trip_open(&client, NULL) < 0)
        give_up("no client");
    for (unsigned waited = 0; trip_client_status(client) != TRIP_CLIENT_SHARED; waited++) {
        if (waited == PATIENCE_MS)
            give_up("tripd does not take it for 10 s");
        nap();
    }
    while (scanf("%127s %1023s", name, letters) == 2) {
        if (trip_breaker_get(client, name, &breaker) < 0)
            give_up("no such name");
        for (const char *letter = letters; *letter; letter++)
            report(breaker, *letter);
        puts("done");
        fflush(stdout);
    }
    trip_close(client);
    return 0;
}
