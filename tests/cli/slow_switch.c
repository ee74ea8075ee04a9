/* SPDX-License-Identifier: MIT */
/* tests/cli/slow_switch.c - an Ethernet switch between network namespaces that
 * hands each frame on after a fixed time
 *
 *     slow_switch DELAY_US NAMESPACE NAMESPACE...
 *
 * Each namespace (of ip netns) gets an interface e0, which is still down; then
 * "ready" is printed, and frames are switched until somebody kills it.  It is
 * there for kernels without tc's netem.  Frames that cannot be delivered are
 * dropped, as a switch does.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PORTS = 16, FRAME = 2048, FRAMES = 4096, ADDRESSES = 64, MAC = 6 };

struct frame {
    int64_t due_ns;
    int from;
    size_t len;
    unsigned char data[FRAME];
};

struct address {
    unsigned char mac[MAC];
    int port;
};

static int port[PORTS], nports;
static struct frame frame[FRAMES]; /* a ring, oldest first */
static size_t first, nframes;
static struct address address[ADDRESSES];
static size_t naddresses;

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int open_port(const char *ns)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    char path[256];
    int in, tap;

    (void)snprintf(path, sizeof(path), "/run/netns/%s", ns);
    in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0 || setns(in, CLONE_NEWNET))
        die(path);
    (void)close(in);
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)snprintf(r.ifr_name, sizeof(r.ifr_name), "e0");
    if (tap < 0 || ioctl(tap, TUNSETIFF, &r))
        die("/dev/net/tun");
    return tap;
}

static int port_of(const unsigned char *mac)
{
    for (size_t i = 0; i < naddresses; i++) {
        if (memcmp(address[i].mac, mac, MAC) == 0)
            return address[i].port;
    }
    return -1;
}

static void take(int from, int64_t delay_ns)
{
    while (nframes < FRAMES) {
        struct frame *f = &frame[(first + nframes) % FRAMES];
        ssize_t n = read(port[from], f->data, sizeof(f->data));

        if (n < 2 * MAC)
            return;
        f->from = from;
        f->len = (size_t)n;
        f->due_ns = now_ns() + delay_ns;
        nframes++;
        if (port_of(f->data + MAC) < 0 && naddresses < ADDRESSES) {
            memcpy(address[naddresses].mac, f->data + MAC, MAC);
            address[naddresses++].port = from;
        }
    }
}

/* To the port of its receiver, or to all others. */
static void hand_on(const struct frame *f)
{
    int to = port_of(f->data), i;

    for (i = 0; i < nports; i++) {
        if (i != f->from && (to < 0 || i == to) &&
            write(port[i], f->data, f->len) < 0)
            continue; /* lost */
    }
}

static void wait_for_frames(void)
{
    struct pollfd p[PORTS];
    int64_t ns = nframes ? frame[first].due_ns - now_ns() : 1000000000;
    struct timespec t = {0, 0};

    if (ns > 0)
        t = (struct timespec){ns / 1000000000, ns % 1000000000};
    for (int i = 0; i < nports; i++)
        p[i] = (struct pollfd){.fd = port[i],
                               .events = nframes < FRAMES ? POLLIN : 0};
    (void)ppoll(p, (nfds_t)nports, &t, NULL);
}

int main(int argc, char **argv)
{
    int64_t delay_ns = argc > 1 ? strtoll(argv[1], NULL, 10) * 1000 : -1;

    if (argc < 4 || argc - 2 > PORTS || delay_ns < 0) {
        (void)fprintf(stderr, "usage: %s DELAY_US NAMESPACE NAMESPACE...\n",
                      argv[0]);
        return EXIT_FAILURE;
    }
    for (; nports < argc - 2; nports++)
        port[nports] = open_port(argv[nports + 2]);
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        wait_for_frames();
        for (int i = 0; i < nports; i++)
            take(i, delay_ns);
        for (; nframes && frame[first].due_ns <= now_ns(); nframes--) {
            hand_on(&frame[first]);
            first = (first + 1) % FRAMES;
        }
    }
}
