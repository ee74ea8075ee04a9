/* SPDX-License-Identifier: MIT */
/* tests/fuzz/replay_main.c - run a fuzz target over a corpus, without a fuzzer
 *
 * Gives the target the empty input, every file of the folders named on the
 * command line, and of each file what comes cheaply: its truncations and a few
 * hundred seeded mutations.  The same inputs come every time.  The target's
 * crash is this program's crash, after the name of the file was printed.
 */
#include "base/rng.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 300, TRUNCATIONS = 4096, INPUT_SIZE = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs;

/* Give exactly 'size' bytes in memory of their own, so that a sanitizer sees
 * one byte too many. */
static void give(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    inputs++;
    free(copy);
}

static void mutate(uint8_t *data, size_t size, struct dtx_rng *rng)
{
    for (uint64_t n = 1 + dtx_rng_below(rng, 4); n > 0; n--) {
        size_t at = (size_t)dtx_rng_below(rng, size);
        if (dtx_rng_below(rng, 2) == 0)
            data[at] = (uint8_t)dtx_rng_u64(rng);
        else
            data[at] = (uint8_t)(data[at] ^ 1u << dtx_rng_below(rng, 8));
    }
}

static void give_variants(const uint8_t *data, size_t size)
{
    for (size_t n = 0; n < size && n < TRUNCATIONS; n++)
        give(data, n);
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        abort();
    struct dtx_rng rng;
    dtx_rng_seed(&rng, size);
    for (int i = 0; i < MUTATIONS && size > 0; i++) {
        memcpy(copy, data, size);
        mutate(copy, size, &rng);
        give(copy, size);
    }
    free(copy);
}

static int replay_file(const char *path)
{
    static uint8_t data[INPUT_SIZE];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, sizeof(data), f);
    int bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        perror(path);
        return 1;
    }
    printf("# %s, %zu bytes\n", path, size);
    (void)fflush(stdout);
    give(data, size);
    give_variants(data, size);
    return 0;
}

/* Returns how many files were read, or -1. */
static int replay_folder(const char *folder)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort);
    if (n < 0) {
        perror(folder);
        return -1;
    }
    int files = 0, bad = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        int len = snprintf(path, sizeof(path), "%s/%s", folder,
                           entry[i]->d_name);
        if (entry[i]->d_name[0] != '.' && len < (int)sizeof(path)) {
            bad |= replay_file(path);
            files++;
        }
        free(entry[i]);
    }
    free(entry);
    return bad ? -1 : files;
}

int main(int argc, char **argv)
{
    int files = 0, bad = 0;
    give((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        int n = replay_folder(argv[i]);
        bad |= n < 0;
        files += n > 0 ? n : 0;
    }
    if (files == 0)
        printf("# no file in the corpus\n");
    bad |= files == 0;
    printf("%s 1 - %s: %d files, %zu inputs\n", bad ? "not ok" : "ok",
           argv[0], files, inputs);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
