/* SPDX-License-Identifier: MIT */
/* Owns the gain laws: when a knob pushes, and how hard. */
#include "controller.h"

#include <math.h>
#include <string.h>

void sm_controller_init(sm_controller *controller, const smitin_steering *settings,
                        double threshold, int first, int last)
{
    memset(controller, 0, sizeof *controller);
    bool sparse = settings->method != SMITIN_METHOD_ITI && settings->method != SMITIN_METHOD_DECAY;
    controller->method = settings->method;
    controller->decay = settings->decay;
    controller->decay_rate = settings->decay_rate;
    controller->P = (double)settings->pid_p;
    controller->I = (double)settings->pid_i;
    controller->D = (double)settings->pid_d;
    controller->every = sparse ? settings->every : 1;
    controller->first = first;
    controller->last = last;
    controller->lag = settings->lag;
    controller->threshold = threshold;
    controller->gain = 1.0;
    controller->previous = (double)NAN;
    controller->pending = (double)NAN;
}

bool sm_controller_scheduled(const sm_controller *controller, int column)
{
    return column >= controller->first && (column - controller->first) % controller->every == 0;
}

static double decayed(const sm_controller *controller, int column)
{
    if (controller->decay == SMITIN_DECAY_EXPONENTIAL)
        return pow(controller->decay_rate, (double)(column - controller->first));
    if (column >= controller->last) return controller->last > controller->first ? 0.0 : 1.0;
    return (double)(controller->last - column) / (double)(controller->last - controller->first);
}

/* The monitored law for a reading C, NAN when there is none. */
static double monitored(const sm_controller *controller, double C)
{
    double previous = controller->previous;
    if (!controller->started || isnan(C)) return 1.0;
    if (C >= controller->threshold) return 0.0;
    if (!isnan(previous) && C > previous) return controller->gain * (1.0 - (C - previous));
    return 1.0;
}

/* The PID law for a reading C, NAN when there is none. */
static double controlled(sm_controller *controller, double C)
{
    if (isnan(C)) return 1.0;
    double error = controller->threshold - C, step = controller->I * error;
    double u = controller->P * error + controller->integral + step;
    if (!isnan(controller->previous)) u -= controller->D * (C - controller->previous);
    bool winds_up = (u > 1.0 && step > 0.0) || (u < 0.0 && step < 0.0);
    if (!winds_up) controller->integral += step;
    return fmin(fmax(u, 0.0), 1.0);
}

double sm_controller_gain(sm_controller *controller, int column, double reading)
{
    if (controller->tripped || !sm_controller_scheduled(controller, column)) return 0.0;
    if (controller->method == SMITIN_METHOD_DECAY) return decayed(controller, column);
    if (controller->method == SMITIN_METHOD_SPARSE || controller->method == SMITIN_METHOD_ITI)
        return 1.0;
    double C = controller->lag ? controller->pending : reading;
    controller->gain = controller->method == SMITIN_METHOD_PID ? controlled(controller, C)
                                                               : monitored(controller, C);
    controller->previous = C;
    controller->started = true;
    return controller->gain;
}

void sm_controller_note(sm_controller *controller, int column, double reading)
{
    if (sm_controller_scheduled(controller, column)) controller->pending = reading;
}

void sm_controller_restart(sm_controller *controller)
{
    controller->gain = 1.0;
    controller->previous = (double)NAN;
    controller->pending = (double)NAN;
    controller->integral = 0.0;
}

void sm_controller_trip(sm_controller *controller)
{
    controller->tripped = true;
}
