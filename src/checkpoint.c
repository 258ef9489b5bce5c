#include "cgm/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/pipeline.h"
#include "cgm/result.h"
#include "checkpoint_file.h"
#include "kept_sums.h"
#include "newfile.h"

/* What a checkpoint of a kind is from, in words. */
static const char *const kept_words[] = {"input",       "lengthscale", "lengthscale",
                                         "kernel sums", "kernel sums", "sampling"};

/* ---- writing ---- */

static cgm_status write_file(cgm_comm *comm, const cgm_checkpoint *checkpoint, cgm_kept kept,
                             const void *partial)
{
    checkpoint_content content = {checkpoint, kept, partial};
    const cgm_newfile file = {
        .path = checkpoint->path,
        .option = "checkpoint.file",
        .replace = true,
        .older = checkpoint->older,
        .mode = 0640,
        .bytes = checkpoint_file_bound(&content),
        .write = checkpoint_file_write,
        .state = &content,
    };
    return cgm_newfile_write_together(comm, &file);
}

static void tell_written(cgm_comm *comm, cgm_checkpoint *checkpoint, cgm_kept kept, double seconds)
{
    struct stat state;
    if (comm->rank == 0 && stat(checkpoint->path, &state) == 0) {
        checkpoint->bytes = (int64_t)state.st_size;
        if (comm->progress_interval > 0.0) {
            printf("checkpoint: %s, %.3g MB in %.3f s\n", kept_words[kept],
                   1e-6 * (double)state.st_size, seconds);
            fflush(stdout);
        }
    }
}

/* The run goes on without this checkpoint: the one before still stands. */
static void tell_failed(cgm_comm *comm, cgm_checkpoint *checkpoint)
{
    if (comm->rank == 0 && !checkpoint->warned) {
        fprintf(stderr, "cgm: warning: no checkpoint was written, the run goes on: %s\n",
                comm->error.message);
    }
    checkpoint->warned = true;
    comm->error = (cgm_error){0};
}

static cgm_status stop_here(cgm_comm *comm, const cgm_checkpoint *checkpoint, cgm_kept kept)
{
    return cgm_fail(comm, CGM_STOPPED,
                    "stopped at checkpoint '%s' (%s); start the same command again to go on",
                    checkpoint->path, kept_words[kept]);
}

/* Writes a checkpoint at a safe point, and ends the run there if that is wanted. One that was found
 * and holds more stays: the run is still on its way to where that was made. */
static cgm_status keep(cgm_comm *comm, cgm_checkpoint *checkpoint, cgm_kept kept,
                       const void *partial)
{
    const bool stops = cgm_stop_wanted(comm, &checkpoint->stop);
    if (kept < checkpoint->found) {
        return stops ? stop_here(comm, checkpoint, checkpoint->found) : CGM_OK;
    }
    double seconds = -cgm_timer_now();
    cgm_status status = write_file(comm, checkpoint, kept, partial);
    seconds += cgm_timer_now();
    cgm_stop_passed(&checkpoint->stop, seconds);
    checkpoint->seconds += seconds;
    checkpoint->count++;
    if (status == CGM_OK) {
        tell_written(comm, checkpoint, kept, seconds);
    } else if (!stops) {
        tell_failed(comm, checkpoint);
        return CGM_OK;
    }
    checkpoint->last = status == CGM_OK ? kept : checkpoint->last;
    return status == CGM_OK && stops ? stop_here(comm, checkpoint, kept) : status;
}

static bool pause_due(cgm_comm *comm, void *state)
{
    const cgm_checkpoint_pause *of = state;
    return cgm_stop_due(comm, &of->checkpoint->stop);
}

static cgm_status pause_keep(cgm_comm *comm, void *state, const void *partial)
{
    const cgm_checkpoint_pause *of = state;
    return keep(comm, of->checkpoint, of->kept, partial);
}

const cgm_pause *cgm_checkpoint_pause_of(const cgm_checkpoint *checkpoint, cgm_kept kept)
{
    return checkpoint->path != NULL ? &checkpoint->pauses[kept].pause : NULL;
}

/* All chains, as they are when the sampling has ended. */
static cgm_status keep_rewards(cgm_comm *comm, cgm_checkpoint *checkpoint)
{
    cgm_sampling_partial chains;
    cgm_status status =
        cgm_sampling_whole(comm, &checkpoint->run->shard, &checkpoint->run->sampling, &chains);
    if (status == CGM_OK) {
        status = keep(comm, checkpoint, CGM_KEPT_CHAINS, &chains);
    }
    cgm_sampling_partial_destroy(&chains);
    return status;
}

cgm_status cgm_checkpoint_stage_ended(cgm_comm *comm, cgm_checkpoint *checkpoint, cgm_kept kept)
{
    if (checkpoint->path == NULL) {
        return CGM_OK;
    }
    /* What was found is there already. */
    if (kept > checkpoint->found) {
        return kept == CGM_KEPT_CHAINS ? keep_rewards(comm, checkpoint)
                                       : keep(comm, checkpoint, kept, NULL);
    }
    if (!cgm_stop_wanted(comm, &checkpoint->stop)) {
        return CGM_OK;
    }
    const cgm_kept last =
        checkpoint->last > checkpoint->found ? checkpoint->last : checkpoint->found;
    cgm_status status = CGM_OK;
    if (last == CGM_KEPT_NOTHING && checkpoint->from == NULL) {
        status = write_file(comm, checkpoint, CGM_KEPT_NOTHING, NULL);
    }
    return status == CGM_OK ? stop_here(comm, checkpoint, last) : status;
}

/* ---- what there is to go on from ---- */

static cgm_status fill_sums(cgm_comm *comm, void *state, cgm_partial_sums *partial)
{
    const cgm_checkpoint *checkpoint = state;
    if (checkpoint->found == CGM_KEPT_PARTIAL) {
        cgm_h5_file file;
        cgm_status status = cgm_h5_open(comm, checkpoint->from, &file);
        if (status == CGM_OK) {
            status = checkpoint_file_read_partial(&file, partial);
        }
        cgm_h5_close(&file);
        return cgm_agree(comm, status);
    }
    const int64_t n = partial->n_parties;
    int64_t *kept = cgm_alloc(comm, n, sizeof *kept);
    cgm_status status = cgm_agree(comm, kept != NULL ? CGM_OK : CGM_ERR_MEMORY);
    for (int64_t i = 0; i < n && status == CGM_OK; i++) {
        kept[i] = i;
    }
    if (status == CGM_OK) {
        const kept_parties parties = {n, kept};
        status = kept_sums_fill(comm, checkpoint->from, &parties, partial);
    }
    free(kept);
    return status;
}

/* Is it a checkpoint of this run?  Local, on rank 0. */
static cgm_status check_head(cgm_comm *comm, const cgm_checkpoint *checkpoint, const char *path,
                             const checkpoint_head *head)
{
    if (strcmp(head->options, checkpoint->options) != 0) {
        const cgm_config_difference differs =
            cgm_config_compare(head->options, checkpoint->options);
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "checkpoint '%s' was made with other options: '%.*s %.*s' there, '%.*s' "
                        "now; remove it or choose another checkpoint.file",
                        path, differs.section_length, differs.section, differs.old_length,
                        differs.old, differs.new_length, differs.new);
    }
    if (head->input_checksum != checkpoint->run->input_checksum) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "checkpoint '%s' was made from other input; remove it or choose another "
                        "checkpoint.file",
                        path);
    }
    /* What is kept would not be quite of the same points. */
    const cgm_config *config = checkpoint->run->config;
    const bool depends =
        cgm_config_components(config) > 0 &&
        cgm_dense_is_shared(checkpoint->run->shard.n_features, config->eigensolver);
    if (depends && head->size != comm->size) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "checkpoint '%s' was made by %lld ranks, and components by ScaLAPACK "
                        "depend on their number in the last digits; run as many, or set "
                        "features.eigensolver = lapack from the start",
                        path, (long long)head->size);
    }
    return CGM_OK;
}

/* What a generation on the disk turned out to be. */
typedef struct generation {
    const char *path;
    bool exists;
    bool sound;
    checkpoint_head head; /* on every rank, but for its options */
    char damage[CGM_MESSAGE_MAX];
} generation;

/* Reads all of it, ranks sharing the work. Collective; damage is no failure. */
static void examine(cgm_comm *comm, generation *of)
{
    cgm_comm probe = *comm;
    cgm_h5_file file = {0};
    uint64_t found = 0;
    cgm_status status = CGM_OK;
    of->exists = access(of->path, F_OK) == 0;
    cgm_comm_broadcast(comm, &of->exists, sizeof of->exists, 0);
    if (!of->exists) {
        return;
    }
    status = cgm_h5_open(&probe, of->path, &file);
    if (status == CGM_OK) {
        status = checkpoint_file_read_head(&file, &of->head);
    }
    if (status == CGM_OK) {
        status = cgm_result_checksum(&file, comm->rank, comm->size, &found);
    }
    cgm_h5_close(&file);
    cgm_comm_sum_unsigned(comm, &found, 1);
    if (status == CGM_OK && found != of->head.checksum) {
        status = cgm_fail(&probe, CGM_ERR_INPUT, "its checksum is not that of its content");
    }
    /* A copy of comm votes, so that damage alone is not the run's failure. */
    of->sound = cgm_agree(&probe, status) == CGM_OK;
    snprintf(of->damage, sizeof of->damage, "%s", probe.error.message);
}

static void take(cgm_checkpoint *checkpoint, const generation *of)
{
    checkpoint->found = of->head.kept;
    checkpoint->from = of->path;
    checkpoint->instruction_set = of->head.instruction_set;
    if (checkpoint->found >= CGM_KEPT_PARTIAL) {
        checkpoint->sums = (cgm_sums_source){checkpoint, fill_sums};
    }
}

static cgm_status read_found(cgm_comm *comm, cgm_checkpoint *checkpoint)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, checkpoint->from, &file);
    if (status == CGM_OK) {
        status = checkpoint_file_read(&file, checkpoint);
    }
    cgm_h5_close(&file);
    return cgm_agree(comm, status);
}

/* The newer generation that is whole; a damaged one is told of. */
static cgm_status choose(cgm_comm *comm, cgm_checkpoint *checkpoint, generation *newest,
                         generation *older)
{
    generation *chosen = newest->sound ? newest : older;
    if (newest->exists && !newest->sound && comm->rank == 0 && older->sound) {
        fprintf(stderr, "cgm: warning: checkpoint '%s' is damaged, going on from '%s': %s\n",
                newest->path, older->path, newest->damage);
    }
    if (!chosen->sound) {
        const generation *damaged = newest->exists ? newest : older;
        if (!damaged->exists) {
            return CGM_OK;
        }
        return cgm_agree(comm, cgm_fail(comm, CGM_ERR_INPUT,
                                        "checkpoint '%s' is damaged and there is no other one; "
                                        "remove it to start from the beginning: %s",
                                        damaged->path, damaged->damage));
    }
    cgm_status status = CGM_OK;
    if (comm->rank == 0) {
        status = check_head(comm, checkpoint, chosen->path, &chosen->head);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        take(checkpoint, chosen);
        status = read_found(comm, checkpoint);
    }
    if (status == CGM_OK && comm->rank == 0) {
        printf("going on from checkpoint %s (%s)\n", chosen->path, kept_words[checkpoint->found]);
    }
    return status;
}

static cgm_status find(cgm_comm *comm, cgm_checkpoint *checkpoint)
{
    generation newest = {.path = checkpoint->path};
    generation older = {.path = checkpoint->older};
    examine(comm, &newest);
    if (!newest.sound) {
        examine(comm, &older);
    }
    cgm_status status = choose(comm, checkpoint, &newest, &older);
    checkpoint_head_destroy(&newest.head);
    checkpoint_head_destroy(&older.head);
    return status;
}

cgm_status cgm_checkpoint_read_means(cgm_comm *comm, const cgm_checkpoint *checkpoint,
                                     cgm_embedding *embedding)
{
    const size_t bytes = (size_t)embedding->n_numbers * sizeof(double);
    const int64_t *first = checkpoint->run->shard.first_party;
    const int64_t count = first[comm->rank + 1] - first[comm->rank];
    cgm_h5_file file = {0};
    double *means = cgm_alloc(comm, count, bytes);
    cgm_status status = means != NULL ? cgm_h5_open(comm, checkpoint->from, &file) : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        status = checkpoint_file_read_means(&file, embedding, first[comm->rank], count, means);
    }
    cgm_h5_close(&file);
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        status = cgm_embedding_take_means(comm, first, means, embedding);
    }
    free(means);
    return status;
}

/* ---- from beginning to end ---- */

cgm_status cgm_checkpoint_open(cgm_comm *comm, const cgm_run *run, double started,
                               cgm_checkpoint *checkpoint)
{
    const cgm_config *config = run->config;
    *checkpoint = (cgm_checkpoint){.run = run};
    if (strcmp(config->checkpoint_file, "none") == 0) {
        /* SIGUSR1 finds nowhere to stop: the run goes on. */
        return isinf(config->max_hours)
                   ? CGM_OK
                   : cgm_agree(comm, cgm_fail(comm, CGM_ERR_USAGE,
                                              "run.max_hours needs a checkpoint.file to stop at"));
    }
    const size_t bytes = strlen(config->checkpoint_file) + sizeof ".older";
    checkpoint->path = config->checkpoint_file;
    checkpoint->older = cgm_alloc(comm, (int64_t)bytes, 1);
    checkpoint->options = cgm_config_text(comm, config, true);
    bool complete = checkpoint->older != NULL && checkpoint->options != NULL;
    cgm_status status = complete ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK && comm->rank == 0) {
        cgm_newfile_remove_abandoned(comm, checkpoint->path);
        status = cgm_newfile_check_directory(comm, checkpoint->path, "checkpoint.file");
    }
    status = cgm_agree(comm, status);
    if (status != CGM_OK) {
        return status;
    }
    snprintf(checkpoint->older, bytes, "%s.older", checkpoint->path);
    for (int k = 0; k <= CGM_KEPT_CHAINS; k++) {
        cgm_checkpoint_pause *of = &checkpoint->pauses[k];
        *of = (cgm_checkpoint_pause){checkpoint, (cgm_kept)k, {of, pause_due, pause_keep}};
    }
    cgm_stop_watch(&checkpoint->stop, started, config->checkpoint_interval, config->max_hours);
    return find(comm, checkpoint);
}

void cgm_checkpoint_remove(const cgm_checkpoint *checkpoint)
{
    if (checkpoint->path != NULL) {
        unlink(checkpoint->path);
        unlink(checkpoint->older);
    }
}

void cgm_checkpoint_close(cgm_checkpoint *checkpoint)
{
    checkpoint_file_release(checkpoint);
    free(checkpoint->older);
    free(checkpoint->options);
    *checkpoint = (cgm_checkpoint){0};
}
