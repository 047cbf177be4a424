# SPDX-License-Identifier: MIT
"""The conditions that are compared, as arguments of `smitin generate`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Condition:
    name: str
    alpha: float
    arguments: tuple = ()


def scaled(base, factors):
    return [round(base * f, 3) for f in factors]


PROBE = 48, 96  # alphas along the regression's weights; its spreads, and so its steps, are a third of the mean shift's


def addition(top):
    """Conditions for adding a trait; `top` is the knob's alpha of 100 %. Without "probe" in the name everything pushes along
    the knob's own direction, the mass mean shift.

    Original ITI pushes a third of the heads at every column, SMITIN all heads at every fifth and only while the trait is
    missing; a quarter of the alpha and less gives comparable presence.
    """
    rows = [Condition("unconditioned", 0.0), Condition("unconditioned, other seed", 0.0, ("--seed", "1000001"))]
    rows += [Condition("SMITIN %g" % a, a) for a in scaled(top, (0.25, 0.5, 1, 2))]
    rows += [Condition("SMITIN probe %g" % a, a, ("--direction", "probe")) for a in PROBE]
    rows += [Condition("ITI %g" % a, a, ("--method", "iti")) for a in scaled(top, (1 / 16, 1 / 8, 1 / 4))]
    rows += [Condition("ITI probe %g" % a, a, ("--method", "iti", "--direction", "probe")) for a in PROBE[:1]]
    return rows


def controls(doses):
    """Random directions, pushed without a monitor at the doses other conditions had: {name: (dose, weight sum)}."""
    rows = []
    for name, (dose, weight_sum) in doses.items():
        rows.append(Condition("random, dose of %s" % name, round(5 * dose / weight_sum, 4),
                              ("--method", "sparse", "--direction", "random", "--direction-seed", "1")))
    return rows


def removal(top):
    """Conditions for removing a trait that plays in the prompt."""
    rows = [Condition("unconditioned", 0.0)]
    rows += [Condition("SMITIN %g" % a, a) for a in scaled(-top, (0.25, 0.5, 1, 2))]
    rows += [Condition("SMITIN probe %g" % a, a, ("--direction", "probe")) for a in scaled(-1, PROBE[1:])]
    rows += [Condition("ITI %g" % a, a, ("--method", "iti")) for a in scaled(-top, (1 / 16, 1 / 8, 1 / 4))]
    return rows
