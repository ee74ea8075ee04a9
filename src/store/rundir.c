/* SPDX-License-Identifier: MIT */
/* The run directory's names, its link, the request to stop and the holding of
 * the lease; see rundir.h.  Decides no ownership itself (lease.h does), and
 * never removes or replaces what it has not made. */
#include "store/rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/file.h"
#include "store/lease.h"

#define JOURNAL_FILE "journal"
#define STOP_FILE "stop"
#define LOST_DIR "lost"
#define MAX_JOB_ID 200 /* bytes of a job id that go into a name */
#define MAX_TRIES 100000

struct dtx_rundir {
    char *path;
    struct dtx_lease mine;
    atomic_bool stop_asked;
    atomic_bool hears; /* of losses */
    pthread_mutex_t lock; /* of what follows */
    uint32_t *lost;       /* ranks whose word has been seen ... */
    size_t nlost, cap_lost;
    size_t told;          /* ... the first so many of them asked for */
};

/* 'name' as an absolute path, appended to 'out'. Symbolic links are left
 * alone: where homes are mounted by automounters, the path behind the link is
 * good on this node only. */
static int append_absolute(const char *name, struct dtx_buf *out,
                           struct dtx_error *err)
{
    while (name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++)
            continue;
    if (name[0] != '/') {
        char *cwd = get_current_dir_name();

        if (!cwd)
            return dtx_error_errno(err, "cannot tell the current directory");
        dtx_buf_str(out, cwd);
        free(cwd);
        if (out->len > 0 && out->data[out->len - 1] != '/')
            dtx_buf_char(out, '/');
    }
    dtx_buf_str(out, strcmp(name, ".") == 0 ? "" : name);
    while (!out->failed && out->len > 1 && out->data[out->len - 1] == '/')
        out->data[--out->len] = '\0';
    if (out->failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    return 0;
}

/* The middle of a default name: the job's id made harmless, or time and pid. */
static void write_stem(const char *job_id, char *out, size_t size)
{
    size_t i;

    if (job_id && *job_id) {
        for (i = 0; job_id[i] && i < MAX_JOB_ID && i + 1 < size; i++)
            out[i] =
                isalnum((unsigned char)job_id[i]) || strchr("._-+", job_id[i])
                    ? job_id[i]
                    : '_';
        out[i] = '\0';
    } else {
        time_t now = time(NULL);
        struct tm tm;
        char when[32] = "";

        if (gmtime_r(&now, &tm))
            (void)strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
        (void)snprintf(out, size, "%s-%ld", when, (long)getpid());
    }
}

int dtx_rundir_make_default(const char *parent, const char *job_id,
                            struct dtx_buf *path, struct dtx_error *err)
{
    char stem[MAX_JOB_ID + 64];
    struct dtx_buf base = DTX_BUF_INIT;
    int rc, n;

    write_stem(job_id, stem, sizeof(stem));
    rc = append_absolute(parent && *parent ? parent : ".", &base, err);
    if (rc != 0) {
        dtx_buf_free(&base);
        return rc;
    }
    for (n = 1; n <= MAX_TRIES; n++) {
        size_t start = path->len;

        dtx_buf_printf(path, "%s/distributex-%s",
                       strcmp(base.data, "/") == 0 ? "" : base.data, stem);
        if (n > 1)
            dtx_buf_printf(path, "-%d", n);
        if (path->failed)
            rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
        else if (mkdir(path->data + start, 0777) != 0)
            rc = dtx_error_errno(err, "cannot make the run directory %s",
                                 path->data + start);
        else
            rc = 0;
        if (rc == 0 && dtx_file_sync_dir(path->data + start) != 0)
            rc = dtx_error_errno(err, "cannot sync %s", base.data);
        if (rc != 0 && !path->failed)
            path->data[path->len = start] = '\0';
        if (rc != DTX_EEXIST)
            break;
    }
    dtx_buf_free(&base);
    return rc;
}

/* Is there an entry 'name' in 'dir'? */
static bool has_entry(const char *dir, const char *name)
{
    char *path = dtx_file_join(dir, name);
    struct stat st;
    bool has = path && stat(path, &st) == 0;

    free(path);
    return has;
}

/* A directory of other things is nobody's run directory: one of ours, whose
 * session died before it had a journal, holds nothing else. */
static int refuse_foreign(const char *dir, struct dtx_error *err)
{
    static const char *const ours[] = {"out", LOST_DIR, STOP_FILE};
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t i;
    int rc = 0;

    if (!d)
        return dtx_error_errno(err, "cannot read the run directory %s", dir);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        bool own = e->d_name[0] == '.' ||
                   strncmp(e->d_name, "slurm-", 6) == 0 || /* sbatch -o */
                   strncmp(e->d_name, DTX_LEASE_FILE,
                           sizeof(DTX_LEASE_FILE) - 1) == 0;

        for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
            own |= strcmp(e->d_name, ours[i]) == 0;
        if (!own)
            rc = dtx_error_set(err, DTX_EEXIST,
                               "%s holds %s and no job: name a run directory "
                               "that is new or empty", dir, e->d_name);
    }
    (void)closedir(d);
    return rc;
}

int dtx_rundir_make(const char *name, struct dtx_buf *path,
                    enum dtx_rundir_found *found, struct dtx_error *err)
{
    size_t start = path->len;
    struct stat st;
    const char *dir;
    int rc;

    if (!*name)
        return dtx_error_set(err, DTX_EINVAL,
                             "the run directory's name is empty");
    rc = append_absolute(name, path, err);
    if (rc != 0)
        return rc;
    dir = path->data + start;
    *found = DTX_RUNDIR_THERE;
    if (mkdir(dir, 0777) == 0) {
        *found = DTX_RUNDIR_MADE;
        if (dtx_file_sync_dir(dir) != 0)
            rc = dtx_error_errno(err, "cannot sync the parent of %s", dir);
    } else if (errno != EEXIST) {
        rc = dtx_error_errno(err, "cannot make the run directory %s", dir);
    } else if (stat(dir, &st) != 0) {
        rc = dtx_error_errno(err, "cannot use the run directory %s", dir);
    } else if (!S_ISDIR(st.st_mode)) {
        rc =
            dtx_error_set(err, DTX_EEXIST,
                          "cannot use the run directory %s: it is a file", dir);
    }
    if (rc == 0 && has_entry(dir, JOURNAL_FILE))
        *found = DTX_RUNDIR_JOB;
    if (rc == 0 && *found == DTX_RUNDIR_THERE)
        rc = refuse_foreign(dir, err);
    return rc;
}

/* Where the link points, as an absolute path. */
static int append_target(const char *link, struct dtx_buf *out,
                         struct dtx_error *err)
{
    char target[4096];
    ssize_t n = readlink(link, target, sizeof(target) - 1);

    if (n < 0 && errno == ENOENT)
        return dtx_error_set(err, DTX_ENOENT,
                             "there is no %s here: name the run directory",
                             link);
    if (n < 0 && errno == EINVAL)
        return append_absolute(link, out, err);
    if (n < 0)
        return dtx_error_errno(err, "cannot read the link %s", link);
    target[n] = '\0';
    return append_absolute(target, out, err);
}

int dtx_rundir_find(const char *name, struct dtx_buf *path,
                    struct dtx_error *err)
{
    size_t start = path->len;
    int rc = name ? append_absolute(name, path, err)
                  : append_target(DTX_LATEST_LINK, path, err);
    const char *dir;
    struct stat st;

    if (rc != 0)
        return rc;
    dir = path->data + start;
    if (stat(dir, &st) != 0)
        return dtx_error_errno(err, "cannot open the run directory %s", dir);
    if (!S_ISDIR(st.st_mode))
        return dtx_error_set(err, DTX_ENOENT, "%s is not a directory", dir);
    if (!has_entry(dir, JOURNAL_FILE))
        return dtx_error_set(err, DTX_ENOENT,
                             "%s holds no job (there is no %s in it)", dir,
                             JOURNAL_FILE);
    return 0;
}

/* A link target for 'path' that stays right when the directory above both is
 * moved: the bare name when 'path' lies in the current directory. */
static const char *short_target(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    struct stat a, b;
    bool here;

    if (!slash || slash == path || !slash[1])
        return path;
    dir = strndup(path, (size_t)(slash - path));
    here = dir && stat(dir, &a) == 0 && stat(".", &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    free(dir);
    return here ? slash + 1 : path;
}

int dtx_rundir_link_latest(const char *path, struct dtx_error *err)
{
    char tmp[64];
    struct stat st;
    int rc = 0;

    if (lstat(DTX_LATEST_LINK, &st) == 0 && !S_ISLNK(st.st_mode))
        return dtx_error_set(err, DTX_EEXIST,
                             "%s is not a link; leaving it alone",
                             DTX_LATEST_LINK);
    (void)snprintf(tmp, sizeof(tmp), "." DTX_LATEST_LINK ".%ld",
                   (long)getpid());
    if (unlink(tmp) != 0 && errno != ENOENT)
        return dtx_error_errno(err, "cannot remove %s", tmp);
    if (symlink(short_target(path), tmp) != 0)
        return dtx_error_errno(err, "cannot make the link %s", DTX_LATEST_LINK);
    if (rename(tmp, DTX_LATEST_LINK) != 0) {
        rc = dtx_error_errno(err, "cannot make the link %s", DTX_LATEST_LINK);
        (void)unlink(tmp);
    }
    return rc;
}

static int make_out(const char *path, struct dtx_error *err)
{
    char *out = dtx_file_join(path, "out");
    int rc = 0;

    if (!out)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        rc = dtx_error_errno(err, "cannot make %s", out);
    free(out);
    return rc;
}

/* ---- words of the dead ---- */

void dtx_rundir_loss_path(struct dtx_buf *b, const char *path, uint32_t epoch,
                          uint32_t rank)
{
    dtx_buf_printf(b, "%s/" LOST_DIR "/e%u-r%u", path, epoch, rank);
}

/* With the lock. */
static void note_loss(struct dtx_rundir *d, uint32_t rank)
{
    uint32_t *p;
    size_t i;

    for (i = 0; i < d->nlost; i++) {
        if (d->lost[i] == rank)
            return;
    }
    p = dtx_grow(d->lost, &d->cap_lost, d->nlost + 1, sizeof(*p));
    if (!p)
        return; /* at the next look, perhaps */
    d->lost = p;
    d->lost[d->nlost++] = rank;
}

/* Call 'fn' for each name in lost/. Opening the directory makes a network file
 * system look again. */
static void each_loss(struct dtx_rundir *d,
                      void (*fn)(struct dtx_rundir *d, int dir,
                                 const char *name))
{
    char *path = dtx_file_join(d->path, LOST_DIR);
    DIR *dir = path ? opendir(path) : NULL;
    const struct dirent *e;

    free(path);
    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.')
            fn(d, dirfd(dir), e->d_name);
    }
    if (dir)
        (void)closedir(dir);
}

static void see_loss(struct dtx_rundir *d, int dir, const char *name)
{
    unsigned epoch, rank;
    int used = 0;

    (void)dir;
    if (sscanf(name, "e%u-r%u%n", &epoch, &rank, &used) != 2 || name[used] ||
        epoch != d->mine.epoch)
        return;
    (void)pthread_mutex_lock(&d->lock);
    note_loss(d, rank);
    (void)pthread_mutex_unlock(&d->lock);
}

static void look_for_losses(struct dtx_rundir *d)
{
    each_loss(d, see_loss);
}

bool dtx_rundir_next_loss(struct dtx_rundir *d, uint32_t *rank)
{
    bool any;

    (void)pthread_mutex_lock(&d->lock);
    any = d->told < d->nlost;
    if (any)
        *rank = d->lost[d->told++];
    (void)pthread_mutex_unlock(&d->lock);
    return any;
}

static void remove_loss(struct dtx_rundir *d, int dir, const char *name)
{
    (void)d;
    (void)unlinkat(dir, name, 0);
}

static void remove_losses(struct dtx_rundir *d, bool directory)
{
    char *path = dtx_file_join(d->path, LOST_DIR);

    each_loss(d, remove_loss);
    if (path && directory)
        (void)rmdir(path);
    free(path);
}

int dtx_rundir_hear_losses(struct dtx_rundir *d, struct dtx_error *err)
{
    char *path = dtx_file_join(d->path, LOST_DIR);
    int rc = path ? 0 : dtx_error_set(err, DTX_ENOMEM, "out of memory");

    if (rc == 0 && mkdir(path, 0777) != 0 && errno != EEXIST)
        rc = dtx_error_errno(err, "cannot make %s", path);
    free(path);
    if (rc == 0) {
        remove_losses(d, false);
        atomic_store(&d->hears, true);
    }
    return rc;
}

/* ---- holding the lease ---- */

int dtx_rundir_take(const char *path, uint32_t at_least_epoch,
                    bool (*waiting)(void *ctx, const char *text), void *ctx,
                    struct dtx_rundir **out, uint32_t *epoch,
                    struct dtx_error *err)
{
    struct dtx_lease_taking t = {path, at_least_epoch, DTX_LEASE_STALE_NS,
                                 waiting, ctx};
    struct dtx_rundir *d = calloc(1, sizeof(*d));
    int rc = 0;

    if (d)
        d->path = strdup(path);
    if (!d || !d->path)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == 0)
        rc = dtx_lease_take(&t, &d->mine, err);
    if (rc != 0) {
        if (d)
            free(d->path);
        free(d);
        return rc;
    }
    (void)pthread_mutex_init(&d->lock, NULL);
    rc = make_out(path, err);
    if (rc != 0) {
        dtx_rundir_release(d);
        return rc;
    }
    remove_losses(d, true); /* of an earlier session */
    *epoch = d->mine.epoch;
    *out = d;
    return 0;
}

int dtx_rundir_beat(struct dtx_rundir *d, struct dtx_error *err)
{
    if (has_entry(d->path, STOP_FILE))
        atomic_store(&d->stop_asked, true);
    if (atomic_load(&d->hears))
        look_for_losses(d);
    return dtx_lease_beat(d->path, &d->mine, err);
}

bool dtx_rundir_stop_seen(const struct dtx_rundir *d)
{
    return atomic_load(&d->stop_asked);
}

void dtx_rundir_release(struct dtx_rundir *d)
{
    if (!d)
        return;
    d->mine.released = true;
    /* if it cannot be written, the next session finds our pid gone */
    (void)dtx_lease_beat(d->path, &d->mine, NULL);
    if (atomic_load(&d->hears))
        remove_losses(d, true);
    (void)pthread_mutex_destroy(&d->lock);
    free(d->lost);
    free(d->path);
    free(d);
}

void dtx_rundir_discard(const char *path, bool whole)
{
    static const char *const file[] = {"out/index", JOURNAL_FILE, STOP_FILE,
                                       "node-setup", "node-teardown",
                                       DTX_LEASE_FILE};
    char *p;
    size_t i;

    for (i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        p = dtx_file_join(path, file[i]);
        if (p)
            (void)unlink(p);
        free(p);
    }
    p = dtx_file_join(path, "out");
    if (p)
        (void)rmdir(p);
    free(p);
    if (whole)
        (void)rmdir(path);
}

int dtx_rundir_request_stop(const char *path, bool *running,
                            struct dtx_error *err)
{
    struct dtx_lease l;
    char *file;
    int fd, rc = dtx_lease_read(path, &l, err);

    if (rc != 0 && rc != DTX_ENOENT && rc != DTX_ECORRUPT)
        return rc;
    *running = rc == 0 && dtx_lease_judge(&l) != DTX_LEASE_GONE;
    if (!*running)
        return 0;
    file = dtx_file_join(path, STOP_FILE);
    if (!file)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = 0;
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0 || close(fd) != 0)
        rc = dtx_error_errno(err, "cannot make %s", file);
    free(file);
    return rc;
}

int dtx_rundir_owner(const char *path, struct dtx_rundir_owner *out)
{
    struct dtx_lease l;
    int rc = dtx_lease_read(path, &l, NULL);

    if (rc != 0)
        return rc;
    out->epoch = l.epoch;
    out->beat = l.beat;
    out->pid = l.pid;
    out->here = dtx_lease_judge(&l) == DTX_LEASE_ALIVE;
    return 0;
}

bool dtx_rundir_runs(const char *path, uint64_t *beat)
{
    struct dtx_lease l;

    if (dtx_lease_read(path, &l, NULL) != 0)
        return false;
    *beat = l.beat;
    return dtx_lease_judge(&l) != DTX_LEASE_GONE;
}

void dtx_rundir_clear_stop(const char *path)
{
    char *file = dtx_file_join(path, STOP_FILE);

    if (file)
        (void)unlink(file);
    free(file);
}
