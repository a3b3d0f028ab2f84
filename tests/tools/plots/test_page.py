"""The page of `dvc plots` in a real browser without a network: its charts, compared with the files."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from dvc_render import vega_templates
from helpers import ROOT, TWIN, Opened, Project
from ruamel.yaml import YAML

KINDS = ("history", "confusion", "classes", "reliability")
CLASSES = [str(digit) for digit in range(10)]
BETTER, WORSE = "green", "red"
MINUS = "\N{MINUS SIGN}"  # as Vega writes it


@pytest.fixture(scope="module")
def changed(slower: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the slower project, in which only pages are drawn."""
    return slower.copy(tmp_path_factory.mktemp("changed"))


# The visible parts of each chart: the title, the titles and the texts of the panels, and so on.
VISIBLE = """() => [...document.querySelectorAll('.vega-embed')].map(chart => {
    const texts = (within, selector) => [...within.querySelectorAll(selector)].map(text => text.textContent);
    const panels = [...chart.querySelectorAll('.role-scope.cell > g')];
    return {
        title: texts(chart, '.role-title-text text').at(-1),
        axes: texts(chart, '.role-axis-label text'),
        legend: texts(chart, '.role-legend-label text'),
        axis_titles: texts(chart, '.role-axis-title text'),
        marks: chart.querySelectorAll('.role-mark path, .role-mark text').length,
        panels: panels.map(panel => texts(panel, '.role-mark text')),
        panel_titles: panels.flatMap(panel => texts(panel, '.role-title-text text')),
        fills: panels.map(panel => [...panel.querySelectorAll('.mark-rect path')].map(
            cell => cell.getAttribute('fill'))),
    };
})"""


@cache
def draw(project: Project, *command: str) -> Path:
    """Draw a page, once for all tests."""
    project.here("tools.plots.page")
    folder = "-".join(("dvc_plots/page", *command))  # git ignores dvc_plots
    project.run("dvc", "plots", *command, "--out", folder)
    return project.folder / folder / "index.html"


def charts(opened: Opened) -> dict[str, dict]:
    """Return the visible parts of each chart, by its title."""
    return {chart["title"]: chart for chart in opened.page.evaluate(VISIBLE)}


def counts(table: pd.DataFrame) -> list[str]:
    return [str(count) for count in table["count"]]


def confusion(project: Project, revision: str, dataset: str) -> pd.DataFrame:
    text = project.run("git", "show", f"{revision}:plots/confusion/{dataset}.csv").stdout
    head, *rows = (line.split(",") for line in text.splitlines())
    return pd.DataFrame(rows, columns=head).astype({"count": int})


def test_every_chart_is_drawn_without_a_request(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    opened = open_page(draw(changed, "show"))
    folder = changed.folder.as_uri()
    assert [url for url in opened.requests if not url.startswith((f"{folder}/", "data:"))] == []
    assert opened.messages == []
    assert opened.page.locator(".vega-embed svg.marks").count() == 2 * len(KINDS)
    pictures = opened.page.locator("img").all()
    assert len(pictures) == 2 * 2  # mistakes and classes of two data sets
    assert all(picture.evaluate("image => image.naturalWidth") > 0 for picture in pictures)


def test_every_chart_has_marks_labels_and_the_counts(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    by_title = charts(open_page(draw(changed, "show")))
    of_test_images = ("confusion matrix", "scores of each class", "reliability diagram")
    titles = ("learning curves", *(f"{title}, test images" for title in of_test_images))
    assert sorted(by_title) == sorted(f"{name}: {title}" for name in ("digits", TWIN) for title in titles)
    for title, chart in by_title.items():
        assert chart["marks"] >= 3, title
    matrix = by_title["digits: confusion matrix, test images"]
    assert matrix["axes"] == CLASSES * 2
    assert matrix["panels"] == [counts(confusion(changed, "HEAD", "digits"))]
    assert by_title["digits: scores of each class, test images"]["axes"][:10] == CLASSES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("revisions", "base", "later"),
    [
        (["main"], "main", ["workspace"]),
        (["slower", "main", "slower~0"], "slower", ["main", "slower~0"]),
        (
            ["main", "slower~0", "workspace"],
            "main",
            ["workspace", "slower~0"],
        ),  # DVC puts the workspace first
    ],
)
def test_a_difference_panel_for_each_later_revision(
    changed: Project, open_page: Callable[[Path], Opened], revisions: list[str], base: str, later: list[str]
) -> None:
    by_title = charts(open_page(draw(changed, "diff", *revisions)))
    matrix = by_title[f"{TWIN}: confusion matrix, test images"]
    names = [base, *later]
    tables = {name: confusion(changed, "slower" if name == "workspace" else name, TWIN) for name in names}
    titles, expected = names.copy(), [counts(tables[name]) for name in names]
    for name in later:
        difference = tables[name]["count"] - tables[base]["count"]
        titles.append(f"{name} minus {base}" + ("" if difference.any() else ": unchanged"))
        expected.append([f"{value:+d}".replace("-", MINUS) for value in difference if value != 0])
    assert matrix["panels"] == expected
    assert matrix["panel_titles"] == titles
    in_order = [base, *sorted(later, key=lambda name: name == "workspace")]
    assert by_title[f"{TWIN}: learning curves"]["legend"] == in_order
    assert by_title[f"{TWIN}: scores of each class, test images"]["legend"] == in_order
    assert by_title[f"{TWIN}: reliability diagram, test images"]["legend"][: len(in_order)] == in_order


def test_gains_are_green_losses_are_red_and_an_unchanged_matrix_is_named(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    by_title = charts(open_page(draw(changed, "diff", "main")))
    fills = by_title[f"{TWIN}: confusion matrix, test images"]["fills"][2]
    before, after = (confusion(changed, commit, TWIN) for commit in ("main", "slower"))
    more = after["count"] - before["count"]
    gains = more.where(after["actual"] == after["predicted"], -more)
    colours = set()
    for fill, gain in zip(fills, gains, strict=True):
        red, green, _ = map(int, re.findall(r"\d+", fill))
        colour = BETTER if green > red else WORSE if red > green else None
        assert colour in {
            None,
            BETTER if gain > 0 else WORSE,
        }  # a small change of a large count is too pale to see
        assert colour is not None or abs(gain) < 3
        colours.add(colour)
    assert colours == {BETTER, WORSE, None}

    unchanged = by_title["digits: confusion matrix, test images"]
    assert unchanged["panel_titles"][2] == "workspace minus main: unchanged"
    assert unchanged["panels"][2] == []
    assert set(unchanged["fills"][2]) == {"rgb(255, 255, 255)"}


# The sections of the page: their headings, the kinds of their plots in order, and what is folded away.
SECTIONS = """() => [...document.querySelectorAll('main > section')].map(section => ({
    heading: section.querySelector('h2').textContent,
    plots: [...section.querySelectorAll('.grid > div')].map(plot => plot.id),
    folded: section.querySelector(':scope > details:not([open]) > summary')?.textContent ?? null,
}))"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_plots_stand_under_their_data_set_the_confusion_matrix_first(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    opened = open_page(draw(changed, "show"))
    kinds = ("confusion", "classes", "history", "reliability", "mistakes", "data")
    endings = ("csv", "csv", "csv", "csv", "png", "png")
    assert opened.page.evaluate(SECTIONS) == [
        {
            "heading": name,
            "plots": [f"plots_{kind}_{name}_{ending}" for kind, ending in zip(kinds, endings, strict=True)],
            "folded": None,
        }
        for name in ("digits", TWIN)
    ]
    assert opened.page.locator("nav a").all_inner_texts() == ["digits", TWIN]


def test_plots_of_the_user_have_a_section_of_their_own(
    project: Project, open_page: Callable[[Path], Opened]
) -> None:
    (project.folder / "sizes.csv").write_text("size,count\n1,2\n2,4\n", encoding="utf-8")
    path = project.folder / "dvc.yaml"
    own = "\nplots:\n  - sizes.csv:\n      x: size\n      y: count\n"
    path.write_text(path.read_text(encoding="utf-8") + own, encoding="utf-8")
    sections = open_page(draw(project, "show")).page.evaluate(SECTIONS)
    assert [section["heading"] for section in sections] == ["digits", TWIN, "Other plots"]
    assert len(sections[2]["plots"]) == 1


def test_a_data_set_without_a_change_is_folded_away(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    opened = open_page(draw(changed, "diff", "main"))
    folded = {section["heading"]: section["folded"] for section in opened.page.evaluate(SECTIONS)}
    assert folded == {"digits": "The charts are the same in all of these revisions", TWIN: None}
    opened.page.locator("#digits > details > summary").click()
    assert opened.page.locator("#plots_confusion_digits_csv svg.marks").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("show",), ("diff", "main"), ("diff", "slower", "main", "slower~0")])
@pytest.mark.parametrize("width", [1280, 700])
def test_the_page_needs_no_sideways_scrolling(
    changed: Project, open_page: Callable[[Path], Opened], command: tuple[str, ...], width: int
) -> None:
    opened = open_page(draw(changed, *command))
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate(SIDEWAYS) == 0
    if width < 1280:
        return  # there, a wide chart scrolls in its own frame
    for chart in opened.page.locator(f"#{TWIN} svg.marks").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_scores_and_reliability_have_their_intervals(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    page = open_page(draw(changed, "show")).page
    for kind, expected in (("classes", 3 * len(CLASSES)), ("reliability", None)):
        table = pd.read_csv(changed.folder / f"plots/{kind}/digits.csv")
        lines = page.locator(f"#plots_{kind}_digits_csv .mark-rule.role-mark line")
        assert lines.count() == (expected or len(table))
        assert page.locator(f"#plots_{kind}_digits_csv .mark-symbol.role-mark path").count() == lines.count()


def test_intervals_are_left_out_of_revisions_that_have_none(
    project: Project, open_page: Callable[[Path], Opened]
) -> None:
    project.run("git", "switch", "--quiet", "--create", "before-intervals")
    for kind in ("classes", "reliability"):
        path = project.folder / f"plots/{kind}/digits.csv"
        table = pd.read_csv(path)
        bounds = [name for name in table if name.endswith(("low", "high"))]
        assert bounds
        table.drop(columns=bounds).to_csv(path, index=False)
    project.commit("As it was before there were intervals")
    page = open_page(draw(project, "diff", "before-intervals", "main")).page
    symbols = page.locator("#plots_classes_digits_csv .mark-symbol.role-mark path")
    lines = page.locator("#plots_classes_digits_csv .mark-rule.role-mark line")
    assert symbols.count() == 2 * lines.count() == 2 * 3 * len(CLASSES)


VALIDATION_LOSS_AXIS = "#plots_history_digits_csv .role-scope.cell > g >> nth=1 >> .role-axis-label text"


def test_the_axes_of_learning_curves_fit_the_end_of_the_training(
    changed: Project, open_page: Callable[[Path], Opened]
) -> None:
    """The first epochs, ten times as far away, do not press the last ones together."""
    by_title = charts(open_page(draw(changed, "show")))
    chart = by_title["digits: learning curves"]
    assert chart["panel_titles"] == [
        "validation accuracy",
        "validation loss",
        "training accuracy",
        "training loss",
    ]
    history = pd.read_csv(changed.folder / "plots/history/digits.csv")
    labels = open_page(draw(changed, "show")).page.locator(VALIDATION_LOSS_AXIS).all_text_contents()
    later = history["val_loss"][len(history) // 2 :]
    assert history["val_loss"].max() > 10 * later.max()  # else this would show nothing
    assert later.min() < max(map(float, labels)) < 3 * later.max()


@pytest.mark.slow
@pytest.mark.parametrize("classes", [26, 50])
def test_matrices_of_many_classes_fit_the_page(
    project: Project, open_page: Callable[[Path], Opened], classes: int
) -> None:
    """The same classes stand in each panel, one under the other; the difference is that of the counts."""
    names = [f"class {number}" for number in range(classes)]
    tables = []
    for step in (1, 2):
        rows = [
            (a, p, 20 if a == p else step * ((i + j) % 7 == 0))
            for i, a in enumerate(names)
            for j, p in enumerate(names)
        ]
        tables.append(pd.DataFrame(rows, columns=["actual", "predicted", "count"]))
        tables[-1].to_csv(project.folder / f"plots/confusion/{TWIN}.csv", index=False)
        project.commit(f"{classes} classes, {step}")
    opened = open_page(draw(project, "diff", "HEAD~1", "HEAD"))
    opened.page.set_viewport_size({"width": 1280, "height": 800})
    matrix = charts(opened)[f"{TWIN}: confusion matrix, test images"]
    before, after = (table["count"].to_numpy() for table in tables)
    changed = [f"+{number}" for number in after - before if number]
    assert matrix["panels"] == [counts(tables[0]), counts(tables[1]), changed]
    picture = opened.page.locator(f"#plots_confusion_{TWIN}_csv svg.marks").bounding_box()
    assert picture is not None
    assert picture["width"] <= 1280


def test_a_revision_without_the_file_is_left_out(
    project: Project, open_page: Callable[[Path], Opened]
) -> None:
    project.run("git", "switch", "--quiet", "--create", "without")
    project.run("git", "rm", "--quiet", f"plots/confusion/{TWIN}.csv")
    project.commit("Without the twin's confusion matrix")
    matrix = charts(open_page(draw(project, "diff", "without", "main")))[
        f"{TWIN}: confusion matrix, test images"
    ]
    assert matrix["panels"] == [counts(confusion(project, "main", TWIN))]


@pytest.mark.slow
def test_swapped_axes_at_the_base_do_not_transpose_the_matrix(
    changed: Project, tmp_path: Path, open_page: Callable[[Path], Opened]
) -> None:
    """DVC takes x and y from the first revision's dvc.yaml; the template names its columns itself."""
    other = changed.copy(tmp_path)
    path = other.folder / "dvc.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "x: predicted\n            y: actual", "x: actual\n            y: predicted"
        )
    )
    other.run("dvc", "commit", "--force")
    other.commit("Axes the other way")
    matrix = charts(open_page(draw(other, "diff", "slower", "main")))[
        f"{TWIN}: confusion matrix, test images"
    ]
    assert matrix["axis_titles"] == ["actual", "predicted", "predicted", "predicted"]
    assert matrix["panels"][:2] == [
        counts(confusion(other, revision, TWIN)) for revision in ("slower", "main")
    ]


def test_dvcs_own_page_works_without_tools_plots_page(project: Project) -> None:
    assert not (project.folder / ".dvc/plots_page.html").exists()
    project.run("dvc", "plots", "show")
    page = (project.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert page.count("vegaEmbed(") == 2 * len(KINDS)
    assert 'src="https://' in page


def test_the_page_is_kept_out_of_git(changed: Project) -> None:
    assert draw(changed, "show").exists()
    assert changed.run("git", "status", "--porcelain").stdout == ""


def settings_of_templates(dvc_yaml: Path) -> dict[str, dict[str, str]]:
    """The settings of each plot that has a template, by the template's name."""
    stages = YAML(typ="safe").load(dvc_yaml)["stages"]
    return {
        settings["template"]: settings
        for stage in stages.values()
        for plot in stage["do"].get("plots", [])
        if isinstance(plot, dict)
        for settings in plot.values()
        if "template" in settings
    }


TEMPLATES = settings_of_templates(ROOT / "dvc.yaml")


def test_every_template_is_used() -> None:
    assert TEMPLATES.keys() == {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")}


def test_no_template_hides_one_of_dvcs_own() -> None:
    names = {template.DEFAULT_NAME for template in vega_templates.TEMPLATES}
    assert {"confusion", "linear"} <= names
    assert not names & TEMPLATES.keys()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_draws_the_columns_that_dvc_yaml_names(name: str) -> None:
    """By an anchor, or by name: then dvc.yaml must say the same."""
    text = (ROOT / f".dvc/plots/{name}.json").read_text(encoding="utf-8")
    content = json.loads(text)
    folds = [transform["fold"] for transform in content["transform"] if "fold" in transform]
    drawn = find_encodings(content)
    for axis in ("x", "y"):
        column = TEMPLATES[name][axis]
        assert (
            f"<DVC_METRIC_{axis.upper()}>" in text
            or column in drawn[axis]
            or any(column in fold for fold in folds)
        ), f"{axis}: {column}"


def find_encodings(content: object) -> dict[str, set[str]]:
    """The fields that stand on each axis, anywhere in a chart."""
    fields: dict[str, set[str]] = {"x": set(), "y": set()}
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            for axis, names in fields.items():
                if isinstance(encoding := value.get("encoding", {}).get(axis), dict):
                    names.add(encoding["field"])
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return fields


def test_labels_and_the_x_of_learning_curves_are_those_of_dvc_yaml(
    project: Project, open_page: Callable[[Path], Opened]
) -> None:
    path = project.folder / "dvc.yaml"
    text = path.read_text(encoding="utf-8")
    for own, other in (
        ("x: epoch", "x: loss\n            x_label: training loss"),
        ("accuracy: share that is right", "how many are right"),
    ):
        assert text.count(own) == 1
        text = text.replace(own, other)
    path.write_text(text, encoding="utf-8")
    by_title = charts(open_page(draw(project, "show")))
    curves = by_title["digits: learning curves"]
    assert set(curves["axis_titles"]) == {"training loss"}
    assert max(map(float, curves["axes"])) < 5  # there are 40 epochs
    reliability = by_title["digits: reliability diagram, test images"]
    assert "how many are right" in reliability["axis_titles"]
