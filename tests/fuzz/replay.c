/* Gives a fuzz target each file of a folder, in the order of their names, so that every compiler tests the kept inputs,
 * without libFuzzer. The last name printed is that of the input that failed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define SEED_MAX ((size_t)1 << 20)

/* Replays an input in memory of exactly its size: sanitizers see a read behind its end. */
static void replay(int fd)
{
    static uint8_t bytes[SEED_MAX];
    const ssize_t size = read(fd, bytes, sizeof(bytes));
    uint8_t *const data = size >= 0 ? malloc((size_t)size + !size) : NULL;
    if (!data) {
        perror("cannot be read");
        exit(1);
    }
    memcpy(data, bytes, (size_t)size);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **seeds;
    const char *folder = argc == 2 ? argv[1] : "";
    const int count = scandir(folder, &seeds, is_seed, alphasort);
    if (count < 1) {
        fprintf(stderr, "%s: no folder with seeds; usage: %s FOLDER\n", folder, argv[0]);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    const int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < count; i++) {
        printf("%s/%s\n", folder, seeds[i]->d_name);
        const int fd = openat(directory, seeds[i]->d_name, O_RDONLY | O_CLOEXEC);
        replay(fd);
        close(fd);
        free(seeds[i]);
    }
    close(directory);
    free(seeds);
    printf("%d inputs\n", count);
    return 0;
}
