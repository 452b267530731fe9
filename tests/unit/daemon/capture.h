/* Catches in a file what the code under test writes to standard output and error. */
#ifndef TEST_CAPTURE_H
#define TEST_CAPTURE_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPTURE_MAX 8192

struct capture {
    int file, saved_output, saved_error;
};

static inline void capture_begin(struct capture *capture)
{
    fflush(NULL);
    capture->file = memfd_create("capture", MFD_CLOEXEC);
    capture->saved_output = dup(STDOUT_FILENO);
    capture->saved_error = dup(STDERR_FILENO);
    dup2(capture->file, STDOUT_FILENO);
    dup2(capture->file, STDERR_FILENO);
}

static inline void capture_end(struct capture *capture, char said[CAPTURE_MAX])
{
    fflush(NULL);
    dup2(capture->saved_output, STDOUT_FILENO);
    dup2(capture->saved_error, STDERR_FILENO);
    const ssize_t size = pread(capture->file, said, CAPTURE_MAX - 1, 0);
    said[size < 0 ? 0 : size] = '\0';
    close(capture->file);
    close(capture->saved_output);
    close(capture->saved_error);
}

#endif
