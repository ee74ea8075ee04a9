/* SPDX-License-Identifier: MIT */
/* The session of a process: it begins and ends here, and what was the last
 * error is kept here. */
#include "lib/api.h"

#include <stdlib.h>
#include <string.h>

#include "engine/broker.h"
#include "engine/event.h"
#include "lib/learned.h"
#include "predict/calls.h"

struct dtx_session *dtx_api_session;
struct dtx_error dtx_api_error;

int dtx_api_outside(const char *what)
{
    return dtx_api_fail(DTX_ESTATE,
                        "%s: there is no session: call dtx_init first", what);
}

int dtx_api_busy(struct dtx_session *s)
{
    (void)pthread_mutex_lock(&s->crew.lock);
    (void)dtx_api_fail(DTX_ESTATE, "a call of this session is running: kernels "
                                   "and callbacks cannot make another");
    (void)pthread_mutex_unlock(&s->crew.lock);
    return DTX_ESTATE;
}

static int start_crew(struct dtx_session *s, struct dtx_error *err)
{
    unsigned slots = s->net.slots[s->net.rank];
    uint32_t r;

    for (r = 0; r < s->net.size; r++)
        s->slots_all += s->net.slots[r];
    return dtx_crew_start(&s->crew, &s->net, slots,
                          s->options.bind ? s->net.pu : NULL, !s->net.threads,
                          s->options.counters, err);
}

static int make_broker(struct dtx_session *s, struct dtx_error *err)
{
    struct dtx_broker_config c = {s->net.size, s->net.slots};

    if (s->net.rank != 0)
        return DTX_OK;
    s->broker = dtx_broker_create(&c);
    s->actions = calloc(1, sizeof(*s->actions));
    if (s->options.predict)
        s->calls = dtx_calls_create();
    return s->broker && s->actions && (s->calls || !s->options.predict)
               ? DTX_OK
               : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

/* What is wrong about the file is no failure, but its text is kept. */
static int open_learned(struct dtx_session *s, struct dtx_error *err)
{
    struct dtx_error file = {0};
    int rc = dtx_learned_open(s, &file);

    if (rc < 0)
        (void)dtx_error_set(err, rc, "learned=: %s", dtx_strerror(rc));
    else if (file.code)
        dtx_api_error = file;
    return dtx_transport_agree(s->net.transport, err);
}

/* What one rank could not do alone, none has done: 'err' is this rank's before,
 * and that of all behind. */
static int open_session(struct dtx_session *s, const void *comm, size_t size,
                        struct dtx_error *err)
{
    struct dtx_net_options n = {.comm = comm,
                                .comm_size = size,
                                .jobs = s->options.slots,
                                .bells = s->options.bell,
                                .nap_ns = s->options.nap_ns,
                                .lost_after_ns = s->options.lost_after_ns};
    int rc = dtx_net_open(&s->net, &n, s->options.weight, err);
    bool crew;

    if (rc < 0)
        return rc;
    rc = start_crew(s, err);
    crew = rc == DTX_OK;
    if (rc == DTX_OK)
        (void)make_broker(s, err);
    rc = dtx_transport_agree(s->net.transport, err);
    if (rc == DTX_OK)
        rc = open_learned(s, err);
    if (rc == DTX_OK)
        return rc;
    if (crew)
        dtx_crew_stop(&s->crew);
    (void)dtx_net_close(&s->net);
    return rc;
}

static void free_session(struct dtx_session *s)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        free(s->kernel[i]->name);
        free(s->kernel[i]);
    }
    free(s->kernel);
    dtx_broker_destroy(s->broker);
    dtx_learned_close(s);
    dtx_calls_destroy(s->calls);
    if (s->actions)
        dtx_actions_free(s->actions);
    free(s->actions);
    dtx_buf_free(&s->names);
}

int dtx_init_handle(const void *comm, size_t size, const char *options)
{
    static struct dtx_session only; /* for it there is always memory */
    struct dtx_session *s = &only;
    struct dtx_error err = {0};
    int rc;

    if (dtx_api_session)
        return dtx_api_fail(DTX_ESTATE, "dtx_init: there is a session already");
    memset(s, 0, sizeof(*s));
    (void)dtx_options_parse(options, &s->options, &err);
    rc = open_session(s, comm, size, &err);
    if (rc < 0) {
        free_session(s);
        dtx_api_error = err;
        return dtx_error_prefix(&dtx_api_error, "dtx_init: ");
    }
    dtx_buf_str(&s->names, "");
    dtx_api_session = s;
    return DTX_OK;
}

int dtx_init(const char *options)
{
    return dtx_init_handle(NULL, 0, options);
}

int dtx_finalize(void)
{
    struct dtx_session *s = dtx_api_session;
    struct dtx_error unsaved = {0};
    int rc, saved;

    if (!s)
        return dtx_api_outside("dtx_finalize");
    if (atomic_load(&s->running))
        return dtx_api_busy(s);
    saved = dtx_learned_save(s, true, &unsaved);
    while (s->works)
        dtx_work_destroy(s->works);
    dtx_crew_stop(&s->crew);
    rc = dtx_net_close(&s->net);
    dtx_api_session = NULL;
    free_session(s);
    if (rc == DTX_ELOST)
        return dtx_api_fail(rc,
                            "dtx_finalize: a rank was lost, and so MPI is not "
                            "finalised: end without any further call of it");
    if (rc < 0)
        return dtx_api_fail(rc, "dtx_finalize: the ranks did not come "
                                "together");
    if (saved < 0)
        dtx_api_error = unsaved;
    return saved;
}

int dtx_rank(void)
{
    return dtx_api_session ? (int)dtx_api_session->net.rank : -1;
}

int dtx_ranks(void)
{
    return dtx_api_session ? (int)dtx_api_session->net.size : -1;
}

int dtx_slots(void)
{
    return dtx_api_session ? (int)dtx_api_session->crew.n : -1;
}

int dtx_slots_all(void)
{
    return dtx_api_session ? (int)dtx_api_session->slots_all : -1;
}

const char *dtx_error_text(void)
{
    return dtx_api_error.text;
}
