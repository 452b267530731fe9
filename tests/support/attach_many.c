/* attach_many COUNT: each of so many processes opens a client, and prints its status after 3 s at most
 * (trip_client_status). All stay until standard input ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trip.h"

#define PATIENCE_MS 6000

static void be_a_client(void)
{
    trip_client *client;
    trip_breaker *breaker;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "many", &breaker) < 0)
        _exit(1);
    for (int waited = 0; waited < PATIENCE_MS && trip_client_status(client) != TRIP_CLIENT_SHARED; waited += 10) {
        trip_record(breaker, TRIP_OK, 0); /* libtrip goes on attaching at each call */
        usleep(10000);
    }
    printf("%s\n", trip_client_state_name(trip_client_status(client)));
    fflush(stdout);
    pause();
}

int main(int argc, char **argv)
{
    const int count = argc == 2 ? atoi(argv[1]) : 0;
    char byte;
    if (count < 1) {
        fprintf(stderr, "usage: attach_many COUNT\n");
        return 2;
    }
    const pid_t parent = getpid();
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                be_a_client();
            _exit(1);
        }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0; /* they die with us */
}
