/* SPDX-License-Identifier: MIT */
/* TACC Launcher's directory and variables; see launcher.h.  It changes the
 * attributes of a list that is complete, before the engine sees it, or those
 * that the tasks of a live one begin with; it reads no environment of its
 * own. */
#include "run/launcher.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/task.h"

#define JID "LAUNCHER_JID="

int dtx_launcher_dir(struct dtx_tasklist *list, const char *dir,
                     struct dtx_error *err)
{
    struct stat st;
    uint32_t off;
    size_t i;

    if (strlen(dir) > DTX_MAX_CWD || stat(dir, &st) != 0 ||
        !S_ISDIR(st.st_mode))
        return dtx_error_set(err, DTX_EINVAL,
                             "LAUNCHER_WORKDIR=%.200s is no directory: make "
                             "it, or unset the variable",
                             dir);
    off = dtx_tasklist_intern(list, dir, strlen(dir));
    if (off == DTX_NO_TEXT)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    for (i = 0; i < list->nattrs; i++) {
        if (list->attr[i].cwd == DTX_NO_TEXT)
            list->attr[i].cwd = off;
    }
    return DTX_OK;
}

static uint32_t count_entries(const char *env)
{
    uint32_t n = 1;

    while ((env = strchr(env, '\n')) != NULL) {
        env++;
        n++;
    }
    return n;
}

/* A list that began as a stream has them already, of that session, at the end:
 * how much is before? */
static size_t own_length(const char *env)
{
    const char *jid = strncmp(env, JID, strlen(JID)) == 0
                          ? env : strstr(env, "\n" JID);

    return !jid ? strlen(env) : jid == env ? 0 : (size_t)(jid - env);
}

int dtx_launcher_env(struct dtx_tasklist *list, uint32_t nodes, uint64_t slots,
                     struct dtx_error *err)
{
    uint64_t ppn = nodes > 0 ? (slots + nodes - 1) / nodes : slots;
    struct dtx_buf b = DTX_BUF_INIT;
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < list->nattrs && !rc; i++) {
        struct dtx_task_attr *a = &list->attr[i];
        const char *old = dtx_tasklist_pool(list, a->env);

        dtx_buf_clear(&b);
        if (old && own_length(old) > 0) {
            dtx_buf_append(&b, old, own_length(old));
            dtx_buf_char(&b, '\n');
        }
        dtx_buf_printf(&b,
                       JID "%%t\nLAUNCHER_TSK_ID=%%o\n"
                       "LAUNCHER_NHOSTS=%lu\nLAUNCHER_PPN=%llu\n"
                       "LAUNCHER_NPROCS=%llu",
                       (unsigned long)nodes, (unsigned long long)ppn,
                       (unsigned long long)slots);
        if (!list->live) /* else nobody knows */
            dtx_buf_printf(&b, "\nLAUNCHER_NJOBS=%zu", list->ntasks);
        if (b.failed)
            rc = DTX_ENOMEM;
        else if (b.len > DTX_MAX_ENV ||
                 count_entries(b.data) > DTX_MAX_ENV_ENTRIES)
            rc = DTX_ELIMIT;
        else if ((a->env = dtx_tasklist_intern(list, b.data, b.len)) ==
                 DTX_NO_TEXT)
            rc = DTX_ENOMEM;
    }
    dtx_buf_free(&b);
    return rc ? dtx_error_set(err, rc, "LAUNCHER_ variables of the tasks: %s",
                              dtx_strerror(rc))
              : DTX_OK;
}
