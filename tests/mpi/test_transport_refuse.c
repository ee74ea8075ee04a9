/* SPDX-License-Identifier: MIT */
/* The transport against a peer that does not keep the rules: frames that are
 * too long, on the transport's own communicator, for which its source is
 * included here.  TAP from rank 0.  RANKS: 2 3 */
#include "mpi/transport.c"

#define PATIENCE_NS INT64_C(30000000000)
#define TOO_LONG (3u * DTX_MAX_FRAME)

static int wait_frame(struct dtx_transport *t, enum dtx_channel *c, int *from,
                      struct dtx_buf *b)
{
    int64_t until = now_ns() + PATIENCE_NS;
    int rc = 0;

    dtx_buf_clear(b);
    while (rc == 0 && now_ns() < until) {
        rc = dtx_transport_recv(t, c, from, b);
        (void)sched_yield();
    }
    return rc;
}

/* A good frame, one too long, a good one: to the next rank. */
static bool send_bad(struct dtx_transport *t, const char *big,
                     MPI_Request *request)
{
    int to = (t->rank + 1) % t->size;

    return dtx_transport_send(t, DTX_CHANNEL_FRAMES, to, "before", 6) == 0 &&
           MPI_Isend(big, (int)TOO_LONG, MPI_BYTE, to, tag_of[0], t->comm,
                     request) == MPI_SUCCESS &&
           dtx_transport_send(t, DTX_CHANNEL_FRAMES, to, "after", 5) == 0;
}

static bool expect_refusal(struct dtx_transport *t)
{
    int peer = (t->rank + t->size - 1) % t->size, from = -1;
    enum dtx_channel c = DTX_CHANNEL_BULK;
    struct dtx_buf b = DTX_BUF_INIT;
    bool ok;

    ok = wait_frame(t, &c, &from, &b) == 1 && b.len == 6 && from == peer;
    from = -1;
    ok = ok && wait_frame(t, &c, &from, &b) == DTX_EPROTO && from == peer &&
         c == DTX_CHANNEL_FRAMES && b.len == 0 && b.cap < DTX_MAX_FRAME;
    ok = ok && wait_frame(t, &c, &from, &b) == 1 && b.len == 5;
    dtx_buf_free(&b);
    return ok;
}

int main(void)
{
    struct dtx_transport *t;
    MPI_Request request = MPI_REQUEST_NULL;
    char *big = calloc(1, TOO_LONG);
    int ok, all = 0, rank;

    if (!big || dtx_transport_open(&t, NULL) < 0)
        return 99;
    rank = t->rank;
    ok = send_bad(t, big, &request) && expect_refusal(t);
    if (MPI_Allreduce(&ok, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        all = 0;
    if (rank == 0)
        printf("%sok 1 - a frame too long is refused in its turn\n",
               all ? "" : "not ");
    ok = dtx_transport_close(t, true, PATIENCE_NS);
    if (rank == 0)
        printf("%sok 2 - and the transport goes on\n1..2\n", ok ? "" : "not ");
    /* 'big' is not freed: its send is never over. */
    return !(ok && all);
}
