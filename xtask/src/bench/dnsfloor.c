/* One question of the DNS as fast as it goes: for each line on standard input a new connected socket, one packet
 * there, one back, and the nanoseconds between on standard output.
 *
 * usage: dnsfloor ADDRESS NAME
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int question(unsigned char *packet, const char *name)
{
    static const unsigned char header[12] = {0x12, 0x34, 1, 0, 0, 1};
    int at = sizeof header;

    memcpy(packet, header, sizeof header);
    while (*name) {
        int length = strcspn(name, ".");

        packet[at] = length;
        memcpy(packet + at + 1, name, length);
        at += length + 1;
        name += length + (name[length] == '.');
    }
    memcpy(packet + at, "\0\0\1\0\1", 5);
    return at + 5;
}

int main(int count, char **words)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    unsigned char asked[512], answer[65535];
    char line[16];

    if (count != 3 || inet_pton(AF_INET, words[1], &server.sin_addr) != 1 || strlen(words[2]) > 250)
        return 2;
    int length = question(asked, words[2]);
    while (fgets(line, sizeof line, stdin)) {
        struct timespec sent, received;
        int wire = socket(AF_INET, SOCK_DGRAM, 0);

        if (connect(wire, (struct sockaddr *)&server, sizeof server))
            return 1;
        clock_gettime(CLOCK_MONOTONIC, &sent);
        if (send(wire, asked, length, 0) != length || recv(wire, answer, sizeof answer, 0) < 12)
            return 1;
        clock_gettime(CLOCK_MONOTONIC, &received);
        close(wire);
        printf("%lld\n", (received.tv_sec - sent.tv_sec) * 1000000000LL + received.tv_nsec - sent.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
