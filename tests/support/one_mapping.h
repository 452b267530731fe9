/* One mapping of each shared memory for all who map it in this process: one_mapping.c. */
#ifndef TRIP_TESTS_ONE_MAPPING_H
#define TRIP_TESTS_ONE_MAPPING_H

/* How often what is mapped at this address was mapped, and not unmapped. */
unsigned one_mapping_users(const void *address);

#endif
