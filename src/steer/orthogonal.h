/* SPDX-License-Identifier: MIT */
/* Several knobs at once: a later knob's directions made orthogonal to those of the earlier ones,
 * head by head, by Gram-Schmidt. */
#ifndef SMITIN_STEER_ORTHOGONAL_H
#define SMITIN_STEER_ORTHOGONAL_H

#include "plan.h"

/* With q[j] an orthonormal basis of the earlier plans' directions on a head,
 *
 *     theta  <-  |theta| r / |r|,   r = theta - sum over j of <theta, q[j]> q[j]
 *
 * as long as it was, so that the head is pushed as far as before. Where r is less than a thousandth
 * of theta, nothing but rounding is left: the head's weight becomes 0. Earlier directions count
 * whatever weights and strengths they have. All plans are of one model; `earlier` [count].
 * SMITIN_ERROR_ARGUMENT when no head is left to push. */
smitin_status sm_plan_orthogonalise(sm_plan *plan, const sm_plan *const *earlier, int count,
                                    const char *trait, smitin_error *error);

#endif
