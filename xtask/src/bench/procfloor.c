// The least that a list of all processes can cost: reads what the agent reads, and keeps nothing of it.
//
//   procfloor walk         stat, cmdline and the owner of every process, once
//   procfloor rollup       stat and smaps_rollup of every process, once
//   procfloor links        stat and what every open file of every process leads to, once
//   procfloor run COMMAND  runs COMMAND with its output thrown away
//
// Prints: user and system CPU time and wall time in microseconds, processes, bytes read.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long processes, bytes;

static void read_file(int proc, const char *name) {
    static char buffer[16 << 10];
    int file = openat(proc, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t count;
    // A read shorter than a page is the last one of a file in /proc.
    while ((count = read(file, buffer, sizeof buffer)) > 0) {
        bytes += count;
        if (count < 4000)
            break;
    }
    close(file);
}

static void links(int proc, const char *name) {
    static char link[4096];
    int file = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return;
    DIR *directory = fdopendir(file);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        ssize_t count = readlinkat(dirfd(directory), entry->d_name, link, sizeof link);
        bytes += count > 0 ? count : 0;
    }
    closedir(directory);
}

static void walk(const char *what) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fdopendir(dup(proc));
    char name[300];
    struct dirent *entry;
    struct stat owner;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        processes++;
        size_t length = strlen(entry->d_name);
        memcpy(name, entry->d_name, length);
        strcpy(name + length, "/stat");
        read_file(proc, name);
        if (what[0] == 'w') {
            strcpy(name + length, "/cmdline");
            read_file(proc, name);
            name[length] = 0;
            fstatat(proc, name, &owner, AT_SYMLINK_NOFOLLOW);
        } else if (what[0] == 'r') {
            strcpy(name + length, "/smaps_rollup");
            read_file(proc, name);
        } else {
            strcpy(name + length, "/fd");
            links(proc, name);
        }
    }
}

static void run(char **command) {
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 1);
        execv(command[0], command);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    if (status) {
        fprintf(stderr, "%s: status %x\n", command[0], status);
        exit(1);
    }
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

int main(int count, char **arguments) {
    struct timespec start, end;
    struct rusage usage;
    int walks = count == 2 && strchr("wrl", arguments[1][0]);
    if (!walks && (count < 3 || strcmp(arguments[1], "run")))
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (walks)
        walk(arguments[1]);
    else
        run(arguments + 2);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(walks ? RUSAGE_SELF : RUSAGE_CHILDREN, &usage);
    long wall = (end.tv_sec - start.tv_sec) * 1000000L + (end.tv_nsec - start.tv_nsec) / 1000;
    printf("%ld %ld %ld %ld %ld\n", microseconds(usage.ru_utime), microseconds(usage.ru_stime), wall, processes, bytes);
    return 0;
}
