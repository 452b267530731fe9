#include <stdio.h>
#include <trip.h>
int main(void)
{
    trip_client *client;
    trip_breaker *database;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "payments/db", &database) < 0)
        return 1;
    trip_call call;
    if (trip_admitted(trip_begin(database, &call))) {
        const int status = 200; /* ask the database here */
        const trip_error error = {trip_error_from_http(status), "no answer", NULL, NULL, NULL, NULL, 0, {0}};
        if (status < 500)
            trip_end(&call, TRIP_OK);
        else
            trip_end_error(&call, &error);
    } /* else it was denied: answer from the cache, or say so, at once */
    printf("%s, %s\n", trip_verdict_name(trip_allow(database)), trip_client_state_name(trip_client_status(client)));
    trip_close(client);
}
