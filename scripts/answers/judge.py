#!/usr/bin/env python3
"""How well the evidence of answers tells right from wrong, each desk judged by weights learned on the others; and the weights of all.

Takes files that `firstline eval confidence --desk DESK --test QUESTIONS --rows FILE` wrote, one a desk. Prints, for every share of questions
that may be answered wrongly, the share answered rightly, and the weights as `src/desk/confidence.rs` has them. See README.md beside this file.
"""

import argparse
import json

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# The recogniser's two are set by hand: typed questions say nothing of them.
BY_HAND = 2
MAY_BE_WRONG = (0.005, 0.01, 0.02, 0.03)


def read(path):
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    evidence = np.array([row["evidence"][1:-BY_HAND] for row in rows])
    return evidence, np.array([row["right"] for row in rows])


def learned(kind):
    if kind == "trees":
        return HistGradientBoostingClassifier(max_depth=3, max_iter=150, learning_rate=0.06, l2_regularization=3, min_samples_leaf=15)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))


def fitted(kind, desks, weights):
    counts = "sample_weight" if kind == "trees" else "logisticregression__sample_weight"
    evidence, right = (np.concatenate(part) for part in zip(*desks))
    return learned(kind).fit(evidence, right, **{counts: weights})


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rows", nargs="+", help="desks to judge and to learn from")
    options.add_argument("--beside", nargs="*", default=[], help="desks to learn from only")
    options.add_argument("--weight", type=float, default=0.05, help="what a question of those counts")
    a = options.parse_args()
    desks, beside = [read(path) for path in a.rows], [read(path) for path in a.beside]

    def weights(own):
        return np.concatenate([np.ones(len(y)) for _, y in own] + [np.full(len(y), a.weight) for _, y in beside])

    for kind in ("weights", "trees"):
        sure, right = [], []
        for at, (x, y) in enumerate(desks):
            others = desks[:at] + desks[at + 1 :]
            sure.append(fitted(kind, others + beside, weights(others)).predict_proba(x)[:, 1])
            right.append(y)
        sure, right = np.concatenate(sure), np.concatenate(right)
        order = np.argsort(-sure)
        wrong, good = np.cumsum(~right[order]), np.cumsum(right[order])
        for most in MAY_BE_WRONG:
            within = np.flatnonzero(wrong <= most * len(right))
            share, floor = (good[within[-1]] / len(right), sure[order][within[-1]]) if len(within) else (0.0, 1.0)
            print(f"{kind}: {most:.1%} wrong, {share:.1%} right of {len(right)} answers, floor {floor:.2f}")
    model = fitted("weights", desks + beside, weights(desks))
    scale, linear = model[0], model[1]
    own = linear.coef_[0] / scale.scale_
    bias = linear.intercept_[0] - (own * scale.mean_).sum()
    print("[" + ", ".join(f"{w:.2f}" for w in [bias, *own]) + "]")


if __name__ == "__main__":
    main()
