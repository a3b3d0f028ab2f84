"use strict";
// Operations on grey images { height, width, values }, row by row, as Pillow, SciPy and scikit-image do them.

const make = (height, width, at) => {
  const values = new Float64Array(height * width);
  for (let row = 0, place = 0; row < height; row++)
    for (let column = 0; column < width; column++) values[place++] = at(row, column);
  return { height, width, values };
};
const map = (image, change) => ({ ...image, values: image.values.map(change) });
const cut = (image, top, left, height, width) =>
  make(height, width, (row, column) => image.values[(top + row) * image.width + left + column]);
const toByte = value => clamp(Math.round(value), 0, 255);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Add a margin: of a value, or of the nearest pixel if there is none.
const pad = (image, margin, value) =>
  make(image.height + 2 * margin, image.width + 2 * margin, (row, column) => {
    const y = clamp(row - margin, 0, image.height - 1), x = clamp(column - margin, 0, image.width - 1);
    const isInside = y === row - margin && x === column - margin;
    return isInside || value === undefined ? image.values[y * image.width + x] : value;
  });

// Change each row, then each column, by a function from array to array.
const inBothDirections = (image, changeRow, changeColumn = changeRow) =>
  [changeRow, changeColumn].reduce((turned, change) => {
    const lines = Array.from({ length: turned.height }, (_, row) =>
      change(turned.values.subarray(row * turned.width, (row + 1) * turned.width)));
    return make(lines[0].length, lines.length, (row, column) => lines[column][row]);
  }, image);

const reflect = (at, length) => {
  const place = ((at % (2 * length)) + 2 * length) % (2 * length);
  return place < length ? place : 2 * length - 1 - place;
};
const convolve = (image, weights) => inBothDirections(image, line => line.map((_, at) =>
  weights.reduce((sum, weight, tap) => sum + weight * line[reflect(at + tap - (weights.length >> 1), line.length)], 0)));
const blur = (image, deviation) => {
  const radius = Math.floor(4 * deviation + 0.5);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, tap) => Math.exp(-0.5 * ((tap - radius) / deviation) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return convolve(image, weights.map(weight => weight / total));
};
const meanOfSquares = (image, side) => convolve(image, Array(side).fill(1 / side));

// The largest or smallest value of squares: blocks of the side, with running extremes from both of their ends.
const extremes = (image, side, extreme) => inBothDirections(image, line => {
  const half = side >> 1, length = Math.ceil((line.length + 2 * half) / side) * side;
  const padded = Array.from({ length }, (_, at) => line[reflect(at - half, line.length)]);
  const fromStart = [...padded], fromEnd = [...padded];
  for (let at = 1; at < length; at++) if (at % side) fromStart[at] = extreme(fromStart[at - 1], padded[at]);
  for (let at = length - 2; at >= 0; at--) if ((at + 1) % side) fromEnd[at] = extreme(fromEnd[at + 1], padded[at]);
  return line.map((_, at) => extreme(fromEnd[at], fromStart[at + side - 1]));
});
const close = (image, side) => extremes(extremes(image, side, Math.max), side, Math.min);

const median = values => {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
// The median of squares. Source: Huang, Yang and Tang, "A Fast Two-Dimensional Median Filtering Algorithm", 1979: a
// histogram, here of the ranks of all values, follows the square from pixel to pixel.
function medianOfSquares(image, side) {
  const { height, width, values } = image, half = side >> 1, middle = (side * side) >> 1;
  const order = Array.from(values.keys()).sort((one, other) => values[one] - values[other]);
  const ranks = new Int32Array(values.length);
  order.forEach((place, rank) => (ranks[place] = rank));
  const medians = new Float64Array(values.length);
  for (let row = 0; row < height; row++) {
    const counts = new Int32Array(values.length);
    let rank = 0, below = 0; // how many of the square are below that rank
    const count = (right, change) => {
      const column = clamp(right - half, 0, width - 1);
      for (let down = 0; down < side; down++) {
        const found = ranks[clamp(row + down - half, 0, height - 1) * width + column];
        counts[found] += change;
        if (found < rank) below += change;
      }
    };
    for (let right = 0; right < side - 1; right++) count(right, 1);
    for (let column = 0; column < width; column++) {
      count(column + side - 1, 1);
      while (below > middle) below -= counts[--rank];
      while (below + counts[rank] <= middle) below += counts[rank++];
      medians[row * width + column] = values[order[rank]];
      count(column, -1);
    }
  }
  return { height, width, values: medians };
}

const FILTERS = {
  box: [0.5, x => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  linear: [1, x => Math.max(1 - Math.abs(x), 0)],
  cubic: [2, x => {
    const at = Math.abs(x);
    return at < 1 ? (1.5 * at - 2.5) * at * at + 1 : at < 2 ? ((-0.5 * at + 2.5) * at - 4) * at + 2 : 0;
  }],
  lanczos: [3, x => (x === 0 ? 1 : Math.abs(x) < 3 ? (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2 : 0)],
};
// Resize an image as Pillow does: each pixel is a weighted mean of those under it, a byte if the filter is of bytes.
function resize(image, height, width, name) {
  const [reach, filter] = FILTERS[name], finish = name === "linear" ? value => value : toByte;
  const stretch = (line, length) => {
    const scale = line.length / length, wide = Math.max(scale, 1);
    return Float64Array.from({ length }, (_, at) => {
      const centre = (at + 0.5) * scale;
      const first = Math.max(Math.floor(centre - reach * wide + 0.5), 0);
      const end = Math.min(Math.floor(centre + reach * wide + 0.5), line.length);
      let sum = 0, total = 0;
      for (let from = first; from < end; from++) {
        const weight = filter((from + 0.5 - centre) / wide);
        total += weight;
        sum += weight * line[from];
      }
      return finish(sum / total);
    });
  };
  return inBothDirections(image, row => stretch(row, width), column => stretch(column, height));
}

// Number the parts of a mask, whose pixels touch each other; 0 is what is no part.
function label(mask, corners) {
  const labels = new Int32Array(mask.values.length), { height, width } = mask;
  let count = 0;
  mask.values.forEach((value, start) => {
    if (!value || labels[start]) return;
    labels[start] = ++count;
    for (const stack = [start]; stack.length; ) {
      const place = stack.pop(), row = Math.floor(place / width), column = place % width;
      for (let down = -1; down <= 1; down++)
        for (let right = -1; right <= 1; right++) {
          const y = row + down, x = column + right, next = y * width + x;
          if ((!corners && down && right) || y < 0 || y >= height || x < 0 || x >= width) continue;
          if (mask.values[next] && !labels[next]) { labels[next] = count; stack.push(next); }
        }
    }
  });
  return { labels, count };
}

// The distance of each pixel of a mask from the nearest that is none. Source: Felzenszwalb and Huttenlocher,
// "Distance Transforms of Sampled Functions", 2012.
const measureDistances = mask => map(inBothDirections(map(mask, value => (value ? 1e20 : 0)), line => {
  const hull = [], bounds = [];
  const meet = (one, other) => (line[one] + one * one - line[other] - other * other) / (2 * (one - other));
  line.forEach((_, at) => {
    while (hull.length && meet(at, hull.at(-1)) <= bounds.at(-1)) { hull.pop(); bounds.pop(); }
    bounds.push(hull.length ? meet(at, hull.at(-1)) : -Infinity);
    hull.push(at);
  });
  let nearest = 0;
  return line.map((_, at) => {
    while (bounds[nearest + 1] < at) nearest++;
    return (at - hull[nearest]) ** 2 + line[hull[nearest]];
  });
}), Math.sqrt);

// The middle of strokes. Source: Zhang and Suen, "A Fast Parallel Algorithm for Thinning Digital Patterns", 1984. The
// neighbours, clockwise from above, are the bits of a number: by it, the turns (1, 2, both or none) that remove a pixel.
const REMOVALS = Array.from({ length: 256 }, (_, pattern) => {
  const near = Array.from({ length: 8 }, (_, at) => (pattern >> at) & 1), count = near.reduce((sum, other) => sum + other);
  const starts = near.filter((other, at) => !other && near[(at + 1) % 8]).length, isOpen = (...sides) => sides.some(at => !near[at]);
  if (count < 2 || count > 6 || starts !== 1) return 0;
  return Number(isOpen(0, 2, 4) && isOpen(2, 4, 6)) + 2 * Number(isOpen(0, 2, 6) && isOpen(0, 4, 6));
});
// Where scikit-image departs from that: it removes corners, too, and pairs of pixels in one turn.
[[24, 192], [129, 3, 133, 6, 7, 193, 67, 208, 97, 99], [12, 13, 28, 48, 52, 54, 88, 96, 112], [5, 20, 65, 80]]
  .forEach((patterns, turns) => patterns.forEach(pattern => (REMOVALS[pattern] = turns)));

function skeletonize(mask) {
  const values = Uint8Array.from(mask.values), { width } = mask;
  const around = [-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1];
  for (let changes = 1; changes; ) {
    changes = 0;
    for (const turn of [1, 2]) {
      const removed = [];
      values.forEach((value, place) => {
        if (value && REMOVALS[around.reduce((sum, step, at) => sum + (values[place + step] << at), 0)] & turn) removed.push(place);
      });
      removed.forEach(place => (values[place] = 0));
      changes += removed.length;
    }
  }
  return values;
}
