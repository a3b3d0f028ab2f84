"use strict";
// The forward pass of a network: a list of steps, each of which has the numbers of the steps that it reads.
// Values are flat, the channel of a pixel last, as in the weights' file. Step 0 is the pixels.

const dense = ({ weights: [kernel, bias], units }, values) => {
  const outputs = Float64Array.from(bias);
  values.forEach((value, row) => {
    if (value === 0) return; // most pixels, and half of what ReLU leaves
    for (let unit = 0, at = row * units; unit < units; unit++, at++) outputs[unit] += value * kernel[at];
  });
  return outputs;
};

const convolution = (step, values) => {
  const { weights: [kernel, bias], filters, channels, sides, outputSides, kernelSides, strides, edges } = step;
  const outputs = new Float64Array(outputSides[0] * outputSides[1] * filters);
  for (let row = 0, to = 0; row < outputSides[0]; row++)
    for (let column = 0; column < outputSides[1]; column++, to += filters) {
      const sums = outputs.subarray(to, to + filters);
      sums.set(bias);
      for (let down = 0; down < kernelSides[0]; down++) {
        const y = row * strides[0] + down - edges[0];
        if (y < 0 || y >= sides[0]) continue;
        for (let right = 0; right < kernelSides[1]; right++) {
          const x = column * strides[1] + right - edges[1];
          if (x < 0 || x >= sides[1]) continue;
          for (let channel = 0; channel < channels; channel++) {
            const value = values[(y * sides[1] + x) * channels + channel];
            if (value === 0) continue;
            let at = ((down * kernelSides[1] + right) * channels + channel) * filters;
            for (let filter = 0; filter < filters; filter++) sums[filter] += value * kernel[at++];
          }
        }
      }
    }
  return outputs;
};

const average = ({ channels }, values) => {
  const sums = new Float64Array(channels);
  values.forEach((value, at) => (sums[at % channels] += value));
  return sums.map(sum => (sum * channels) / values.length);
};

const softmax = (step, values) => {
  const largest = Math.max(...values), powers = values.map(value => Math.exp(value - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map(power => power / total);
};

const KINDS = {
  dense,
  convolution,
  average,
  softmax,
  scale: ({ factor, offset }, values) => values.map(value => value * factor + offset),
  normalization: ({ weights: [factors, offsets] }, values) =>
    values.map((value, at) => value * factors[at % factors.length] + offsets[at % factors.length]),
  relu: (step, values) => values.map(value => Math.max(value, 0)),
  addition: (step, ...inputs) => inputs[0].map((value, at) => inputs.reduce((sum, input) => sum + input[at], 0)),
};

// Put the weights of a network, float32 in base64, into its steps.
function readNetwork({ steps, weights }) {
  const bytes = Uint8Array.from(atob(weights), letter => letter.charCodeAt(0));
  const numbers = new DataView(bytes.buffer), littleEndian = true, size = 4;
  let at = 0;
  const read = length => Float32Array.from({ length }, () => numbers.getFloat32(size * at++, littleEndian));
  return steps.map(step => ({ ...step, weights: (step.lengths ?? []).map(read) }));
}

// Return the probability of each class for the pixels of one image.
function predict(steps, pixels) {
  const values = [Float64Array.from(pixels)];
  for (const step of steps) values.push(KINDS[step.kind](step, ...step.inputs.map(input => values[input])));
  return values.at(-1);
}
