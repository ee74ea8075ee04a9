/* SPDX-License-Identifier: MIT */
/* The words of "run" in the mouth of another command; see run_words.h. */
#include "cli/run_words.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "run/options.h"
#include "run/status.h"

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

int dtx_cli_run_words(const char *command, const char *form, char *const *words,
                      size_t nwords, struct dtx_options *o)
{
    struct dtx_buf name = DTX_BUF_INIT, config = DTX_BUF_INIT,
                   text = DTX_BUF_INIT;
    struct dtx_options_input in = {.argc = (int)nwords,
                                   .argv = words,
                                   .get = from_environ};
    struct dtx_error err = {0, ""};
    enum dtx_options_end end = DTX_OPTIONS_BAD;

    if (dtx_options_config(from_environ, NULL, &name, &config, &err) ==
        DTX_OK) {
        in.config = config.data;
        in.config_len = config.len;
        in.config_name = name.data;
        end = dtx_options_parse(&in, o, &text, &err);
    }
    dtx_buf_free(&name);
    dtx_buf_free(&config);
    dtx_buf_free(&text);
    if (end == DTX_OPTIONS_GO)
        return 0;
    if (end == DTX_OPTIONS_DONE)
        return dtx_cmd_usage("%s: %s", command, form);
    return dtx_cmd_usage("%s: %s", command, err.text);
}

int dtx_cli_self(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);

    if (n <= 0)
        return DTX_EXIT_INTERNAL;
    out[n] = '\0';
    return 0;
}
