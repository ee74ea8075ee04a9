/* SPDX-License-Identifier: MIT */
/* Writes and reads the notice of a rank's death; see notice.h. */
#include "node/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

#define HEAD "distributex-notice 1\n"
#define FILE_BYTES 65536u
#define RAN_MAX 4096u

static int save(const char *temp, const char *path, const struct dtx_buf *b)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ssize_t n;

    if (fd < 0)
        return dtx_error_errno(NULL, "%s", temp);
    do {
        n = write(fd, b->data, b->len);
    } while (n < 0 && errno == EINTR);
    if (close(fd) != 0 || n != (ssize_t)b->len || rename(temp, path) != 0) {
        int rc = dtx_error_errno(NULL, "%s", path);

        (void)unlink(temp);
        return rc;
    }
    return DTX_OK;
}

int dtx_notice_write(const char *path, const struct dtx_notice *n)
{
    struct dtx_buf b = DTX_BUF_INIT, temp = DTX_BUF_INIT;
    uint32_t i;
    int rc = DTX_ENOMEM;

    dtx_buf_str(&b, HEAD);
    dtx_buf_printf(&b, "status %d\n", n->status);
    if (n->still)
        dtx_buf_str(&b, "still\n");
    if (n->told)
        dtx_buf_str(&b, "told\n");
    for (i = 0; n->told && i < n->nran && i < RAN_MAX; i++)
        dtx_buf_printf(&b, "ran %u %u\n", n->ran[i].task, n->ran[i].attempt);
    dtx_buf_str(&b, "end\n");
    dtx_buf_printf(&temp, "%s.tmp", path);
    if (!b.failed && !temp.failed)
        rc = save(temp.data, path, &b);
    dtx_buf_free(&b);
    dtx_buf_free(&temp);
    return rc;
}

/* One line of it; 1 at the end. */
static int read_line(const char *line, struct dtx_notice *n)
{
    struct dtx_item_taskref r;
    struct dtx_item_taskref *p;
    int used = 0;

    if (strcmp(line, "end") == 0)
        return 1;
    if (strcmp(line, "told") == 0) {
        n->told = true;
    } else if (strcmp(line, "still") == 0) {
        n->still = true;
    } else if (sscanf(line, "status %d%n", &n->status, &used) == 1) {
        if (line[used])
            return DTX_ECORRUPT;
    } else if (sscanf(line, "ran %u %u%n", &r.task, &r.attempt, &used) == 2 &&
               !line[used] && n->nran < RAN_MAX) {
        p = realloc(n->ran, (n->nran + 1) * sizeof(*p));
        if (!p)
            return DTX_ENOMEM;
        n->ran = p;
        n->ran[n->nran++] = r;
    } else {
        return DTX_ECORRUPT;
    }
    return 0;
}

static int read_text(char *text, struct dtx_notice *n)
{
    size_t head = strlen(HEAD);
    char *line = text + head, *end;
    int rc = 0;

    if (strncmp(text, HEAD, head) != 0)
        return DTX_ECORRUPT;
    while (rc == 0) {
        end = strchr(line, '\n');
        if (!end)
            return DTX_ECORRUPT;
        *end = '\0';
        rc = read_line(line, n);
        line = end + 1;
    }
    return rc == 1 ? DTX_OK : rc;
}

int dtx_notice_read(const char *path, struct dtx_notice *n)
{
    char *text = malloc(FILE_BYTES);
    int fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = -1;
    int rc;

    memset(n, 0, sizeof(*n));
    n->status = -1;
    if (fd < 0) {
        rc = !text ? DTX_ENOMEM : errno == ENOENT ? DTX_ENOENT : DTX_EIO;
        free(text);
        return rc;
    }
    len = read(fd, text, FILE_BYTES - 1);
    (void)close(fd);
    if (len > 0)
        text[len] = '\0';
    rc = len > 0 ? read_text(text, n) : DTX_ECORRUPT;
    free(text);
    if (rc) {
        free(n->ran);
        memset(n, 0, sizeof(*n));
        n->status = -1;
    }
    return rc;
}

const char *dtx_notice_cause(const struct dtx_notice *n, char *buf, size_t size)
{
    if (n->still)
        (void)snprintf(buf, size, "it stood still");
    else if (n->status < 0)
        (void)snprintf(buf, size, "no word of how");
    else if (WIFSIGNALED(n->status))
        (void)snprintf(buf, size, "signal %d", WTERMSIG(n->status));
    else
        (void)snprintf(buf, size, "exit %d", WEXITSTATUS(n->status));
    return buf;
}
