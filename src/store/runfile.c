/* SPDX-License-Identifier: MIT */
/* run.h5; see runfile.h. */
#include "store/runfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"
#include "store/h5.h"
#include "store/history_rows.h"

#define FORMAT "distributex run"

#define COLUMN(name, field, kind)                                              \
    {name, offsetof(struct dtx_run_attempt, field), DTX_H5_##kind, 1}

#define COUNTED(name, what)                                                    \
    COLUMN(name, outcome.counters.value[DTX_COUNTED_##what], U64)

static const struct dtx_h5_column columns[] = {
    COLUMN("task", seq, U64),
    COLUMN("attempt", outcome.attempt, U32),
    COLUMN("rank", outcome.rank, U32),
    COLUMN("slot", outcome.slot, U32),
    COLUMN("host", host, U32),
    COLUMN("status", outcome.status, U8),
    COLUMN("source", outcome.source, U8),
    COLUMN("exit_code", outcome.exit_code, I32),
    COLUMN("signal", outcome.signal, I32),
    COLUMN("start_ns", outcome.start_ns, I64),
    COLUMN("wall_ns", outcome.wall_ns, I64),
    COLUMN("utime_ns", outcome.utime_ns, I64),
    COLUMN("stime_ns", outcome.stime_ns, I64),
    COLUMN("maxrss_kib", outcome.maxrss_kib, I64),
    COLUMN("minflt", outcome.minflt, I64),
    COLUMN("majflt", outcome.majflt, I64),
    COLUMN("nvcsw", outcome.nvcsw, I64),
    COLUMN("nivcsw", outcome.nivcsw, I64),
    COLUMN("inblock", outcome.inblock, I64),
    COLUMN("oublock", outcome.oublock, I64),
    COLUMN("counter", outcome.counters.provider, U8),
    COLUMN("counted", outcome.counters.counted, U8),
    COUNTED("instructions", INSTRUCTIONS),
    COUNTED("cycles", CYCLES),
    COUNTED("misses", MISSES),
    COUNTED("iowait_ns", IOWAIT_NS),
    COUNTED("clock_ns", CLOCK_NS),
    COUNTED("migrations", MIGRATIONS),
    COUNTED("switches", SWITCHES),
    COUNTED("faults", FAULTS),
    COLUMN("out_len", outcome.out_len, U64),
    COLUMN("err_len", outcome.err_len, U64),
    COLUMN("command_at", command_at, U64),
    COLUMN("command_len", command_len, U32),
};
static const struct dtx_h5_table attempts = {
    "attempts", columns, sizeof(columns) / sizeof(columns[0]),
    sizeof(struct dtx_run_attempt)};

static const struct dtx_h5_column byte[] = {{"byte", 0, DTX_H5_U8, 1}};
static const struct dtx_h5_table commands = {"commands", byte, 1, 1};

void dtx_runfile_free(struct dtx_runfile *r)
{
    free(r->attempt);
    dtx_buf_free(&r->text);
    dtx_experience_free(&r->hosts);
    memset(r, 0, sizeof(*r));
}

int dtx_runfile_add(struct dtx_runfile *r, uint64_t seq, const char *command,
                    size_t len, const char *host, const struct dtx_outcome *o)
{
    struct dtx_run_attempt *p = dtx_grow(r->attempt, &r->cap, r->n + 1,
                                         sizeof(*p));
    uint32_t h = dtx_experience_host(&r->hosts, host, strlen(host));

    if (!p)
        return DTX_ENOMEM;
    r->attempt = p;
    memset(&p[r->n], 0, sizeof(*p));
    p[r->n].outcome = *o;
    p[r->n].seq = seq;
    p[r->n].command_at = r->text.len;
    p[r->n].command_len = (uint32_t)len;
    p[r->n].host = h;
    dtx_buf_append(&r->text, command, len);
    if (h == UINT32_MAX || r->text.failed)
        return DTX_ENOMEM;
    r->n++;
    return DTX_OK;
}

int dtx_runfile_write(const char *path, const struct dtx_runfile *r,
                      struct dtx_error *err)
{
    char *temp;
    hid_t h;
    int rc;

    dtx_h5_lock();
    rc = dtx_h5_begin(path, &h, &temp, err);
    if (rc == DTX_OK) {
        if (dtx_h5_put_text(h, "format", FORMAT) ||
            dtx_h5_put_number(h, "version", DTX_RUNFILE_VERSION) ||
            dtx_h5_put_table(h, &attempts, r->attempt, r->n) ||
            dtx_h5_put_table(h, &dtx_history_hosts, r->hosts.host,
                             r->hosts.nhosts) ||
            dtx_h5_put_table(h, &commands, r->text.data, r->text.len))
            rc = dtx_h5_error(err, DTX_EIO, "cannot write", path);
        /* it can be made again: nothing waits for the disk */
        rc = dtx_h5_commit(path, h, temp, false, rc, err);
    }
    dtx_h5_unlock();
    return rc;
}

/* Rows that point outside of the others are damage. */
static bool makes_sense(const struct dtx_runfile *r)
{
    size_t i;

    for (i = 0; i < r->n; i++) {
        const struct dtx_run_attempt *a = &r->attempt[i];

        if (a->command_at > r->text.len ||
            a->command_len > r->text.len - a->command_at ||
            a->host >= r->hosts.nhosts || a->seq == 0 ||
            a->outcome.status > DTX_STATUS_KILLED ||
            a->outcome.counters.provider >= DTX_COUNTERS)
            return false;
    }
    for (i = 0; i < r->hosts.nhosts; i++)
        r->hosts.host[i].name[DTX_EXP_HOST_NAME - 1] = '\0';
    return true;
}

static int read_tables(hid_t h, struct dtx_runfile *r)
{
    void *a = NULL, *t = NULL, *hosts = NULL;
    size_t len = 0;
    int rc = dtx_h5_get_table(h, &attempts, DTX_HISTORY_ROWS, &a, &r->n);

    r->attempt = a;
    if (rc == 0)
        rc = dtx_h5_get_table(h, &dtx_history_hosts, DTX_HISTORY_ROWS, &hosts,
                              &r->hosts.nhosts);
    r->hosts.host = hosts;
    if (rc == 0)
        rc = dtx_h5_get_table(h, &commands, (size_t)1 << 36, &t, &len);
    if (rc == 0 && len > 0)
        dtx_buf_append(&r->text, t, len);
    free(t);
    return rc != 0 || r->text.failed || !makes_sense(r) ? -1 : 0;
}

int dtx_runfile_read(const char *path, struct dtx_runfile *r,
                     struct dtx_error *err)
{
    char format[64];
    int64_t version = 0;
    hid_t h;
    int rc;

    memset(r, 0, sizeof(*r));
    dtx_h5_lock();
    rc = dtx_h5_open(path, &h, err);
    if (rc == DTX_OK) {
        if (dtx_h5_get_text(h, "format", format, sizeof(format)) != 0 ||
            strcmp(format, FORMAT) != 0 ||
            dtx_h5_get_number(h, "version", &version) != 0)
            rc = dtx_error_set(err, DTX_EFOREIGN, "%s is not a run.h5", path);
        else if (version > DTX_RUNFILE_VERSION)
            rc = dtx_error_set(err, DTX_EFOREIGN, "%s has version %lld, newer "
                               "than %d", path, (long long)version,
                               DTX_RUNFILE_VERSION);
        else if (read_tables(h, r) != 0)
            rc = dtx_h5_error(err, DTX_ECORRUPT, "cannot read", path);
        (void)H5Fclose(h);
    }
    dtx_h5_unlock();
    if (rc != DTX_OK)
        dtx_runfile_free(r);
    return rc;
}

bool dtx_runfile_is_h5(const char *path)
{
    static const char magic[8] = "\211HDF\r\n\032\n";
    char head[sizeof(magic)];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is = fd >= 0 && dtx_file_read(fd, head, sizeof(head), 0) ==
                             (ssize_t)sizeof(head) &&
              memcmp(head, magic, sizeof(head)) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is;
}
