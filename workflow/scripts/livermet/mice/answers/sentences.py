"""Plain English for an answer: who, what, how much, how sure, and what could have been missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.design.questions import fixed_levels

LOG2, LOG2_ODDS, SHARE = "log2", "log2 odds", "rescued share"


@dataclass(frozen=True)
class Result:
    """The numbers of one answer, as a table has them."""

    estimate: float
    ci_low: float
    ci_high: float
    adjusted_p_value: float
    minimum_detectable: float
    tier: str
    reason: str
    mice: str


class Writer:
    """Writes the sentences of a study.

    Parameters
    ----------
    design
        The checked design, with the questions.
    words
        `names` (level, population, signature -> what to call it) and `groups` (level -> what to call its mice).
    """

    def __init__(self, design: Design, words: Mapping[str, Mapping[str, str]]) -> None:
        self.design, self.names, self.groups = design, words.get("names", {}), words.get("groups", {})
        self.confidence = float(design.settings["confidence"])
        self.questions = {question["name"]: question for question in design.settings["questions"]}

    def name(self, word: str) -> str:
        """What to call a level, a population or a signature."""
        return self.names.get(word, word.replace("_", " "))

    def change(self, question: str, thing: str, result: Result, aside: str = "", odds: bool = False) -> str:
        """A sentence on a difference of logarithms.

        Parameters
        ----------
        question
            Its name; an effect, a difference or a synergy.
        thing
            What was measured, in words.
        result
            The numbers, log2.
        aside
            What the change is relative to, in words.
        odds
            Whether the logarithms are of odds.
        """
        if result.tier == keys.NOT_ESTIMABLE or not np.isfinite(result.estimate):
            return f"{self.subject(question)}: what happens to {thing} cannot be answered: {result.reason or 'not measured'}."
        thing, aside = (f"the {thing}", " in odds") if odds else (thing, aside)
        fold = f"{number(2 ** abs(result.estimate))}-fold"
        if result.tier == keys.DESCRIPTIVE or not np.isfinite(result.adjusted_p_value):
            about = self._claim(question, thing, result.estimate, fold, aside)
            return f"Descriptive, not tested: {about} ({result.mice}; no degrees of freedom are left to say how sure this is)."
        lead = "Exploratory: " if result.tier == keys.EXPLORATORY else ""
        sign = 1.0 if result.estimate >= 0 else -1.0
        ends = sorted((2 ** (sign * result.ci_low), 2 ** (sign * result.ci_high)))
        how_sure = (
            f"{self.percent} CI {number(ends[0])} to {number(ends[1])}; adjusted {p_value(result.adjusted_p_value)}"
        )
        if result.adjusted_p_value < 1 - self.confidence:
            claim = self._claim(question, thing, result.estimate, fold, aside)
            text = f"{claim} ({how_sure}; {result.mice})."
        else:
            direction = "up" if result.estimate > 0 else "down"
            text = (
                f"{self.no_effect(question)} on {thing} was shown ({fold} {direction}{aside}; {how_sure}; {result.mice}); "
                f"a change under {number(2**result.minimum_detectable)}-fold could well have been missed."
            )
        return lead + text

    def rescue(self, question: str, thing: str, result: Result) -> str:
        """A sentence on the share of a damage that was undone."""
        asked = self.questions[question]
        damage, repair = self.effect(asked["damage"]), self.effect(asked["repair"])
        if result.tier in (keys.NOT_ESTIMABLE, keys.DESCRIPTIVE) or not np.isfinite(result.estimate):
            return f"How much {repair} undoes of what {damage} does to {thing} cannot be answered: {result.reason}."
        lead = "Exploratory: " if result.tier == keys.EXPLORATORY else ""
        share = f"{100 * result.estimate:.0f} %"
        how_sure = f"{self.percent} CI {100 * result.ci_low:.0f} to {100 * result.ci_high:.0f} %; {result.mice}"
        if result.ci_low > 0:
            whole = ", which leaves room for all of it" if result.ci_low <= 1 <= result.ci_high else ""
            return f"{lead}{capital(repair)} undid {share} of what {damage} did to {thing} ({how_sure}){whole}."
        if result.ci_high < 0:
            return f"{lead}{capital(repair)} made worse what {damage} did to {thing} (rescue {share}, {how_sure})."
        return f"{lead}No rescue of {thing} by {repair} was shown (rescue {share}, {how_sure})."

    def completeness(self, completeness: str, remaining: float, low: float, high: float, *, margin: float) -> str:
        """What remains of a damage that was undone, added to the sentence on its rescue.

        Parameters
        ----------
        completeness
            What the tests of sameness came to, as the rescue says it.
        remaining, low, high
            Repaired mice against healthy ones, log2, with its interval.
        margin
            Largest difference that counts as complete, log2.
        """
        if not completeness or not np.isfinite(low):
            return ""
        same = f"{number(2**margin)}-fold"
        side = "higher" if remaining > 0 else "lower"
        left = f"the repaired mice are left {number(2 ** abs(remaining))}-fold {side} than the healthy"
        how_sure = f"log2 difference {remaining:.2f}, {self.percent} CI {low:.2f} to {high:.2f}"
        match completeness:
            case "shown":
                return f"The rescue is complete within {same}: {left} ({how_sure})."
            case "something remains":
                return f"It is not complete: {left} ({how_sure})."
            case "not shown":
                return f"Whether it is complete within {same} cannot be said: {left} ({how_sure})."
        return f"Completeness is not judged: {completeness} ({same}); {left} ({how_sure})."

    @property
    def percent(self) -> str:
        """The level of the intervals in words."""
        return f"{100 * self.confidence:g} %"

    def effect(self, question: str) -> str:
        """An effect (or synergy) as a noun: its level, and in which mice."""
        asked = self.questions[question]
        level = self.name(asked["level"] if asked["kind"] == "effect" else asked["combination"])
        versus = self._versus(asked)
        where = self._where(asked)
        return f"{level}{versus}" + (f" in {where}" if where else "")

    def subject(self, question: str) -> str:
        """The head of a sentence that has no verb."""
        asked = self.questions[question]
        if asked["kind"] == "equivalence":
            return capital(" against ".join(self.sides(question)))
        if asked["kind"] == "difference":
            return f"{capital(self.effect(asked['of'][0]))} against {self.effect(asked['of'][1])}"
        return capital(self.effect(question))

    def sides(self, question: str) -> tuple[str, str]:
        """The mice of both arms of an equivalence: those judged, and those they are held against."""
        asked = self.questions[question]
        first, second = (self._group(asked[side]) for side in ("arm", "like"))
        return first, second

    def _group(self, levels: Mapping[str, str]) -> str:
        """Mice of several levels: the first that has a name for its mice, the others in brackets."""
        known = [level for level in levels.values() if level in self.groups][:1]
        rest = ", ".join(self.name(level) for level in levels.values() if level not in known)
        return (self.groups[known[0]] if known else "mice") + (f" ({rest})" if rest else "")

    def no_effect(self, question: str) -> str:
        """The head of a sentence on nothing found."""
        asked = self.questions[question]
        if asked["kind"] == "difference":
            first, second = (self.effect(name) for name in asked["of"])
            return f"No difference between the effects of {first} and of {second}"
        if asked["kind"] == "synergy":
            where = self._where(asked)
            return f"No synergy of {self._singles(asked)}" + (f" in {where}" if where else "")
        return f"No effect of {self.effect(question)}"

    def _claim(self, question: str, thing: str, estimate: float, fold: str, aside: str) -> str:
        asked = self.questions[question]
        if asked["kind"] == "difference":
            first, second = (self.effect(name) for name in asked["of"])
            side = "higher" if estimate > 0 else "lower"
            return f"The effect of {first} on {thing} is {fold} {side}{aside} than that of {second}"
        where = self._where(asked)
        start = f"In {where}, " if where else ""
        level = self.name(asked["level"] if asked["kind"] == "effect" else asked["combination"]) + self._versus(asked)
        if asked["kind"] == "synergy":
            side = "higher" if estimate > 0 else "lower"
            return capital(
                f"{start}{level} left {thing} {fold} {side}{aside} than {self._singles(asked)} alone add up to"
            )
        verb = "raised" if estimate > 0 else "lowered"
        return capital(f"{start}{level} {verb} {thing} {fold}{aside}")

    def _singles(self, asked: Mapping[str, Any]) -> str:
        return " and ".join(self.name(single) for single in asked["singles"])

    def _versus(self, asked: Mapping[str, Any]) -> str:
        """What a level is compared with, where that is not the factor's own reference."""
        if asked["kind"] == "effect" and asked["reference"] != self.design.settings["factors"][asked["factor"]][0]:
            return f" against {self.name(asked['reference'])}"
        return ""

    def _where(self, asked: Mapping[str, Any]) -> str:
        fixed = fixed_levels(asked, self.design.factors)
        parts = [
            self.groups.get(level, f"mice with {self.name(factor)} {self.name(level)}")
            for factor, level in fixed.items()
        ]
        return " and ".join(parts)

    def mice(self, question: str, n_mice: Mapping[str, int]) -> str:
        """How many mice stood against how many."""
        weights = self.design[question].weights
        counts = {arm: n for arm, n in n_mice.items() if arm in weights}
        if self.questions[question]["kind"] in ("effect", "equivalence") and counts:
            sides = [sum(n for arm, n in counts.items() if weights[arm] * sign > 0) for sign in (1, -1)]
            return f"{sides[0]} vs {sides[1]} mice"
        return f"{sum(counts.values())} mice in {len(counts)} arms" if counts else ""


def number(value: float) -> str:
    """Two significant figures, three from 100 on; no exponent."""
    if not np.isfinite(value):
        return "unknown"
    if value >= 10000:
        return "over 10,000"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def p_value(value: float) -> str:
    """A p-value as papers write it."""
    if value < 0.001:
        return "p < .001"
    return f"p = {value:.3f}".replace("0.", ".") if value < 0.9995 else "p = 1"


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]
