/* The kernel's id of this boot: CLOCK_MONOTONIC readings of different boots cannot be compared. */
#ifndef TRIP_INTERNAL_BOOT_H
#define TRIP_INTERNAL_BOOT_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID_SIZE 16

/* Parses a UUID: 32 digits with hyphens between them. */
static inline int boot_id_parse(const char *text, size_t length, uint8_t ret_id[BOOT_ID_SIZE])
{
    uint8_t id[BOOT_ID_SIZE] = {0};
    unsigned digits = 0;
    for (size_t i = 0; i < length && digits < 2 * BOOT_ID_SIZE; i++) {
        const char c = text[i];
        const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value < 0)
            continue;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | value);
        digits++;
    }
    if (digits != 2 * BOOT_ID_SIZE)
        return -EINVAL;
    memcpy(ret_id, id, BOOT_ID_SIZE);
    return 0;
}

static inline int boot_id_read(uint8_t ret_id[BOOT_ID_SIZE])
{
    char text[40];
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const ssize_t length = read(fd, text, sizeof(text));
    const int error = length < 0 ? -errno : boot_id_parse(text, (size_t)length, ret_id);
    close(fd);
    return error;
}

#endif
