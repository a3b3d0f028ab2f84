"use strict";
// Ink on paper, found and framed as tools/predict/ink.py and framing.py do, where each number has its reason.
const LONGEST_SIDE = 256, BLUR = 0.7, PAPER_WINDOW = 0.45, THICKEST_STROKE = 0.22, PAPER_SIDE = 64;
const DARKEST_PAPER = 32, NOISE_RANGE = 4, LEAST_DIFFERENCE = 12, FEWEST_PIXELS = 12, SHARE_OF_THRESHOLD = 0.75;
const LEAST_PART = 0.06, LEAST_INNER = 0.05, SURER = 1.5;
const DEEPEST_STRIP = 0.22, STRIP_CONTRAST = 0.15, STRIP_BLUR = 4, LEAST_STRIP = 0.9, THIRDS = 3;
const SCALE = 8, SHARES_OF_CHANGE = [1, 0.75, 0.5, 0.25], MARGIN = 4 * SCALE;

const sum = values => values.reduce((total, value) => total + value, 0);
const roundToEven = value => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value)); // as Python does
const mean = values => sum(values) / values.length;

// Return the ink of a picture as a mask, cropped to it, with the background; null if there is none.
function findInk(picture) {
  const blurred = blur(picture, BLUR);
  const flip = image => make(image.height, image.width, (row, column) => image.values[(image.height - 1 - row) * image.width + column]);
  const turn = image => make(image.width, image.height, (row, column) => image.values[column * image.width + row]);
  const [top, bottom, left, right] = [blurred, flip(blurred), turn(blurred), flip(turn(blurred))].map(findStrip);
  const inner = cut(blurred, top, left, blurred.height - top - bottom, blurred.width - left - right);
  let found = findDrawing(inner);
  const reaches = (depth, places) => depth && places.some(place => found.mask.values[place]);
  const line = (length, start, step) => Array.from({ length }, (_, at) => start + at * step);
  const { height, width } = inner, last = width * (height - 1);
  if (found && (reaches(top, line(width, 0, 1)) || reaches(bottom, line(width, last, 1)) ||
      reaches(left, line(height, 0, width)) || reaches(right, line(height, width - 1, width)))) found = null;
  found ??= findDrawing(blurred);
  return found && { ...found, mask: crop(found.mask) };
}

function crop(mask) {
  const rows = [], columns = [];
  mask.values.forEach((value, place) => value && (rows[Math.floor(place / mask.width)] = columns[place % mask.width] = 1));
  const top = rows.indexOf(1), left = columns.indexOf(1);
  return cut(mask, top, left, rows.length - top, columns.length - left);
}

// Return the depth of a strip along the top, such as a table's beside the paper; 0 if there is none.
function findStrip(picture) {
  const deepest = Math.floor(DEEPEST_STRIP * picture.height), depths = [];
  if (deepest < 2 * STRIP_BLUR || picture.width < THIRDS) return 0;
  for (let third = 0, left = 0; third < THIRDS; third++) {
    const width = Math.floor(picture.width / THIRDS) + (third < picture.width % THIRDS);
    const part = cut(picture, 0, left, picture.height, width);
    left += width;
    const rough = Array.from({ length: Math.min(deepest + 2 * STRIP_BLUR, part.height) }, (_, row) => median(part.values.subarray(row * width, (row + 1) * width)));
    const profile = rough.map((_, at) => median([-1, 0, 1].map(step => rough[clamp(at + step, 0, rough.length - 1)])));
    const steps = profile.slice(STRIP_BLUR).map((value, at) => Math.abs(value - profile[at])).slice(0, deepest);
    const step = steps.indexOf(Math.max(...steps)), least = STRIP_CONTRAST * Math.max(median(part.values), DARKEST_PAPER);
    const inside = median(part.values.subarray((step + STRIP_BLUR) * width, (step + STRIP_BLUR + 2 * deepest) * width));
    const contrast = Math.abs(median(profile.slice(0, step + 1)) - inside);
    const isOther = [...part.values.subarray(0, (step + 1) * width)].map(value => Math.abs(value - inside) > contrast / 2);
    if (Math.min(steps[step], contrast) > least && mean(isOther) > LEAST_STRIP) depths.push(step + STRIP_BLUR + 1);
  }
  return depths.length === THIRDS ? Math.max(...depths) : 0;
}

// Return the ink as a mask of the picture's size, with the background: dark or light, whichever has more of it.
function findDrawing(picture) {
  let best = null, most = 0;
  const paper = estimatePaper(picture), size = Math.floor(THICKEST_STROKE * Math.max(picture.height, picture.width)) | 1;
  for (const background of ["light", "dark"]) {
    const upright = value => (background === "light" ? value : 255 - value);
    const values = map(picture, upright), ground = map(paper, upright);
    const closed = cut(close(pad(values, size), size), size, size, picture.height, picture.width);
    const difference = map(closed, (value, at) => Math.max(Math.min(value, ground.values[at]) - values.values[at], 0));
    const mask = select(map(difference, (value, at) => value / Math.max(closed.values[at], DARKEST_PAPER)));
    const inked = difference.values.filter((_, at) => mask.values[at]), ink = sum(inked) / (background === "light" ? 1 : SURER);
    if (ink > most && mean(inked) > LEAST_DIFFERENCE) { best = { mask, background }; most = ink; }
  }
  return best;
}

// The brightness of the paper under each pixel: the median of large windows, smoothed.
function estimatePaper(picture) {
  const zoom = Math.min(1, PAPER_SIDE / Math.max(picture.height, picture.width));
  const height = roundToEven(picture.height * zoom), width = roundToEven(picture.width * zoom);
  const stretch = (line, length) => Float64Array.from({ length }, (_, at) => {
    const place = length > 1 ? (at * (line.length - 1)) / (length - 1) : 0, first = Math.floor(place);
    return line[first] + (place - first) * ((line[first + 1] ?? line[first]) - line[first]);
  });
  const small = inBothDirections(picture, row => stretch(row, width), column => stretch(column, height));
  const size = Math.max(3, Math.floor(PAPER_WINDOW * Math.max(height, width)));
  return resize(blur(medianOfSquares(small, size), size / 6), picture.height, picture.width, "linear");
}

// Return the mask of the ink, by Otsu's threshold over what stands out from the noise.
function select(contrast) {
  const smooth = meanOfSquares(contrast, 5), nothing = map(contrast, () => 0);
  const noise = 1.4826 * median(contrast.values.map((value, at) => Math.abs(value - smooth.values[at]))) + 0.01;
  const visible = contrast.values.filter(value => value > NOISE_RANGE * noise);
  if (visible.length < FEWEST_PIXELS) return nothing;
  const threshold = SHARE_OF_THRESHOLD * findThreshold(visible);
  const { labels, count } = label(map(contrast, value => value > threshold), true);
  const ink = Array(count + 1).fill(0), pixels = Array(count + 1).fill(0), isInner = Array(count + 1).fill(true);
  const { height, width } = contrast;
  labels.forEach((part, place) => {
    const row = Math.floor(place / width), column = place % width;
    ink[part] += contrast.values[place];
    pixels[part]++;
    if (!row || row === height - 1 || !column || column === width - 1) isInner[part] = false;
  });
  ink[0] = isInner[0] = 0;
  if (sum(ink.filter((_, part) => isInner[part])) <= LEAST_INNER * sum(ink)) isInner.fill(true, 1);
  const largest = Math.max(...ink.filter((_, part) => isInner[part]));
  const isChosen = ink.map((amount, part) => isInner[part] && amount >= LEAST_PART * largest);
  if (Math.max(...pixels.filter((_, part) => isChosen[part])) < FEWEST_PIXELS) return nothing;
  return map(contrast, (_, at) => Number(isChosen[labels[at]]));
}

// Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", 1979; of 256 bins.
function findThreshold(values) {
  const low = values.reduce((one, other) => Math.min(one, other)), high = values.reduce((one, other) => Math.max(one, other));
  if (low === high) return low;
  const counts = Array(256).fill(0), centres = counts.map((_, bin) => low + ((bin + 0.5) * (high - low)) / 256);
  values.forEach(value => counts[Math.min(Math.floor(((value - low) / (high - low)) * 256), 255)]++);
  const all = values.length, total = sum(counts.map((count, bin) => count * centres[bin]));
  let best = 0, most = -1, below = 0, sumBelow = 0;
  for (let bin = 0; bin < 255; bin++) {
    below += counts[bin];
    sumBelow += counts[bin] * centres[bin];
    const variance = below * (all - below) * (sumBelow / below - (total - sumBelow) / (all - below)) ** 2;
    if (variance > most) [most, best] = [variance, bin];
  }
  return centres[best];
}

// Draw ink as an image of a data set, from 0 where there is none to 255.
function frame(ink, framing, height, width) {
  const longest = framing.longest_side * SCALE;
  const fit = mask => {
    const scale = longest / Math.max(mask.height, mask.width), side = length => Math.max(1, roundToEven(length * scale));
    return map(resize(map(mask, value => 255 * value), side(mask.height), side(mask.width), "cubic"), value => value / 255);
  };
  const large = fit(crop(adjustStrokes(map(fit(ink), value => Number(value > 0.5)), framing)));
  const total = sum(large.values), centre = framing.centre === "mass"
    ? [sum(large.values.map((value, at) => value * Math.floor(at / large.width))) / total, sum(large.values.map((value, at) => value * (at % large.width))) / total]
    : [large.height / 2, large.width / 2];
  const [top, left] = [[height, large.height], [width, large.width]].map(([side, length], axis) =>
    Math.max(0, Math.min(roundToEven((side * SCALE) / 2 - centre[axis]), side * SCALE - length)));
  return make(height, width, (row, column) => {
    let amount = 0;
    for (let down = 0; down < SCALE; down++)
      for (let right = 0; right < SCALE; right++) {
        const y = row * SCALE + down - top, x = column * SCALE + right - left;
        if (y >= 0 && y < large.height && x >= 0 && x < large.width) amount += large.values[y * large.width + x];
      }
    return Math.round((255 * amount) / SCALE ** 2);
  });
}

// Make strokes thinner or thicker, to a usual width, or near it where they would tear or holes close.
function adjustStrokes(ink, framing) {
  const padded = pad(ink, MARGIN, 0), edged = pad(ink, 1, 0), distances = measureDistances(edged).values;
  const middle = skeletonize(edged), width = (2 * median(distances.filter((_, at) => middle[at]))) / SCALE;
  const [thinnest, thickest] = framing.stroke_width;
  if (thinnest <= width && width <= thickest) return padded;
  const isThick = width > thickest, invert = mask => map(mask, value => 1 - value);
  const count = mask => [label(mask, true).count, label(invert(mask), false).count];
  const [parts, holes] = count(padded), distance = measureDistances(isThick ? padded : invert(padded));
  const change = ((isThick ? width - thickest : thinnest - width) / 2) * SCALE;
  for (const share of SHARES_OF_CHANGE) {
    const changed = map(distance, value => Number(isThick ? value > share * change : value <= share * change));
    const [partsThen, holesThen] = count(changed);
    if (holesThen === holes && (partsThen === parts || !isThick)) return changed;
  }
  return padded;
}
