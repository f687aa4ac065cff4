/*
 * FASTLB_DEBUG_MOVER takes from the engine the choice of how bytes move, at every step: "copy", "splice", or a number,
 * the seed of a random choice. Read when an engine is made. Debug builds alone have it.
 */
#ifndef FASTLB_DEBUG_H
#define FASTLB_DEBUG_H

#ifndef FASTLB_DEBUG

#define debug_start(worker) ((void)0)
#define debug_mover(mover) (mover)

#else

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int (*debug_mover_choice)(int mover);
static uint64_t debug_mover_dice;

static int debug_mover_copy(int mover) { (void)mover; return 0; }
static int debug_mover_splice(int mover) { (void)mover; return 1; }

static int debug_mover_random(int mover) {
    (void)mover;
    debug_mover_dice ^= debug_mover_dice << 13; /* xorshift64 */
    debug_mover_dice ^= debug_mover_dice >> 7;
    debug_mover_dice ^= debug_mover_dice << 17;
    return (int)(debug_mover_dice >> 32 & 1);
}

static void debug_start(uint32_t worker) {
    const char *wish = getenv("FASTLB_DEBUG_MOVER");
    debug_mover_choice = NULL;
    if (wish == NULL || *wish == 0)
        return;
    debug_mover_dice = (strtoull(wish, NULL, 10) * 64 + worker) * 0x9E3779B97F4A7C15u + 1;
    debug_mover_choice = strcmp(wish, "copy") == 0     ? debug_mover_copy
                         : strcmp(wish, "splice") == 0 ? debug_mover_splice
                                                       : debug_mover_random;
}

static int debug_mover(int mover) { return debug_mover_choice ? debug_mover_choice(mover) : mover; }

#endif
#endif
