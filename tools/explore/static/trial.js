"use strict";
// Try the network: on a drawing, a picture that is dropped, pasted or chosen, or an image of the data set.
const SIDE = 256, PEN = 20; // pixels of the canvas, and of its pen
const MOST_BARS = 10;

// Return an image of one channel, in grey as Pillow makes it, or of a single colour; behind what is transparent, of a value.
const readChannel = ({ width, height, data }, channel, behind = 255) => make(height, width, (row, column) => {
  const at = 4 * (row * width + column), share = data[at + 3] / 255;
  const [red, green, blue] = [0, 1, 2].map(colour => Math.round(share * data[at + colour] + (1 - share) * behind));
  return channel === undefined ? Math.floor((red * 19595 + green * 38470 + blue * 7471 + 0x8000) / 0x10000) : [red, green, blue][channel];
});

// Return whether what is visible on a transparent ground is lighter than grey.
function isLight({ data }) {
  let light = 0, visible = 0, most = 0, least = 255;
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    light += alpha * (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]);
    visible += alpha;
    most = Math.max(most, alpha);
    least = Math.min(least, alpha);
  }
  return least < most && light > 127.5 * visible;
}

// Make an image as small as ink is looked for in, with the side that fits its proportions best.
function shrink(image) {
  const proportion = image.width / image.height, closest = (...sides) =>
    sides.sort((one, other) => Math.abs(proportion - LONGEST_SIDE / one) - Math.abs(proportion - LONGEST_SIDE / other))[0];
  if (Math.max(image.height, image.width) <= LONGEST_SIDE) return image;
  const short = LONGEST_SIDE / proportion;
  return proportion > 1
    ? resize(image, Math.max(closest(Math.floor(short), Math.ceil(short)), 1), LONGEST_SIDE, "box")
    : resize(image, LONGEST_SIDE, Math.max(Math.round(LONGEST_SIDE * proportion), 1), "box");
}

const takeEdges = image => [[0, 0, 1, image.width], [image.height - 1, 0, 1, image.width], [0, 0, image.height, 1], [0, image.width - 1, image.height, 1]]
  .flatMap(box => [...cut(image, ...box).values]);

// Return what the network gets of a picture as `tools.predict` does: channels from 0 to 255, and notes; null without ink.
function convertPicture(picture, contents, isDrawing) {
  const [height, width, channels = 1] = contents.shape, { framing, background } = contents;
  const isColour = channels === 3;
  if (framing && (picture.height !== height || picture.width !== width)) {
    const grey = readChannel(picture, undefined, isLight(picture) ? 0 : 255), mask = isDrawing && map(grey, value => Number(value < 128));
    const found = isDrawing ? sum(mask.values) && { mask: crop(mask), background: "light" } : findInk(shrink(grey));
    if (!found) return null;
    const framed = frame(found.mask, framing, height, width);
    const seen = background === "light" ? map(framed, value => 255 - value) : framed;
    const notes = [`on a ${found.background} background`, ...(found.background === (background ?? "dark") ? [] : ["inverted"]), "framed"];
    return { channels: Array(channels).fill(seen), notes };
  }
  const sized = Array.from({ length: channels }, (_, channel) =>
    resize(readChannel(picture, isColour ? channel : undefined), height, width, "lanczos"));
  const found = mean(sized.flatMap(takeEdges)) > 127.5 ? "light" : "dark";
  const isInverted = Boolean(background) && background !== found;
  return {
    channels: sized.map(channel => (isInverted ? map(channel, value => 255 - value) : channel)),
    notes: [`on a ${found} background`, ...(isInverted ? ["inverted"] : [])],
  };
}

// Return the pixels that the network takes, from channels from 0 to 255.
const toPixels = (channels, largestPixel) => Float64Array.from({ length: channels.length * channels[0].values.length }, (_, at) =>
  Math.round((channels[at % channels.length].values[Math.floor(at / channels.length)] * largestPixel) / 255));

function startTrial(root, contents, pictures) {
  const find = selector => root.querySelector(selector), pad = find(".pad"), seen = find(".seen");
  const steps = readNetwork(contents.network), pen = pad.getContext("2d", { willReadFrequently: true });
  const bars = Array.from({ length: Math.min(MOST_BARS, contents.classes.length) }, () => element("li", {}, element("span"), element("meter"), element("span")));
  find(".bars").replaceChildren(...bars);
  const nameBar = (bar, label) => { bar.children[0].textContent = bar.children[1].ariaLabel = contents.classes[label]; };
  if (bars.length === contents.classes.length) bars.forEach(nameBar);

  function show(channels, words) {
    const probabilities = predict(steps, toPixels(channels, contents.largestPixel));
    const order = [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]);
    // Few classes keep their places, so that their bars move while one draws.
    const listed = contents.classes.length > MOST_BARS ? order.slice(0, MOST_BARS) : [...probabilities.keys()];
    bars.forEach((bar, at) => {
      nameBar(bar, listed[at]);
      bar.children[1].value = probabilities[listed[at]];
      bar.children[2].textContent = percent(probabilities[listed[at]]);
      bar.classList.toggle("likeliest", listed[at] === order[0]);
    });
    find(".answer").textContent = `${contents.classes[order[0]]}, ${percent(probabilities[order[0]])}`;
    find(".notes").textContent = words;
    const [height, width] = contents.shape, pixels = new ImageData(width, height);
    for (let at = 0; at < height * width; at++) {
      for (let channel = 0; channel < 3; channel++) pixels.data[4 * at + channel] = channels[channel % channels.length].values[at];
      pixels.data[4 * at + 3] = 255;
    }
    [seen.width, seen.height] = [width, height];
    seen.getContext("2d").putImageData(pixels, 0, 0);
  }

  // A screen reader hears the answer when a stroke ends, not at each movement.
  const say = () => { find(".spoken").textContent = find(".answer").textContent; };

  function convert(picture, isDrawing) {
    const converted = convertPicture(picture, contents, isDrawing);
    if (converted) return show(converted.channels, converted.notes.join(", "));
    find(".answer").textContent = find(".notes").textContent = "";
    if (!isDrawing) find(".answer").textContent = "nothing, since there is no ink on it";
  }

  function clear() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, SIDE, SIDE);
    find(".answer").textContent = find(".notes").textContent = "";
    seen.width = seen.width; // empties it
    bars.forEach(bar => { bar.classList.remove("likeliest"); bar.children[1].value = 0; bar.children[2].textContent = ""; });
  }

  // What a drawing without framing is scaled from: the square around its ink, with a margin.
  function cutDrawing() {
    if (contents.framing) return pen.getImageData(0, 0, SIDE, SIDE);
    const mask = map(readChannel(pen.getImageData(0, 0, SIDE, SIDE)), value => Number(value < 128)), rows = [], columns = [];
    mask.values.forEach((value, at) => value && (rows.push(Math.floor(at / SIDE)), columns.push(at % SIDE)));
    const [top, left] = [rows, columns].map(places => places.reduce((one, other) => Math.min(one, other), SIDE));
    const [height, width] = [rows, columns].map(places => places.reduce((one, other) => Math.max(one, other), 0)).map((end, axis) => end - [top, left][axis] + 1);
    const side = Math.round(Math.max(height, width, 1) * 1.15);
    return pen.getImageData(Math.round(left - (side - width) / 2), Math.round(top - (side - height) / 2), side, side);
  }

  let last = null, isWaiting = false, isOfDrawing = true, reading = 0;
  function draw(event) {
    const box = pad.getBoundingClientRect();
    const place = [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
    if (!isOfDrawing) clear();
    isOfDrawing = true;
    reading++; // a file that is being read comes too late
    Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
    pen.beginPath();
    pen.moveTo(...(last ?? place));
    pen.lineTo(...place);
    pen.stroke();
    last = place;
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; convert(cutDrawing(), true); });
  }
  pad.addEventListener("pointerdown", event => { if (event.button) return; pad.setPointerCapture(event.pointerId); draw(event); });
  pad.addEventListener("pointermove", event => last && draw(event));
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; requestAnimationFrame(say); });
  find(".clear").addEventListener("click", clear);

  async function read(file) {
    const turn = ++reading;
    try {
      const image = await createImageBitmap(file), { width, height } = image;
      if (turn !== reading) return; // another file was chosen meanwhile
      const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
      context.drawImage(image, 0, 0);
      clear();
      isOfDrawing = false;
      const scale = SIDE / Math.max(width, height);
      pen.drawImage(image, (SIDE - width * scale) / 2, (SIDE - height * scale) / 2, width * scale, height * scale);
      convert(context.getImageData(0, 0, width, height), false);
      say();
    } catch {
      if (turn !== reading) return;
      clear();
      find(".answer").textContent = `${file.name || "this"}: this browser cannot read it; save it anew, as PNG or JPEG`;
      say();
    }
  }
  const readFirst = ({ files }) => files[0] && read(files[0]);
  find("[type=file]").addEventListener("change", ({ target }) => { readFirst(target); target.value = ""; }); // the same file once more is a change, too
  document.addEventListener("paste", ({ clipboardData }) => readFirst(clipboardData));
  document.addEventListener("dragover", event => event.preventDefault());
  document.addEventListener("drop", event => { event.preventDefault(); readFirst(event.dataTransfer); });

  // Tell the likeliest classes of an image of the data set.
  document.addEventListener("showimage", async ({ detail: { split, number, tell } }) => {
    const drawn = pictures[split].draw(number);
    if (!contents.splits[split].images.areExact) return;
    const canvas = await drawn.ready, pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const channels = Array.from({ length: contents.shape[2] ?? 1 }, (_, channel) => readChannel(pixels, channel));
    const probabilities = predict(steps, toPixels(channels, contents.largestPixel));
    const order = [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]);
    tell(order.slice(0, 3).map(at => `${isolate(contents.classes[at])}: ${percent(probabilities[at])}`));
  });
  clear();
}
