/* SPDX-License-Identifier: MIT */
/* Options of a session; see options.h.  One table of names and what reads
 * them. */
#include "lib/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/near.h"
#include "base/units.h"
#include "sched/loop.h"

#define MOST_SLOTS 65536
#define LONGEST (DTX_MAX_PATH + 16) /* bytes of a word */

static int read_slots(struct dtx_options *o, const char *v, struct dtx_error *e)
{
    int64_t n;

    if (dtx_parse_int(v, 1, MOST_SLOTS, &n) < 0)
        return dtx_error_set(e, DTX_EINVAL,
                             "slots=%s: a number from 1 to %d is needed", v,
                             MOST_SLOTS);
    o->slots = (uint32_t)n;
    return DTX_OK;
}

static int read_flag(const char *name, const char *v, bool *out,
                     struct dtx_error *e)
{
    if (strcmp(v, "yes") != 0 && strcmp(v, "no") != 0)
        return dtx_error_set(e, DTX_EINVAL, "%s=%s: yes or no is needed", name,
                             v);
    *out = v[0] == 'y';
    return DTX_OK;
}

static int read_bind(struct dtx_options *o, const char *v, struct dtx_error *e)
{
    return read_flag("bind", v, &o->bind, e);
}

static int read_bell(struct dtx_options *o, const char *v, struct dtx_error *e)
{
    return read_flag("bell", v, &o->bell, e);
}

static int read_predict(struct dtx_options *o, const char *v,
                        struct dtx_error *e)
{
    return read_flag("predict", v, &o->predict, e);
}

static int read_assist(struct dtx_options *o, const char *v,
                       struct dtx_error *e)
{
    return read_flag("assist", v, &o->assist, e);
}

static int read_counters(struct dtx_options *o, const char *v,
                         struct dtx_error *e)
{
    static const char *const how[] = {"off", "perf", "auto"};
    size_t i, n = sizeof(how) / sizeof(how[0]);

    for (i = 0; i < n && strcmp(v, how[i]) != 0; i++)
        continue;
    if (i == n)
        return dtx_error_set(e, DTX_EINVAL, "counters=%s: auto, perf or off is "
                             "needed", v);
    o->counters = (enum dtx_thread_counting)i; /* in their order */
    return DTX_OK;
}

static int read_learned(struct dtx_options *o, const char *v,
                        struct dtx_error *e)
{
    size_t len = strlen(v);

    if (len == 0 || len >= sizeof(o->learned))
        return dtx_error_set(e, DTX_EINVAL,
                             "learned=: the name of a file of up to %zu bytes "
                             "is needed", sizeof(o->learned) - 1);
    memcpy(o->learned, v, len + 1);
    return DTX_OK;
}

static int read_nap(struct dtx_options *o, const char *v, struct dtx_error *e)
{
    if (dtx_parse_duration(v, &o->nap_ns) < 0 || o->nap_ns < 1000 ||
        o->nap_ns > DTX_SEC_NS)
        return dtx_error_set(e, DTX_EINVAL,
                             "nap=%s: a time from 1us to 1s is needed", v);
    return DTX_OK;
}

static int read_lost_after(struct dtx_options *o, const char *v,
                           struct dtx_error *e)
{
    if (dtx_parse_duration(v, &o->lost_after_ns) < 0 ||
        o->lost_after_ns > 86400 * DTX_SEC_NS ||
        (o->lost_after_ns > 0 && o->lost_after_ns < DTX_SEC_NS))
        return dtx_error_set(e, DTX_EINVAL,
                             "lost-after=%s: a time from 1s to 24h is needed, "
                             "or 0 for never", v);
    return DTX_OK;
}

static int read_weight(struct dtx_options *o, const char *v,
                       struct dtx_error *e)
{
    char *end;

    errno = 0;
    o->weight = strtod(v, &end);
    if (*end || end == v || errno || !isfinite(o->weight) || o->weight <= 0)
        return dtx_error_set(e, DTX_EINVAL,
                             "weight=%s: a number above 0 is needed", v);
    return DTX_OK;
}

static int read_schedule(struct dtx_options *o, const char *v,
                         struct dtx_error *e)
{
    return dtx_schedule_parse(v, &o->schedule, e);
}

static const struct word {
    const char *name, *variable;
    int (*read)(struct dtx_options *o, const char *value, struct dtx_error *e);
} words[] = {
    {"slots", "DTX_SLOTS", read_slots},
    {"schedule", "DTX_SCHEDULE", read_schedule},
    {"bind", "DTX_BIND", read_bind},
    {"nap", "DTX_NAP", read_nap},
    {"bell", "DTX_BELL", read_bell},
    {"weight", "DTX_WEIGHT", read_weight},
    {"predict", "DTX_PREDICT", read_predict},
    {"learned", "DTX_LEARNED", read_learned},
    {"lost-after", "DTX_LOST_AFTER", read_lost_after},
    {"counters", "DTX_COUNTERS", read_counters},
    {"assist", "DTX_ASSIST", read_assist},
};

#define NWORDS (sizeof(words) / sizeof(words[0]))

static int read_parameter(struct dtx_schedule_choice *c, const char *p,
                          struct dtx_error *err)
{
    int64_t n = 0;

    if (strncmp(p, "h=", 2) == 0 && !dtx_parse_duration(p + 2, &n) && n > 0)
        c->overhead_ns = n;
    else if (strncmp(p, "sigma=", 6) == 0 && !dtx_parse_duration(p + 6, &n) &&
             n > 0)
        c->sigma_ns = n;
    else if (strncmp(p, "least=", 6) == 0 &&
             !dtx_parse_int(p + 6, 1, INT64_MAX, &n))
        c->least = (uint64_t)n;
    else
        return dtx_error_set(err, DTX_EINVAL,
                             "'%s' in a schedule: h=TIME, sigma=TIME or "
                             "least=N is needed",
                             p);
    return DTX_OK;
}

int dtx_schedule_parse(const char *text, struct dtx_schedule_choice *out,
                       struct dtx_error *err)
{
    struct dtx_schedule_choice c = {NULL, 0, 0, 0};
    char copy[LONGEST], *p, *next;
    int rc = DTX_OK;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return dtx_error_set(err, DTX_ELIMIT, "a schedule longer than %d",
                             LONGEST - 1);
    next = strchr(copy, ':');
    if (next)
        *next++ = '\0';
    c.schedule = dtx_loop_schedule_find(copy, err);
    if (!c.schedule)
        return DTX_EINVAL;
    while ((p = next) && rc == DTX_OK) {
        next = strchr(p, ':');
        if (next)
            *next++ = '\0';
        rc = read_parameter(&c, p, err);
    }
    if (rc == DTX_OK && c.schedule->asks && !(c.overhead_ns && c.sigma_ns))
        rc = dtx_error_set(err, DTX_EINVAL,
                           "schedule %s needs both times: %s:h=1us:sigma=10us",
                           copy, copy);
    if (rc == DTX_OK)
        *out = c;
    return rc;
}

static int unknown(const char *name, struct dtx_error *err)
{
    struct dtx_near near;
    size_t i;

    dtx_near_init(&near, name, strlen(name));
    for (i = 0; i < NWORDS; i++)
        dtx_near_offer(&near, words[i].name);
    if (near.best)
        return dtx_error_set(err, DTX_EINVAL,
                             "no option is called '%s'; is %s= meant?", name,
                             near.best);
    return dtx_error_set(err, DTX_EINVAL,
                         "no option is called '%s'; there are slots=, "
                         "schedule=, bind=, nap=, bell=, weight=, predict=, "
                         "learned=, lost-after=, counters= and assist=",
                         name);
}

static int read_word(struct dtx_options *o, char *word, struct dtx_error *err)
{
    char *value = strchr(word, '=');
    size_t i;

    if (!value)
        return dtx_error_set(err, DTX_EINVAL,
                             "'%s' in the options: name=value is needed", word);
    *value++ = '\0';
    for (i = 0; i < NWORDS; i++) {
        if (strcmp(words[i].name, word) == 0)
            return words[i].read(o, value, err);
    }
    return unknown(word, err);
}

static int read_text(struct dtx_options *o, const char *text,
                     struct dtx_error *err)
{
    int rc = DTX_OK;

    while (rc == DTX_OK && *(text += strspn(text, " \t\n"))) {
        size_t len = strcspn(text, " \t\n");
        char word[LONGEST];

        if (len >= sizeof(word))
            return dtx_error_set(err, DTX_ELIMIT,
                                 "a word of the options is longer than %d",
                                 LONGEST - 1);
        memcpy(word, text, len);
        word[len] = '\0';
        text += len;
        rc = read_word(o, word, err);
    }
    return rc;
}

int dtx_options_parse(const char *text, struct dtx_options *out,
                      struct dtx_error *err)
{
    struct dtx_options o = {.bind = true,
                            .bell = true,
                            .predict = true,
                            .counters = DTX_THREAD_COUNTING_AUTO,
                            .assist = true,
                            .nap_ns = 200000,
                            .lost_after_ns = 5 * DTX_SEC_NS,
                            .weight = 1};
    int rc = text ? read_text(&o, text, err) : DTX_OK;
    size_t i;

    for (i = 0; i < NWORDS && rc == DTX_OK; i++) {
        const char *v = getenv(words[i].variable);

        if (!v || !*v)
            continue;
        rc = words[i].read(&o, v, err);
        if (rc < 0)
            rc = dtx_error_prefix(err, "environment, %s: ", words[i].variable);
    }
    if (rc == DTX_OK)
        *out = o;
    return rc;
}
