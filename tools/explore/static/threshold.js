"use strict";
// Confidence threshold: the accuracy of what a network answers against the share that it answers.

// Return, for predictions by falling probability: how many are right among the first so many.
function sortByProbability({ actual, predicted, probability }) {
  const order = [...actual.keys()].sort((one, other) => probability[other] - probability[one]);
  let right = 0;
  return order.map((number, at) => ({
    threshold: probability[number], answered: at + 1, right: (right += Number(actual[number] === predicted[number])),
  })).filter((point, at, points) => point.threshold !== points[at + 1]?.threshold); // equal ones are answered together
}

const countAnswers = (points, threshold) => points.findLast(point => point.threshold >= threshold) ?? { answered: 0, right: 0 };

// Return the least threshold with which so large a share of the answers is right; null if there is none.
const findLeast = (points, share) => points.findLast(point => point.right / point.answered >= share)?.threshold ?? null;

// Return the 95 % interval of a share. Source: Wilson, 1927, as `scores.wilson_interval`.
function estimateInterval(right, all) {
  const z = 1.959964, share = right / all, centre = share + (z * z) / (2 * all), scale = 1 + (z * z) / all;
  const half = z * Math.sqrt((share * (1 - share)) / all + (z * z) / (4 * all * all));
  return [(centre - half) / scale, (centre + half) / scale];
}

function startThreshold(root, contents) {
  const find = selector => root.querySelector(selector), { splits, classes } = contents;
  const points = Object.fromEntries(Object.entries(splits).map(([name, split]) => [name, sortByProbability(split)]));
  const slider = find("[name=slider]"), threshold = find("[name=threshold]"), target = find("[name=target]");

  function describe(name, value) {
    const { answered, right } = countAnswers(points[name], value), all = splits[name].actual.length;
    if (!answered) return `${name}: no image is answered`;
    const [low, high] = estimateInterval(right, answered);
    return `${name}: ${percent(answered / all)} of ${count(all)} images are answered, and ${percent(right / answered, 2)} of the answers are right (95 % interval ${percent(low, 2)} to ${percent(high, 2)})`;
  }

  function drawCurve(value) {
    const least = Math.min(...Object.values(points).map(all => all.at(-1).right / all.at(-1).answered));
    const bottom = Math.min(Math.floor(20 * least) / 20, 0.95), x = share => 60 + 520 * share, y = share => 250 - (225 * (share - bottom)) / (1 - bottom);
    const svg = (name, attributes, text = "") => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, set] of Object.entries(attributes)) made.setAttribute(key, set);
      made.textContent = text;
      return made;
    };
    const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap(share => [
      svg("text", { x: x(share), y: 267, "text-anchor": "middle" }, percent(share, 0)),
      svg("text", { x: 54, y: y(bottom + share * (1 - bottom)) + 4, "text-anchor": "end" }, percent(bottom + share * (1 - bottom))),
      svg("line", { x1: x(0), x2: x(1), y1: y(bottom + share * (1 - bottom)), y2: y(bottom + share * (1 - bottom)), class: "grid" }),
    ]);
    const curves = Object.entries(points).flatMap(([name, all]) => {
      const step = Math.ceil(all.length / 400), at = countAnswers(all, value), total = splits[name].actual.length;
      const drawn = all.filter((point, place) => place % step === 0 || place === all.length - 1).filter(point => point.right / point.answered >= bottom);
      return [
        svg("polyline", { class: name, points: drawn.map(point => `${x(point.answered / total)},${y(point.right / point.answered)}`).join(" ") }),
        ...(at.answered ? [svg("circle", { class: name, r: 5, cx: x(at.answered / total), cy: y(Math.max(at.right / at.answered, bottom)) })] : []),
      ];
    });
    const legend = Object.keys(points).flatMap((name, at) => [
      svg("line", { class: name, x1: 80, x2: 105, y1: 212 + 18 * at, y2: 212 + 18 * at }), svg("text", { x: 112, y: 216 + 18 * at }, name)]);
    find("svg").replaceChildren(...ticks, ...curves, ...legend,
      svg("text", { x: x(0.5), y: 288, "text-anchor": "middle" }, "share of images that are answered"),
      svg("text", { x: x(0), y: 14 }, "answers that are right"));
  }

  // Of many classes, those of which most images stay without an answer.
  function drawClasses(value) {
    const name = Object.keys(splits).at(-1), { actual, predicted, probability } = splits[name];
    const rows = classes.map(() => ({ all: 0, answered: 0, right: 0 }));
    actual.forEach((at, number) => {
      const isAnswered = probability[number] >= value;
      rows[at].all++;
      rows[at].answered += isAnswered;
      rows[at].right += isAnswered && predicted[number] === at;
    });
    const listed = [...rows.keys()].sort((one, other) => rows[other].all - rows[other].answered - rows[one].all + rows[one].answered)
      .slice(0, MOST_CLASSES_IN_MATRIX).sort((one, other) => one - other);
    find(".by-class caption").textContent = `${name} images by actual class` +
      (listed.length < classes.length ? `: the ${listed.length} of ${count(classes.length)} with most images unanswered` : "");
    find(".by-class tbody").replaceChildren(...listed.map(at => [at, rows[at]]).map(([at, { all, answered, right }]) => element("tr", {},
      element("th", { scope: "row", textContent: classes[at] }),
      ...[count(all), count(all - answered), count(answered), answered ? percent(right / answered) : "–"].map(textContent => element("td", { textContent })))));
  }

  let isWaiting = false;
  function draw(value) {
    slider.value = threshold.value = value;
    if (isWaiting) return;
    isWaiting = true; // for the next frame, since a slider moves faster
    requestAnimationFrame(() => {
      isWaiting = false;
      const chosen = threshold.valueAsNumber;
      find(".answers").replaceChildren(...Object.keys(splits).map(name => element("li", { textContent: describe(name, chosen) })));
      drawCurve(chosen);
      drawClasses(chosen);
    });
  }

  function reach() {
    if (Number.isNaN(target.valueAsNumber)) return;
    const name = Object.keys(splits)[0], least = findLeast(points[name], target.valueAsNumber / 100);
    find(".reached").textContent = least === null
      ? `No threshold makes ${target.value}\u00a0% of the answers right on the ${name} images.`
      : `With ${least}, at least ${target.value}\u00a0% of the answers are right on the ${name} images.`;
    draw(least ?? 0);
  }

  slider.addEventListener("input", () => { find(".reached").textContent = ""; draw(slider.valueAsNumber); });
  threshold.addEventListener("change", () => { find(".reached").textContent = ""; draw(clamp(threshold.valueAsNumber || 0, 0, 1)); });
  target.addEventListener("input", reach);
  reach();
}
