/* dlopen_often LIBTRIP.SO TIMES: a scripting host that loads the library for each request, and unloads it afterwards
 * without closing its client. Prints a line for each request: the client's state, the verdict, and how many descriptors
 * are open. Then waits for the end of standard input. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "trip.h"

static void *library;

#define FUNCTION(name) ((__typeof__(&(name)))dlsym(library, #name))

static int descriptors(void)
{
    DIR *const folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder && readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* without ".", "..", and the folder's own descriptor */
}

static void *serve(void *unused)
{
    trip_client *client;
    trip_breaker *breaker;
    trip_call call;
    if (FUNCTION(trip_open)(&client, NULL) < 0 || FUNCTION(trip_breaker_get)(client, "db", &breaker) < 0)
        abort();
    for (int i = 0; i < 1000 && FUNCTION(trip_client_status)(client) == TRIP_CLIENT_PRIVATE; i++)
        usleep(10000); /* on a busy machine */
    const trip_verdict verdict = FUNCTION(trip_begin)(breaker, &call);
    FUNCTION(trip_end)(&call, TRIP_OK);
    printf("%s %s ", FUNCTION(trip_client_state_name)(FUNCTION(trip_client_status)(client)),
           FUNCTION(trip_verdict_name)(verdict));
    return unused;
}

int main(int argc, char **argv)
{
    for (long times = argc > 2 ? strtol(argv[2], NULL, 10) : 0; times > 0; times--) {
        pthread_t thread;
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!library || pthread_create(&thread, NULL, serve, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
        serve(NULL);
        dlclose(library);
        printf("%d\n", descriptors());
        fflush(stdout);
    }
    while (getchar() != EOF)
        ;
    return 0;
}
