/* SPDX-License-Identifier: MIT */
/* The words of mpirun's command line and its environment; see
 * supervise_words.h.  It starts nothing. */
#include "run/supervise_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

static void add_word(struct dtx_argv *w, const char *s, size_t len)
{
    char **grown = dtx_grow(w->v, &w->cap, w->n + 2, sizeof(*w->v));
    char *copy = strndup(s, len);

    if (grown)
        w->v = grown;
    if (!grown || !copy) {
        w->failed = true;
        free(copy);
        return;
    }
    w->v[w->n++] = copy;
    w->v[w->n] = NULL;
}

void dtx_argv_add(struct dtx_argv *w, const char *s)
{
    add_word(w, s, strlen(s));
}

void dtx_argv_free(struct dtx_argv *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
}

static bool user_set(const char *name)
{
    return getenv(name) != NULL;
}

static const char *const ours[] = {DTX_MARKER_ENV, DTX_GO_ON_ENV};

/* Is this setting one that the supervisor makes? */
static bool is_ours(const char *setting)
{
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        size_t len = strlen(ours[i]);

        if (strncmp(setting, ours[i], len) == 0 && setting[len] == '=')
            return true;
    }
    return false;
}

/* Options of ours in the environment have to reach ranks on other nodes. */
static void add_exports(struct dtx_argv *w)
{
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        dtx_argv_add(w, "-x");
        dtx_argv_add(w, ours[i]);
    }
    for (char **e = environ; e && *e; e++) {
        size_t len = strcspn(*e, "=");

        if (strncmp(*e, "DTX_", 4) != 0 || is_ours(*e))
            continue;
        dtx_argv_add(w, "-x");
        add_word(w, *e, len);
    }
}

/* So that the ranks that are left go on when one dies, and that a daemon whose
 * link is cut is missed within seconds rather than minutes. */
static void add_settings(struct dtx_argv *w, const char *ft)
{
    static const struct {
        const char *name, *value;
    } set[] = {{"orte_enable_recovery", "1"},
               {"oob_tcp_keepalive_time", "2"},
               {"oob_tcp_keepalive_intvl", "1"},
               {"oob_tcp_keepalive_probes", "3"}};
    char name[64];

    if (ft) {
        dtx_argv_add(w, "--with-ft");
        dtx_argv_add(w, ft);
    }
    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        (void)snprintf(name, sizeof(name), "OMPI_MCA_%s", set[i].name);
        if (user_set(name))
            continue;
        dtx_argv_add(w, "--mca");
        dtx_argv_add(w, set[i].name);
        dtx_argv_add(w, set[i].value);
    }
}

const char *dtx_supervise_mpirun(const struct dtx_supervise *s)
{
    const char *env = getenv("MPIRUN");

    return s->mpirun ? s->mpirun : env && env[0] ? env : "mpirun";
}

/* Ranks share the cores among themselves: mpirun must not bind them, nor count
 * them. What the user has set by environment is left alone. */
void dtx_supervise_command(const struct dtx_supervise *s, const char *hostfile,
                           struct dtx_argv *w)
{
    char count[16];

    dtx_argv_add(w, dtx_supervise_mpirun(s));
    (void)snprintf(count, sizeof(count), "%u", (unsigned)s->ranks);
    dtx_argv_add(w, "-n");
    dtx_argv_add(w, count);
    if (hostfile) {
        dtx_argv_add(w, "--hostfile");
        dtx_argv_add(w, hostfile);
    }
    if (!user_set("OMPI_MCA_rmaps_base_oversubscribe") &&
        !user_set("OMPI_MCA_rmaps_base_no_oversubscribe"))
        dtx_argv_add(w, "--oversubscribe");
    if (!user_set("OMPI_MCA_hwloc_base_binding_policy")) {
        dtx_argv_add(w, "--bind-to");
        dtx_argv_add(w, "none");
    }
    add_settings(w, s->ft);
    add_exports(w);
    for (char **a = s->argv; *a; a++)
        dtx_argv_add(w, *a);
}

static void add_setting(struct dtx_argv *w, const char *name,
                        const char *value)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_buf_printf(&b, "%s=%s", name, value);
    if (b.failed)
        w->failed = true;
    else
        dtx_argv_add(w, b.data);
    dtx_buf_free(&b);
}

static void add_default(struct dtx_argv *w, const char *name,
                        const char *value)
{
    if (!user_set(name))
        add_setting(w, name, value);
}

void dtx_supervise_env(const char *marker, uint32_t go_on,
                       struct dtx_argv *w)
{
    char text[16];

    for (char **e = environ; e && *e; e++) {
        if (!is_ours(*e))
            dtx_argv_add(w, *e);
    }
    (void)snprintf(text, sizeof(text), "%u", (unsigned)go_on);
    add_setting(w, DTX_MARKER_ENV, marker);
    add_setting(w, DTX_GO_ON_ENV, text);
    add_default(w, "OMPI_MCA_mpi_yield_when_idle", "1");
    if (geteuid() == 0) {
        add_default(w, "OMPI_ALLOW_RUN_AS_ROOT", "1");
        add_default(w, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
}

void dtx_supervise_log(const struct dtx_argv *w)
{
    struct dtx_buf b = DTX_BUF_INIT;

    for (size_t i = 0; i < w->n; i++) {
        if (i > 0)
            dtx_buf_char(&b, ' ');
        dtx_buf_shell_quoted(&b, w->v[i], strlen(w->v[i]));
    }
    if (!b.failed)
        dtx_log(DTX_LOG_INFO, "supervisor: %s", b.data);
    dtx_buf_free(&b);
}
