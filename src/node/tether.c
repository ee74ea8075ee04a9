/* SPDX-License-Identifier: MIT */
/* Sockets on which nothing is said; see tether.h.  It decides who is gone,
 * never what follows from it. */
#include "node/tether.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"
#include "node/clock.h"

#define CONNECT_MS 1000
#define ANSWER_MS 3000
#define STRANGERS 16 /* that have not said who they are: room for so many ... */
#define STRANGE_NS DTX_SEC_NS /* ... and time: ranks say it at once */
#define PROBES 4
#define GOODBYE 'B'

/* What comes first on a connection, and all that ever comes but GOODBYE. */
struct hello {
    uint64_t token;
    uint32_t rank;
};

struct tether {
    int fd;
    uint32_t rank; /* UINT32_MAX: has not said yet */
    int64_t since_ns;
};

struct dtx_tethers {
    int listener; /* -1: not rank 0, or no more come */
    uint64_t token, answer;
    int64_t silence_ns;
    uint32_t n; /* ranks */
    struct tether *held;
    struct pollfd *poll; /* of each; the listener last */
    uint32_t nheld, cap;
};

/* --- sockets -------------------------------------------------------------- */

static void set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void keep_alive(int fd, int64_t silence_ns)
{
    int64_t each = silence_ns / ((PROBES + 1) * DTX_SEC_NS);

    each = each < 1 ? 1 : each > 3600 ? 3600 : each;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)each);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)each);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
        (int)(each * (PROBES + 1) * 1000));
}

/* One that takes both IPv6 and IPv4, or IPv4 alone where there is no other. */
static int listen_somewhere(uint32_t *port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET};
    const int flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    socklen_t len = sizeof(six);
    int fd = socket(AF_INET6, flags, 0);

    if (fd >= 0) {
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
        if (bind(fd, (struct sockaddr *)&six, sizeof(six)) == 0 &&
            listen(fd, SOMAXCONN) == 0 &&
            getsockname(fd, (struct sockaddr *)&six, &len) == 0) {
            *port = ntohs(six.sin6_port);
            return fd;
        }
        (void)close(fd);
    }
    fd = socket(AF_INET, flags, 0);
    len = sizeof(four);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&four, sizeof(four)) == 0 &&
        listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, (struct sockaddr *)&four, &len) == 0) {
        *port = ntohs(four.sin_port);
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void add_place(struct dtx_tether_call *call, const struct sockaddr *a)
{
    unsigned char *to = call->at[call->n].address;

    if (a->sa_family == AF_INET) {
        struct sockaddr_in four;

        memcpy(&four, a, sizeof(four));
        memcpy(to, &four.sin_addr, 4);
        call->n++;
    } else if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 six;

        memcpy(&six, a, sizeof(six));
        if (IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr))
            return; /* says nothing elsewhere */
        memcpy(to, &six.sin6_addr, 16);
        call->at[call->n++].six = 1;
    }
}

static void find_places(bool near, struct dtx_tether_call *call)
{
    struct ifaddrs *list = NULL, *i;

    if (getifaddrs(&list) != 0)
        return;
    for (i = list; i && call->n < DTX_TETHER_PLACES; i = i->ifa_next) {
        if (i->ifa_addr && (i->ifa_flags & IFF_UP) &&
            (near || !(i->ifa_flags & IFF_LOOPBACK)))
            add_place(call, i->ifa_addr);
    }
    freeifaddrs(list);
}

/* Wait until it is connected; the program's own timers may ring meanwhile. */
static bool await(int fd)
{
    int64_t end_ns = dtx_clock_mono_ns() + CONNECT_MS * DTX_MSEC_NS, left_ns;
    struct pollfd p = {fd, POLLOUT, 0};
    int failed = 0, n = -1;
    socklen_t len = sizeof(failed);

    while (n < 0 && (left_ns = end_ns - dtx_clock_mono_ns()) > 0) {
        n = poll(&p, 1, (int)(left_ns / DTX_MSEC_NS) + 1);
        if (n < 0 && errno != EINTR)
            return false;
    }
    return n == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 &&
           failed == 0;
}

/* A connection to one place, or -1. */
static int connect_to(const struct dtx_tether_call *call, uint32_t k)
{
    struct sockaddr_storage to;
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)call->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons((uint16_t)call->port)};
    bool is_six = call->at[k].six != 0;
    int fd = socket(is_six ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    memcpy(&four.sin_addr, call->at[k].address, 4);
    memcpy(&six.sin6_addr, call->at[k].address, 16);
    memset(&to, 0, sizeof(to));
    if (is_six)
        memcpy(&to, &six, sizeof(six));
    else
        memcpy(&to, &four, sizeof(four));
    if ((connect(fd, (struct sockaddr *)&to,
                 is_six ? sizeof(six) : sizeof(four)) == 0 ||
         errno == EINPROGRESS || errno == EINTR) &&
        await(fd))
        return fd;
    (void)close(fd);
    return -1;
}

/* --- what is held --------------------------------------------------------- */

static struct dtx_tethers *make(uint32_t cap, int64_t silence_ns)
{
    struct dtx_tethers *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->listener = -1;
    t->cap = cap;
    t->silence_ns = silence_ns;
    t->held = calloc(cap, sizeof(*t->held));
    t->poll = calloc((size_t)cap + 1, sizeof(*t->poll));
    if (t->held && t->poll)
        return t;
    dtx_tethers_close(t);
    return NULL;
}

static void hold(struct dtx_tethers *t, int fd, uint32_t rank)
{
    keep_alive(fd, t->silence_ns);
    t->held[t->nheld++] = (struct tether){fd, rank, dtx_clock_mono_ns()};
}

static void let_go(struct dtx_tethers *t, uint32_t i)
{
    (void)close(t->held[i].fd);
    t->held[i] = t->held[--t->nheld];
}

struct dtx_tethers *dtx_tethers_listen(uint32_t n, int64_t silence_ns,
                                       bool near,
                                       struct dtx_tether_call *call)
{
    struct dtx_tethers *t;
    uint64_t secret[2];

    memset(call, 0, sizeof(*call));
    if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
        return NULL;
    call->token = secret[0];
    call->answer = secret[1];
    find_places(near, call);
    t = call->n > 0 ? make(n + STRANGERS, silence_ns) : NULL;
    if (!t)
        return NULL;
    t->n = n;
    t->token = call->token;
    t->answer = call->answer;
    t->listener = listen_somewhere(&call->port);
    if (t->listener >= 0)
        return t;
    call->port = 0;
    dtx_tethers_close(t);
    return NULL;
}

/* Also in time: how many bytes are right is not to be seen. */
static bool same(uint64_t a, uint64_t b)
{
    volatile uint64_t differs = a ^ b;

    return differs == 0;
}

/* Say who this is, and hear that it is rank 0 at the other end. */
static bool is_rank_0(int fd, const struct dtx_tether_call *call, uint32_t rank)
{
    struct pollfd p = {fd, POLLIN, 0};
    struct hello h;
    uint64_t answer = 0;
    int n;

    memset(&h, 0, sizeof(h));
    h.token = call->token;
    h.rank = rank;
    if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) != sizeof(h))
        return false;
    do {
        n = poll(&p, 1, ANSWER_MS);
    } while (n < 0 && errno == EINTR);
    return n == 1 &&
           recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) ==
               sizeof(answer) &&
           same(answer, call->answer);
}

struct dtx_tethers *dtx_tethers_connect(const struct dtx_tether_call *call,
                                        uint32_t rank, int64_t silence_ns)
{
    struct dtx_tethers *t = call->port ? make(1, silence_ns) : NULL;
    uint32_t k;

    for (k = 0; t && k < call->n && k < DTX_TETHER_PLACES; k++) {
        int fd = connect_to(call, k);

        if (fd >= 0 && is_rank_0(fd, call, rank)) {
            hold(t, fd, 0);
            return t;
        }
        if (fd >= 0)
            (void)close(fd);
    }
    dtx_tethers_close(t);
    return NULL;
}

void dtx_tethers_met(struct dtx_tethers *t)
{
    uint32_t i;

    for (i = t->nheld; i-- > 0;) {
        if (t->held[i].rank == UINT32_MAX)
            let_go(t, i);
    }
    if (t->listener >= 0)
        (void)close(t->listener);
    t->listener = -1;
}

/* --- watching ------------------------------------------------------------- */

/* Whoever has not said for too long who he is makes room. */
static bool make_room(struct dtx_tethers *t)
{
    int64_t before_ns = dtx_clock_mono_ns() - STRANGE_NS;
    uint32_t i;

    if (t->nheld < t->cap)
        return true;
    for (i = t->nheld; i-- > 0;) {
        if (t->held[i].rank == UINT32_MAX && t->held[i].since_ns < before_ns)
            let_go(t, i);
    }
    return t->nheld < t->cap;
}

static void accept_more(struct dtx_tethers *t)
{
    while (make_room(t)) {
        int fd = accept4(t->listener, NULL, NULL,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        hold(t, fd, UINT32_MAX);
    }
}

/* Who it is, from its first bytes. False: nobody of ours. */
static bool meet(struct dtx_tethers *t, struct tether *held)
{
    struct hello h;
    ssize_t n = recv(held->fd, &h, sizeof(h), MSG_DONTWAIT | MSG_PEEK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0 && n < (ssize_t)sizeof(h))
        return true; /* the rest is still to come */
    if (n != (ssize_t)sizeof(h) || !same(h.token, t->token) || h.rank == 0 ||
        h.rank >= t->n)
        return false;
    (void)recv(held->fd, &h, sizeof(h), MSG_DONTWAIT);
    held->rank = h.rank;
    return send(held->fd, &t->answer, sizeof(t->answer),
                MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(t->answer);
}

enum word { NOTHING, LEFT, GONE };

static enum word hear(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

    if (n == 1 && c == GOODBYE)
        return LEFT;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NOTHING;
    return GONE;
}

/* Something has come on the i-th. A rank that is gone, or -1. */
static int look_at(struct dtx_tethers *t, uint32_t i)
{
    uint32_t rank = t->held[i].rank;
    enum word word;

    if (rank == UINT32_MAX) {
        if (!meet(t, &t->held[i]))
            let_go(t, i);
        return -1;
    }
    word = hear(t->held[i].fd);
    if (word != NOTHING)
        let_go(t, i);
    return word == GONE ? (int)rank : -1;
}

int dtx_tethers_gone(struct dtx_tethers *t)
{
    uint32_t i, n = t->nheld;
    int gone;

    for (i = 0; i < n; i++)
        t->poll[i] = (struct pollfd){t->held[i].fd, POLLIN, 0};
    t->poll[n] = (struct pollfd){t->listener, POLLIN, 0};
    if (poll(t->poll, n + 1, 0) <= 0)
        return -1;
    for (i = n; i-- > 0;) { /* from behind: the last takes a gap's place */
        gone = t->poll[i].revents ? look_at(t, i) : -1;
        if (gone >= 0)
            return gone; /* the others are looked at the next time */
    }
    if (t->poll[n].revents)
        accept_more(t);
    return -1;
}

uint32_t dtx_tethers_held(const struct dtx_tethers *t)
{
    return t->nheld;
}

void dtx_tethers_close(struct dtx_tethers *t)
{
    const char bye = GOODBYE;

    if (!t)
        return;
    while (t->nheld > 0) {
        (void)send(t->held[0].fd, &bye, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        let_go(t, 0);
    }
    if (t->listener >= 0)
        (void)close(t->listener);
    free(t->held);
    free(t->poll);
    free(t);
}
