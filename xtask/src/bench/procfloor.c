// The least that an answer can cost: reads what the agent reads, and keeps nothing of it.
//
//   procfloor walk         stat, cmdline and the owner of every process, once
//   procfloor rollup       stat and smaps_rollup of every process, once
//   procfloor links        stat and what every open file of every process leads to, once
//   procfloor tcp          all TCP sockets with their tcp_info, from sock_diag
//   procfloor memory       the same with their memory and congestion control
//   procfloor listening    only those that listen
//   procfloor owners       as tcp, and stat and fdinfo of every open file of every process
//   procfloor run COMMAND  runs COMMAND and reads what it writes, as whoever asked it would
//
// Prints: user and system CPU time and wall time in microseconds, processes or sockets, bytes read.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long found, bytes;

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

static void entries(int proc, const char *name, int are_links) {
    static char link[4096];
    int file = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return;
    DIR *directory = fdopendir(file);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        if (!are_links) {
            read_file(dirfd(directory), entry->d_name);
            continue;
        }
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
        found++;
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
            int are_links = what[0] == 'l';
            strcpy(name + length, are_links ? "/fd" : "/fdinfo");
            entries(proc, name, are_links);
        }
    }
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void dump(int family, int extensions, int states) {
    static char buffer[64 << 10];
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {{sizeof question, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
                  {family, IPPROTO_TCP, extensions, 0, states, {}}};
    int diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (diag < 0 || send(diag, &question, sizeof question, 0) < 0)
        fail("sock_diag");
    for (;;) {
        ssize_t count = recv(diag, buffer, sizeof buffer, 0);
        if (count < 0)
            fail("sock_diag");
        bytes += count;
        int rest = count;
        for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, rest); message = NLMSG_NEXT(message, rest)) {
            if (message->nlmsg_type == NLMSG_ERROR)
                fail("sock_diag");
            if (message->nlmsg_type == NLMSG_DONE) {
                close(diag);
                return;
            }
            found++;
        }
    }
}

#define EXTENSION(name) (1 << (INET_DIAG_##name - 1))

static void sockets(const char *what) {
    int listening = 1 << 10, info = EXTENSION(INFO) | EXTENSION(SHUTDOWN);
    int all = info | EXTENSION(SKMEMINFO) | EXTENSION(CONG);
    for (int family = 0; family < 2; family++)
        dump(family ? AF_INET6 : AF_INET, what[0] == 't' || what[0] == 'o' ? info : all, what[0] == 'l' ? listening : -1);
    if (what[0] == 'o')
        walk(what);
}

static void run(char **command) {
    static char buffer[256 << 10];
    int ends[2], status;
    if (pipe(ends))
        fail("pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execv(command[0], command);
        _exit(127);
    }
    close(ends[1]);
    ssize_t count;
    while ((count = read(ends[0], buffer, sizeof buffer)) > 0)
        bytes += count;
    waitpid(child, &status, 0);
    if (status) {
        fprintf(stderr, "%s: status %x\n", command[0], status);
        exit(1);
    }
}

static long microseconds(struct timeval from, struct timeval to) {
    return (to.tv_sec - from.tv_sec) * 1000000L + to.tv_usec - from.tv_usec;
}

static int is_one_of(const char *what, const char **words, int count) {
    while (count-- > 0)
        if (!strcmp(what, words[count]))
            return 1;
    return 0;
}

int main(int count, char **arguments) {
    struct timespec start, end;
    // What this process has used before it became this program counts as well.
    struct rusage before, usage;
    const char *what = count > 1 ? arguments[1] : "", *walks[] = {"walk", "rollup", "links"};
    const char *dumps[] = {"tcp", "memory", "listening", "owners"};
    int runs = count > 2 && !strcmp(what, "run");
    getrusage(runs ? RUSAGE_CHILDREN : RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (runs)
        run(arguments + 2);
    else if (is_one_of(what, walks, 3))
        walk(what);
    else if (is_one_of(what, dumps, 4))
        sockets(what);
    else
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(runs ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
    long wall = (end.tv_sec - start.tv_sec) * 1000000L + (end.tv_nsec - start.tv_nsec) / 1000;
    printf("%ld %ld %ld %ld %ld\n", microseconds(before.ru_utime, usage.ru_utime),
           microseconds(before.ru_stime, usage.ru_stime), wall, found, bytes);
    return 0;
}
