/* One mapping of each shared memory for all parts of this process: one_mapping.c. */
#ifndef TRIP_TESTS_ONE_MAPPING_H
#define TRIP_TESTS_ONE_MAPPING_H

/* Returns how many mappings of this address are in use. */
unsigned one_mapping_users(const void *address);

#endif
