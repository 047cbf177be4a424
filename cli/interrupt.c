/* SPDX-License-Identifier: MIT */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

#include "../src/base/error.h"

static volatile sig_atomic_t caught;

static void note(int number)
{
    caught = number;
}

void interrupt_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction before, action;
        memset(&action, 0, sizeof action);
        action.sa_handler = note;
        action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

int interrupted(void)
{
    return caught;
}

smitin_status interrupt_check(smitin_error *error)
{
    if (caught == 0) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_STOPPED, "interrupted");
}
