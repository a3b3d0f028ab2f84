"""Report of a review in Markdown, for a comment on a pull request."""

from tools.common.markdown import escape
from tools.common.revision import SHORT_HASH, Revision
from tools.review.comment import MOST_CHARACTERS
from tools.review.estimates import CONFIDENCE
from tools.review.metrics import METRICS
from tools.review.review import Comparison, Outcome, Review
from tools.review.sections import describe, describe_alone, describe_parameters, join, shorten
from tools.review.statistics import Verdict

ROOM = MOST_CHARACTERS - 2000  # for what the comment says besides
MOST_DATASETS = 30  # of which the head has a line each


def build_markdown(review: Review) -> str:
    """Return the report without pictures, no longer than a comment may be."""
    head, end = [part for part in summarize(review).values() if part], explain(review)
    parts, left = head, []
    for comparison in review.comparisons:
        section = "\n\n".join(part for part in describe_section(review, comparison).values() if part)
        if not section:
            continue
        if sum(map(len, [*parts, section, end])) < ROOM:
            parts.append(section)
        else:
            left.append(comparison.dataset)
    if left:
        parts.append(f"Left out here, for its length: {join(left)}. The page has all of it.")
    return "\n\n".join(part for part in [*parts, end] if part) + "\n"


def describe_section(review: Review, comparison: Comparison) -> dict[str, str]:
    """Return the parts of the section of a data set; none if there is no more to say than in the head."""
    if comparison.differences:
        return describe(review, comparison)
    return describe_alone(review, comparison) if comparison.is_shown_alone else {}


def summarize(review: Review) -> dict[str, str]:
    """Return the parts of the head of the report, by their names, in order."""
    lines = [f"- {_summarize_dataset(comparison)}" for comparison in review.comparisons[:MOST_DATASETS]]
    if len(review.comparisons) > MOST_DATASETS:
        lines.append(f"- and {len(review.comparisons) - MOST_DATASETS} more data sets")
    stale = [
        f"- **Out of date**: the results of {shorten(comparison.dataset)} at {shorten(revision)}. Changed "
        f"after the last `dvc repro`: {join(names)}. Run `dvc repro evaluate@{comparison.dataset}` and "
        "commit."
        for comparison in review.comparisons[:MOST_DATASETS]
        for revision, names in comparison.stale.items()
        if names
    ]
    return {
        "title": f"# {describe_revision(review.base)} → {describe_revision(review.later)}",
        "verdict": judge(review),
        "scope": _describe_scope(review),
        "datasets": "\n".join(lines),
        "stale": "\n".join(stale),
        "pipeline": f"Changed for every data set: {join(review.pipeline)}." if review.pipeline else "",
        "parameters": describe_parameters(review, review.shared),
    }


def _describe_scope(review: Review) -> str:
    """Return what is compared, in a line; nothing if no predictions are."""
    if not any(comparison.differences for comparison in review.comparisons):
        return ""
    trainings = (
        f"Means over {review.seeds} trainings of each revision, with other seeds,"
        if review.seeds > 1
        else "One training of each revision,"
    )
    return f"{trainings} on the {review.split} images."


def judge(review: Review) -> str:
    """Return whether the change passes, and why not, as a paragraph."""
    base = shorten(review.base.name)
    subject = "the change is" if review.seeds > 1 else "the network is"
    worse = [
        f"{shorten(dataset)}: {difference.metric} by more than {difference.tolerance:g}"
        for dataset, difference in review.find_regressions()
    ]
    obstacles = [
        f"{shorten(comparison.dataset)}: {escape(obstacle)}"
        for comparison in review.comparisons
        for obstacle in comparison.obstacles
    ]
    if not worse and not obstacles:
        passed = f"**Passed**: nothing is shown to be worse than {base} by more than its tolerance."
        verdicts = {
            difference.verdict for comparison in review.comparisons for difference in comparison.differences
        }
        if verdicts and not verdicts & {Verdict.BETTER, Verdict.WORSE}:
            passed += " Nothing is shown to be better or worse: the differences may be noise."
        alone = [comparison.dataset for comparison in review.comparisons if comparison.is_shown_alone]
        if alone:  # of which nothing can be shown to be worse
            passed += f" **Compared with nothing**: {join(alone)}."
        unjudged = _list_unjudged(review)
        return f"{passed} Without a verdict: {'; '.join(unjudged)}." if unjudged else passed
    text = f"**Stopped**: {subject} worse than {base}: {'; '.join(worse)}." if worse else "**Stopped**."
    return f"{text} **Not comparable**: {'; '.join(obstacles)}." if obstacles else text


def _list_unjudged(review: Review) -> list[str]:
    """Return the metrics that have a tolerance, but cannot be compared, where others are."""
    return [
        f"{shorten(comparison.dataset)}: {metric}"
        for comparison in review.comparisons
        if comparison.differences
        for metric in review.tolerance
        if metric not in {difference.metric for difference in comparison.differences}
    ]


def explain(review: Review) -> str:
    """Return the meaning of the verdicts, and the limits of the review; nothing if there is no verdict."""
    differences = [difference for comparison in review.comparisons for difference in comparison.differences]
    if not differences:
        return ""
    base, later = shorten(review.base.name), shorten(review.later.name)
    tolerances = ", ".join(f"{metric} {value:g}" for metric, value in review.tolerance.items())
    smaller = [name for name, metric in METRICS.items() if not metric.larger_is_better]
    if review.seeds > 1:
        is_native = any(comparison.is_native for comparison in review.comparisons)
        how = ", natively but for the first" if is_native else ""
        scope = (
            f"Both revisions were trained with {review.seeds} seeds each{how}. An interval covers other "
            "seeds and other images of the same kind, so the verdicts are about the change, if networks "
            "learn from these training images."
        )
        chance = (
            f"Even if nothing has changed, up to one in twenty of the {len(differences)} verdicts is "
            "expected to be better or worse."
        )
    else:
        scope = (
            "There is one training of each revision. An interval covers other images of the same kind, but "
            "not other seeds: the verdicts are about these two networks. Whether the change made the "
            "difference, or the luck of the seed, is for `make review SEEDS=3`."
        )
        chance = (
            f"Even if nothing has changed but the seed, one in twenty of the {len(differences)} verdicts and "
            "more may be better or worse."
        )
    choice = (
        "The images are those of the validation split, which may choose; `SPLIT=test` is the last look."
        if review.split == "validation"
        else "The images are those of the test split: whoever chooses the best of several changes by them "
        "has fitted the test split."
    )
    return "\n\n".join(
        [
            "## What the verdicts mean",
            f"{scope} {choice}",
            f"The intervals are {100 * CONFIDENCE:g} % confidence intervals of the difference. **better** "
            "and **worse**: the interval is on one side of 0. **as good**: the interval contains 0, and all "
            f"of it is within the tolerance. **cannot tell**: neither. {chance} Smaller is better "
            f"for {' and '.join(smaller)}. The calibration error is biased by an amount that depends on the "
            "network, so it has no verdict. The verdicts on classes allow for the number of classes, and "
            "those on confusions for theirs (Benjamini and Hochberg).",
            "The gate stops a change if all of an interval is worse by more than the tolerance: "
            f"{tolerances or 'none'}. The tolerances are those of {base}; where {base} has none, {later} "
            "decides. `--tolerance` replaces both.",
        ]
    )


def describe_revision(revision: Revision) -> str:
    """Return the name of a revision, and the hash and date of its commit."""
    name = shorten(revision.name)
    if revision.commit is None:
        return name
    short = revision.commit[:SHORT_HASH]
    details = [] if revision.name == short else [short]
    return f"{name} ({', '.join([*details, revision.date()])})"


def _summarize_dataset(comparison: Comparison) -> str:
    """Return a data set's outcome in a line, with classes that have other names."""
    line = _summarize_outcome(comparison)
    if not comparison.renamed:
        return line
    pairs = join([f"{old} → {new}" for old, new in comparison.renamed.items()])
    return f"{line}; classes renamed, compared by their numbers: {pairs}"


def _summarize_outcome(comparison: Comparison) -> str:
    name = f"**{shorten(comparison.dataset)}**"
    if comparison.differences:
        accuracy, *others = comparison.differences
        shift = f"accuracy {accuracy.before:.2%} → {accuracy.after:.2%} {accuracy.verdict}"
        return f"{name}: {shift}; {', '.join(f'{other.metric} {other.verdict}' for other in others)}"
    if comparison.is_shown_alone:
        metrics = comparison.after[0].metrics
        accuracy_alone = f", accuracy {metrics['accuracy']:.2%}" if "accuracy" in metrics else ""
        return f"{name}: {escape(comparison.reason)}{accuracy_alone}"
    if comparison.outcome is not Outcome.SAME_PREDICTIONS:
        return f"{name}: {escape(comparison.reason)}"
    changed = join([*comparison.parameters, *comparison.code, *comparison.data])
    other = join([name for name, *values in comparison.list_other_metrics() if None in values])
    return (
        f"{name}: {escape(comparison.reason)}"
        + (f"; metrics of one revision alone: {other}" if other else "")
        + (f"; changed: {changed}" if changed else "")
    )
