/* SPDX-License-Identifier: MIT */
/* Options whose value is one of a few words; see options_row.h.  It knows the
 * words, tells them in messages, and finds the one that was nearly said. */
#include "run/options_row.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "run/options.h"
#include "sched/policy.h"
#include "task/show.h"

/* By enum dtx_bind. */
static const char *const binds[] = {"auto", "core", "none"};

#define NBINDS (sizeof(binds) / sizeof(binds[0]))

static const char *const counters[] = {"auto", "off"};

#define NCOUNTERS (sizeof(counters) / sizeof(counters[0]))

static const char *const yesno[] = {"yes", "no"};

/* By enum dtx_keep. */
static const char *const keeps[] = {"all", "failed", "none"};

#define NKEEPS (sizeof(keeps) / sizeof(keeps[0]))

/* By enum dtx_late. */
static const char *const lates[] = {"expected", "safe", "hopeful", "start"};

#define NLATES (sizeof(lates) / sizeof(lates[0]))

static const struct {
    const char *name;
    int number;
} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"HUP", SIGHUP},
               {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
               {"CONT", SIGCONT}, {"KILL", SIGKILL}};

#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))

const char *dtx_option_word(const struct dtx_option *o, size_t i)
{
    static const char *const halt[] = {
        "never",          "soon,fail=1",    "now,fail=1",
        "soon,fail=10%",  "now,fail=10%",   "soon,success=1",
        "now,success=1",  "soon,done=50%",  "now,done=50%"};
    const struct dtx_policy *policy;
    size_t n;

    switch (o->kind) {
    case DTX_OPTION_BIND:
        return i < NBINDS ? binds[i] : NULL;
    case DTX_OPTION_COUNTERS:
        return i < NCOUNTERS ? counters[i] : NULL;
    case DTX_OPTION_YESNO:
        return i < 2 ? yesno[i] : NULL;
    case DTX_OPTION_KEEP:
        return i < NKEEPS ? keeps[i] : NULL;
    case DTX_OPTION_LATE:
        return i < NLATES ? lates[i] : NULL;
    case DTX_OPTION_SIGNAL:
        return i < NSIGNALS ? signals[i].name : NULL;
    case DTX_OPTION_HALT:
        return i < sizeof(halt) / sizeof(halt[0]) ? halt[i] : NULL;
    case DTX_OPTION_POLICY:
        policy = dtx_policy_table(&n);
        return i < n ? policy[i].name : NULL;
    default:
        return NULL;
    }
}

int dtx_option_refuse(struct dtx_error *err, const char *label,
                      const char *value, const char *what)
{
    struct dtx_show b;

    return dtx_error_set(err, DTX_EINVAL, "%s: '%s' is not %s", label,
                         dtx_show_text(&b, value, strlen(value)), what);
}

int dtx_option_refuse_word(const struct dtx_option *o, struct dtx_error *err,
                           const char *label, const char *value,
                           const char *what)
{
    struct dtx_near near;
    const char *word;
    char more[160];
    size_t i;

    dtx_near_init(&near, value, strlen(value));
    for (i = 0; (word = dtx_option_word(o, i)) != NULL; i++)
        dtx_near_offer(&near, word);
    if (!near.best)
        return dtx_option_refuse(err, label, value, what);
    (void)snprintf(more, sizeof(more), "%s; did you mean %s?", what,
                   near.best);
    return dtx_option_refuse(err, label, value, more);
}

/* "auto, core or none": all its words. */
static int refuse_all(const struct dtx_option *o, struct dtx_error *err,
                      const char *label, const char *value)
{
    struct dtx_buf b = DTX_BUF_INIT;
    const char *word;
    size_t i;
    int rc;

    for (i = 0; (word = dtx_option_word(o, i)) != NULL; i++)
        dtx_buf_printf(&b, "%s%s",
                       i == 0                        ? ""
                       : dtx_option_word(o, i + 1) ? ", "
                                                     : " or ", word);
    rc = b.failed ? dtx_error_set(err, DTX_ENOMEM, "out of memory")
                  : dtx_option_refuse_word(o, err, label, value, b.data);
    dtx_buf_free(&b);
    return rc;
}

/* The value's number among the words. */
static int pick(const struct dtx_option *o, const char *label,
                const char *value, size_t *out, struct dtx_error *err)
{
    const char *name = value, *word;
    size_t i;

    if (o->kind == DTX_OPTION_SIGNAL && strncmp(value, "SIG", 3) == 0)
        name += 3;
    for (i = 0; (word = dtx_option_word(o, i)) != NULL; i++) {
        if (strcmp(name, word) == 0) {
            *out = i;
            return 0;
        }
    }
    return refuse_all(o, err, label, value);
}

int dtx_option_set_word(const struct dtx_option *o, const char *label,
                        const char *value, void *at, struct dtx_error *err)
{
    size_t i = 0;
    int rc = pick(o, label, value, &i, err);

    if (rc)
        return rc;
    if (o->kind == DTX_OPTION_BIND)
        *(enum dtx_bind *)at = (enum dtx_bind)i;
    else if (o->kind == DTX_OPTION_KEEP)
        *(enum dtx_keep *)at = (enum dtx_keep)i;
    else if (o->kind == DTX_OPTION_LATE)
        *(enum dtx_late *)at = (enum dtx_late)i;
    else if (o->kind == DTX_OPTION_COUNTERS)
        *(bool *)at = i == 1; /* off */
    else
        *(int *)at = signals[i].number;
    return 0;
}
