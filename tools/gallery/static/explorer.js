"use strict";
// Confusion matrix, filters and images of one data set, in an element made by explorer.html.jinja.
const IMAGES_AT_ONCE = 48, MOST_CLASSES_IN_MATRIX = 50, MOST_PAIRS = 200;

function element(name, properties = {}, ...children) {
  const { attributes = {}, ...others } = properties, made = Object.assign(document.createElement(name), others);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;
const count = number => number.toLocaleString("en");
// A name of another writing direction leaves the words around it where they are.
const isolate = name => `\u2068${name}\u2069`;
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

// The images of a split, drawn from its sheets.
class Pictures {
  constructor({ numbers, height, width, columns, imagesOfASheet, sheets, rule }) {
    Object.assign(this, { height, width, columns, imagesOfASheet, rule });
    this.places = numbers && new Map(numbers.map((number, place) => [number, place]));
    this.sheets = sheets.map(address => ({ address }));
  }

  has(number) { return !this.places || this.places.has(number); }

  // Return how many of some images the page has, in words; nothing if it has all.
  describe(numbers) {
    const present = numbers.filter(number => this.has(number)).length;
    return present === numbers.length ? "" : `; this page has ${count(present)} of them: ${this.rule}`;
  }

  // Return a canvas with an image that the page has.
  draw(number) {
    const place = this.places ? this.places.get(number) : number;
    const canvas = element("canvas", { width: this.width, height: this.height, className: "image" });
    canvas.style.setProperty("--ratio", this.width / this.height);
    canvas.ready = this.load(Math.floor(place / this.imagesOfASheet)).then(sheet => {
      const within = place % this.imagesOfASheet, row = Math.floor(within / this.columns), column = within % this.columns;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(sheet, column * this.width, row * this.height, this.width, this.height, 0, 0, this.width, this.height);
      return canvas;
    });
    return canvas;
  }

  load(at) {
    const sheet = this.sheets[at];
    if (!sheet.loaded) {
      const image = new Image();
      image.src = sheet.address;
      sheet.loaded = image.decode().then(() => image);
    }
    return sheet.loaded;
  }
}

// Return the tile of an image: a button that enlarges it. On "showimage", a page may tell more lines of text.
function makeTile(contents, name, pictures, number, ...more) {
  const { actual, predicted, probability, before, files } = contents.splits[name], names = contents.classes;
  const isRight = actual[number] === predicted[number], sure = percent(probability[number]);
  const was = before && before[number] !== predicted[number] ? [`before: ${isolate(names[before[number]] ?? "another class")}`] : [];
  const file = files ? [files[number]] : [];
  const label = isRight ? `${isolate(names[actual[number]])}, rightly` : `${isolate(names[actual[number]])}, taken for ${isolate(names[predicted[number]])}`;
  const lines = [`#${number} · ${sure}`, isRight ? `✓ ${isolate(names[actual[number]])}` : `${isolate(names[actual[number]])} → ${isolate(names[predicted[number]])}`, ...was, ...more];
  const tile = element("button", {
    type: "button", className: `tile ${isRight ? "right" : "wrong"}`,
    attributes: { "aria-label": [`image ${number}: ${label}, ${sure}`, ...was, ...more, ...file].join("; ") },
  }, pictures.draw(number), ...lines.map(textContent => element("span", { textContent })),
  // Lines break after a folder, and elsewhere only where a name is longer than a line.
  ...file.map(path => element("span", { className: "file" }, ...path.split(/(?<=\/)/).flatMap(name => [name, element("wbr")]))));
  tile.addEventListener("click", () => {
    const isLarge = tile.classList.toggle("large");
    tile.setAttribute("aria-expanded", String(isLarge));
    tile.querySelectorAll(".told").forEach(line => line.remove());
    const tell = texts => tile.classList.contains("large") && tile.append(...texts.map(textContent => element("span", { className: "told", textContent })));
    if (isLarge) tile.dispatchEvent(new CustomEvent("showimage", { bubbles: true, detail: { split: name, number, tell } }));
  });
  return tile;
}

function startExplorer(root, contents) {
  const find = selector => root.querySelector(selector), form = find(".filters"), names = contents.classes;
  const splits = Object.keys(contents.splits), pictures = {};
  for (const name of splits) pictures[name] = new Pictures(contents.splits[name].images);
  let shown = IMAGES_AT_ONCE, cell = null; // cell: that of the matrix of differences whose changes are shown

  for (const name of splits) form.split.append(new Option(`${name} (${count(contents.splits[name].actual.length)})`, name));
  for (const key of ["actual", "predicted", "either"]) names.forEach((name, at) => form[key].append(new Option(name, at)));
  form.split.value = splits.at(-1);
  if (splits.length < 2) form.split.closest("label").hidden = true;
  for (const part of root.querySelectorAll(".compared")) part.hidden = !contents.base;
  if (contents.base) { // begin with what has changed
    find(".difference").checked = true;
    form.change.value = "changed";
  }
  const hasDifference = () => Boolean(contents.base) && find(".difference").checked;
  const split = () => contents.splits[form.split.value];

  function chosen() {
    const { actual, predicted, probability, before } = split();
    const is = (key, value) => form[key].value === "" || Number(form[key].value) === value;
    const low = form.low.valueAsNumber / 100 || 0, high = Number.isNaN(form.high.valueAsNumber) ? 1 : form.high.valueAsNumber / 100;
    const kinds = {
      all: () => true,
      wrong: number => actual[number] !== predicted[number],
      right: number => actual[number] === predicted[number],
    };
    const changes = {
      all: () => true,
      changed: number => before[number] !== predicted[number],
      lost: number => before[number] === actual[number] && predicted[number] !== actual[number],
      gained: number => before[number] !== actual[number] && predicted[number] === actual[number],
    };
    const isOfCell = number => actual[number] === cell[0] && before[number] !== predicted[number] &&
      (before[number] === cell[1] || predicted[number] === cell[1]);
    const isWrong = number => actual[number] !== predicted[number];
    return [...actual.keys()].filter(number =>
      (cell ? isOfCell(number) : is("actual", actual[number]) && is("predicted", predicted[number])) &&
      (form.either.value === "" || is("either", actual[number]) || is("either", predicted[number])) &&
      probability[number] >= low && probability[number] <= high &&
      kinds[form.answer.value](number) && (!before || changes[form.change.value](number)),
    ).sort((one, other) => isWrong(other) - isWrong(one) ||
      (isWrong(one) ? probability[other] - probability[one] : probability[one] - probability[other]));
  }

  function drawImages() {
    const numbers = chosen(), { actual, predicted } = split(), held = pictures[form.split.value];
    const present = numbers.filter(number => held.has(number));
    const wrong = numbers.filter(number => actual[number] !== predicted[number]).length;
    find(".count").textContent = `${plural(numbers.length, "image")}, ${count(wrong)} of them wrong` +
      (cell ? `: ${isolate(names[cell[0]])}, taken for ${isolate(names[cell[1]])} now or before, not both` : "") + held.describe(numbers);
    find(".images").replaceChildren(...present.slice(0, shown).map(number => makeTile(contents, form.split.value, held, number)));
    find(".more").hidden = present.length <= shown;
    for (const button of root.querySelectorAll(".matrix button[data-actual]")) {
      const pair = cell ?? [form.actual.value, form.predicted.value];
      button.setAttribute("aria-pressed", String(button.dataset.actual === String(pair[0]) && button.dataset.predicted === String(pair[1])));
    }
  }

  function countPairs(predicted) {
    const counts = new Map();
    predicted.forEach((to, number) => {
      const key = split().actual[number] * names.length + to;
      if (to >= 0) counts.set(key, (counts.get(key) ?? 0) + 1);
    });
    return counts;
  }

  // Return the number of a pair of classes: of images, or of how many more there are than before.
  function makeCounter() {
    const after = countPairs(split().predicted), before = hasDifference() ? countPairs(split().before) : new Map();
    return (actual, predicted) => {
      const key = actual * names.length + predicted;
      return (after.get(key) ?? 0) - (before.get(key) ?? 0);
    };
  }

  const signed = number => (hasDifference() && number > 0 ? `+${count(number)}` : count(number).replace("-", "−"));

  function makeCell(actual, predicted, number, most) {
    const isRight = actual === predicted, isBetter = hasDifference() ? (number > 0) === isRight : isRight;
    const words = plural(Math.abs(number), "image") + (hasDifference() ? (number < 0 ? " fewer" : " more") : "");
    const button = element("button", {
      type: "button", textContent: number ? signed(number) : "·", tabIndex: -1, className: isBetter ? "better" : "worse",
      attributes: { "aria-label": `${isolate(names[actual])} taken for ${isolate(names[predicted])}: ${words}`, "data-actual": actual, "data-predicted": predicted },
    });
    button.style.setProperty("--share", (most ? Math.sqrt(Math.abs(number) / most) : 0).toFixed(3));
    return button;
  }

  function drawMatrix() {
    const counter = makeCounter(), all = [...names.keys()];
    const matrix = find(".matrix"), isLarge = names.length > MOST_CLASSES_IN_MATRIX;
    find(".pairs").hidden = !isLarge;
    if (isLarge) return drawPairs(counter);
    const wrong = all.flatMap(actual => all.filter(predicted => predicted !== actual || hasDifference()).map(predicted => Math.abs(counter(actual, predicted))));
    const most = Math.max(...wrong, 1), mostRight = hasDifference() ? most : Math.max(...all.map(at => counter(at, at)), 1);
    const header = (at, scope) => element("th", { scope }, element("button", {
      type: "button", textContent: names[at], title: names[at], className: "class", tabIndex: -1, attributes: { "data-class": at, "aria-label": `${names[at]}: its row and column` },
    }));
    matrix.replaceChildren(
      element("caption", { textContent: hasDifference() ? `more or fewer images than at ${contents.base}` : "number of images" }),
      element("thead", {}, element("tr", {}, element("th", { className: "corner", textContent: "actual ↓ predicted →" }), ...all.map(at => header(at, "col")))),
      element("tbody", {}, ...all.map(actual => element("tr", {}, header(actual, "row"), ...all.map(predicted =>
        element("td", {}, makeCell(actual, predicted, counter(actual, predicted), predicted === actual ? mostRight : most)))))),
    );
    matrix.querySelector("td button").tabIndex = 0;
  }

  // In place of a matrix of many classes: the pairs that are confused most often, or changed most.
  function drawPairs(counter) {
    const { actual, predicted, before } = split(), pairs = new Map(), search = find(".search").value.trim().toLowerCase();
    const add = (from, to) => from !== to && to >= 0 && pairs.set(from * names.length + to, [from, to]);
    actual.forEach((from, number) => { add(from, predicted[number]); if (hasDifference()) add(from, before[number]); });
    const sizes = [...pairs.values()].map(([from, to]) => [from, to, counter(from, to)])
      .filter(([from, to, number]) => number && [from, to].some(at => names[at].toLowerCase().includes(search)))
      .sort((one, other) => Math.abs(other[2]) - Math.abs(one[2]));
    find(".matrix").replaceChildren(element("caption", { textContent: sizes.length ? "pairs of classes, actual → predicted, the most images first" : "no such pair" }), element("tbody", {}, ...sizes.slice(0, MOST_PAIRS).map(([from, to, number]) =>
      element("tr", {}, element("th", { scope: "row", textContent: `${isolate(names[from])} → ${isolate(names[to])}` }), element("td", {}, makeCell(from, to, number, Math.abs(sizes[0][2])))))));
    const first = find(".matrix td button");
    if (first) first.tabIndex = 0;
  }

  function draw() { drawMatrix(); drawImages(); }

  form.addEventListener("input", event => {
    if ([form.split, form.actual, form.predicted, form.either, find(".difference")].includes(event.target)) cell = null;
    shown = IMAGES_AT_ONCE;
    if (event.target === form.split || event.target === find(".difference")) drawMatrix();
    drawImages();
  });
  form.addEventListener("reset", () => { cell = null; shown = IMAGES_AT_ONCE; const name = form.split.value; setTimeout(() => { form.split.value = name; draw(); }); });
  form.addEventListener("submit", event => event.preventDefault());
  find(".search").addEventListener("input", draw);
  find(".more").addEventListener("click", () => { shown += IMAGES_AT_ONCE; drawImages(); });
  find(".matrix").addEventListener("click", event => {
    const target = event.target.closest("button") ?? event.target.closest("tr")?.querySelector("td:only-of-type button");
    if (!target) return;
    // Once more on a chosen cell shows all again.
    const { actual, predicted, class: either } = target.getAttribute("aria-pressed") === "true" ? {} : target.dataset;
    shown = IMAGES_AT_ONCE;
    cell = hasDifference() && actual !== undefined ? [Number(actual), Number(predicted)] : null;
    form.actual.value = cell ? "" : actual ?? "";
    form.predicted.value = cell ? "" : predicted ?? "";
    form.either.value = either ?? "";
    form.answer.value = form.change.value = "all";
    drawImages();
  });
  // The arrow keys go from cell to cell, as in a spreadsheet; the tabulator leaves the matrix.
  const moveTo = button => {
    for (const other of root.querySelectorAll(".matrix button[tabindex='0']")) other.tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  };
  find(".matrix").addEventListener("focusin", ({ target }) => target.tabIndex && moveTo(target));
  find(".matrix").addEventListener("keydown", event => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const place = event.target.closest("td, th");
    const next = steps && find(".matrix").rows[place.parentNode.rowIndex + steps[0]]?.cells[place.cellIndex + steps[1]]?.querySelector("button");
    if (!next) return;
    event.preventDefault();
    moveTo(next);
  });
  draw();
  return { pictures };
}
