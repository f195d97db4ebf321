// The arithmetic of the explorers: what vgg_course/configuration.py, accounting.py and receptive_field.py compute, by the
// same rules and with the same words for what is wrong. tests/browser/test_explorers.py compares the two.
//
// Whole numbers are BigInt, as exact as Python's. Shapes leave out the batch: [channels, height, width] before the first
// fully-connected layer, [features] from there on.

class ConfigurationError extends Error {}

const product = (numbers) => numbers.reduce((all, n) => all * n, 1n);
const sum = (numbers) => numbers.reduce((all, n) => all + n, 0n);

// A string as Python's repr shows it, and a number as it is.
function repr(value) {
  if (typeof value !== "string") return String(value);
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [quote]: "\\" + quote };
  return quote + [...value].map((letter) => named[letter] ?? letter).join("") + quote;
}

// What somebody typed into a field: a whole number if it is one, else as it stands, for `whole` to refuse.
function typed(text) {
  const trimmed = text.trim();
  if (/^[+-]?\d+$/.test(trimmed)) return BigInt(trimmed.replace(/^\+/, ""));
  return trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

function whole(value, what, least) {
  if (typeof value !== "bigint" || value < least)
    throw new ConfigurationError(`${what} is ${repr(value)}; it must be a whole number of at least ${least}.`);
  return value;
}

// --- the notation ---

const samePadding = (kernel) => (kernel - 1n) / 2n;

function conv(channels, kernel = 3n, stride = 1n, padding = samePadding(kernel)) {
  whole(channels, "The number of output channels of a convolution", 1n);
  whole(kernel, "The kernel size of a convolution", 1n);
  whole(stride, "The stride of a convolution", 1n);
  whole(padding, "The padding of a convolution", 0n);
  return { kind: "conv", channels, kernel, stride, padding };
}

function maxPool(kernel = 2n, stride = 2n, padding = 0n) {
  whole(kernel, "The window size of a max-pool", 1n);
  whole(stride, "The stride of a max-pool", 1n);
  whole(padding, "The padding of a max-pool", 0n);
  if (2n * padding > kernel)
    throw new ConfigurationError(
      `A max-pool with kernel ${kernel} has padding ${padding}; padding may be at most half the kernel, ` +
        "or a window could hold nothing but padding.",
    );
  return { kind: "pool", kernel, stride, padding };
}

function linear(features) {
  whole(features, "The number of outputs of a fully-connected layer", 1n);
  return { kind: "linear", features };
}

function parseLayer(word) {
  const options = (text) => Object.fromEntries(text.split("/").filter(Boolean).map((o) => [o[0], BigInt(o.slice(1))]));
  let match;
  try {
    if ((match = word.match(/^conv(\d+)-(\d+)((?:\/[sp]\d+)*)$/))) {
      const { s, p } = options(match[3]);
      return conv(BigInt(match[2]), BigInt(match[1]), s, p);
    }
    if ((match = word.match(/^maxpool(\d*)((?:\/[sp]\d+)*)$/))) {
      const { s, p } = options(match[2]);
      return maxPool(BigInt(match[1] || 2), s, p);
    }
    if (word === "LRN") return { kind: "lrn", size: 5n };
    if ((match = word.match(/^FC-(\d+)$/))) return linear(BigInt(match[1]));
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ConfigurationError(`${repr(word)}: ${error.message}`);
    throw error;
  }
  throw new ConfigurationError(
    `unknown layer ${repr(word)}. The notation is the paper's: conv3-64, conv1-256, LRN, maxpool, FC-4096 ` +
      "(and /s2 or /p1 behind a convolution or pool for another stride or padding).",
  );
}

// The word that parseLayer reads.
function spell(spec) {
  const suffix = (stride, usual, padding) =>
    (stride !== usual ? `/s${stride}` : "") + (padding !== null ? `/p${padding}` : "");
  if (spec.kind === "conv") {
    const same = spec.padding === samePadding(spec.kernel);
    return `conv${spec.kernel}-${spec.channels}` + suffix(spec.stride, 1n, same ? null : spec.padding);
  }
  if (spec.kind === "pool")
    return "maxpool" + (spec.kernel === 2n ? "" : spec.kernel) + suffix(spec.stride, 2n, spec.padding || null);
  return spec.kind === "lrn" ? "LRN" : `FC-${spec.features}`;
}

// --- a configuration: its layers, named, with the shapes that go in and come out ---

function parse(text, { name = "custom", ...options } = {}) {
  const specs = text.split(/\s+/).filter(Boolean).map((word, index) => {
    try {
      return parseLayer(word);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw new ConfigurationError(`Configuration ${repr(name)}, layer ${index + 1}: ${error.message}`);
    }
  });
  return configuration(specs, { name, ...options });
}

function configuration(specs, { name = "custom", inputSize = 224n, inChannels = 3n, batchNorm = false } = {}) {
  whole(inputSize, "input_size", 1n);
  whole(inChannels, "in_channels", 1n);
  if (!specs.length) throw new ConfigurationError(`Configuration ${repr(name)} has no layers; give it at least one.`);
  const net = { name, specs, inputSize, inChannels, batchNorm, inputShape: [inChannels, inputSize, inputSize] };
  net.layers = [];
  let shape = net.inputShape;
  let [block, placeInBlock, linears] = [1, 0, 0];
  for (const spec of specs) {
    const layer = { spec, block, inputShape: shape };
    if (spec.kind === "conv") layer.name = `conv${block}_${++placeInBlock}`;
    if (spec.kind === "lrn") layer.name = `lrn${block}_${placeInBlock}`;
    if (spec.kind === "pool") {
      layer.name = `pool${block++}`;
      placeInBlock = 0;
    }
    if (spec.kind === "linear") {
      layer.block = placeInBlock === 0 ? block : block + 1; // five blocks, then fc6
      layer.name = `fc${layer.block + linears++}`;
    }
    layer.outputShape = shape = outputShape(net, layer);
    net.layers.push(layer);
  }
  return net;
}

function outputShape(net, { name, spec, inputShape }) {
  if (spec.kind === "linear") return [spec.features];
  if (inputShape.length === 1)
    throw new ConfigurationError(
      `Configuration ${repr(net.name)}: ${spell(spec)} stands behind a fully-connected layer. What reaches it is a ` +
        `vector of ${inputShape[0]} numbers with no height and width left; put it before the first FC.`,
    );
  const [channels, size] = inputShape;
  if (spec.kind === "lrn") return inputShape;
  const reach = size + 2n * spec.padding - spec.kernel;
  if (reach < 0n)
    throw new ConfigurationError(
      `Configuration ${repr(net.name)}: ${name} (${spell(spec)}) has a ${spec.kernel}x${spec.kernel} window, but only ` +
        `${size}x${size} reaches it (padding ${spec.padding}). The input of ${net.inputSize}x${net.inputSize} ` +
        "has been shrunk too far: remove a pool or start from a larger input.",
    );
  const out = reach / spec.stride + 1n; // floor: a window that does not fit whole is left out
  return [spec.kind === "conv" ? spec.channels : channels, out, out];
}

// One line a block, and one for the fully-connected layers.
function notation(specs) {
  const lines = [[]];
  for (const spec of specs) {
    if (spec.kind === "linear" && lines.at(-1).at(-1)?.kind !== "linear") lines.push([]);
    lines.at(-1).push(spec);
    if (spec.kind === "pool") lines.push([]);
  }
  return lines.filter((line) => line.length).map((line) => line.map(spell).join(" ")).join("\n");
}

const depth = (net) => net.specs.filter((spec) => spec.kind === "conv" || spec.kind === "linear").length;

// --- what it costs ---

// One row for the input, then one a layer. MACs and values are for one image. `layer` is the place in net.layers.
function ledger(net) {
  const row = (name, kind, shape, weights, biases, macs, layer) =>
    ({ name, kind, shape, weights, biases, macs, layer, parameters: weights + biases, values: product(shape) });
  const rows = [row("input", "input", net.inputShape, 0n, 0n, 0n, -1)];
  net.layers.forEach(({ name, spec, inputShape, outputShape }, layer) => {
    if (spec.kind === "conv") {
      const weights = spec.kernel ** 2n * inputShape[0] * spec.channels; // a filter over every input channel, for each output
      const places = outputShape[1] * outputShape[2]; // and it is used at every place of the output
      rows.push(row(name, "convolution", outputShape, weights, spec.channels, weights * places, layer));
      if (net.batchNorm) {
        const channels = spec.channels; // scale and shift, one each a channel
        rows.push(row(name.replace("conv", "bn"), "normalization", outputShape, channels, channels, 0n, layer));
      }
    } else if (spec.kind === "linear") {
      const weights = product(inputShape) * spec.features; // every output listens to every input, once
      rows.push(row(name, "fully connected", outputShape, weights, spec.features, weights, layer));
    } else {
      rows.push(row(name, spec.kind === "pool" ? "pool" : "normalization", outputShape, 0n, 0n, 0n, layer));
    }
  });
  const total = (quantity) => sum(rows.map((r) => r[quantity]));
  return { rows, parameters: total("parameters"), macs: total("macs"), values: total("values") };
}

// Bytes of one listed activation.
const bytesPerValue = (precision) => (precision === "float32" ? 4n : 2n);

// What PyTorch keeps between the forward and the backward pass, dropout on. `layer` as in the ledger; none where a row
// belongs to many layers. Nothing is kept of what stands before the first weights: no gradient goes there.
function savedForBackward(net, batch = 1n, precision = "float32") {
  const size = bytesPerValue(precision);
  const normSize = precision === "bfloat16" ? 2n : 4n;
  const rows = [];
  const keep = (layer, why, values, bytes) =>
    rows.push({ layer, name: net.layers[layer]?.name ?? "input", why, values: values * batch, bytes: values * batch * bytes });
  const first = net.specs.findIndex((spec) => spec.kind === "conv" || spec.kind === "linear");
  if (first < 0) return { rows, bytes: 0n };
  keep(first - 1, `${net.layers[first].name} needs its input`, product(net.layers[first].inputShape), size);
  net.layers.forEach(({ spec, outputShape }, layer) => {
    const out = product(outputShape);
    if (layer < first) return;
    if (spec.kind === "conv") {
      if (net.batchNorm) keep(layer, "batch norm needs its input", out, size);
      keep(layer, "ReLU needs its output", out, size);
    } else if (spec.kind === "pool") {
      keep(layer, "the next layer needs its input", out, size);
      keep(layer, "where each maximum was (int64)", out, 8n);
    } else if (spec.kind === "linear" && layer !== net.layers.length - 1) {
      keep(layer, "ReLU needs its output", out, size);
      keep(layer, "the dropout mask", out, size);
      keep(layer, "the next layer needs its input", out, size);
    } else if (spec.kind === "lrn") {
      const [channels, ...grid] = outputShape;
      keep(layer, "squares, padded across channels", (channels + spec.size - 1n) * product(grid), normSize);
      keep(layer, "the sum before the power", out, normSize);
      keep(layer, "the divisor", out, normSize);
      keep(layer, "the next layer needs its input", out, normSize);
    }
  });
  const once = (name, why, values, bytes) => rows.push({ name, why, values, bytes: values * bytes }); // not one an image
  if (net.batchNorm) {
    const channels = sum(net.specs.filter((spec) => spec.kind === "conv").map((spec) => spec.channels));
    once("batch norms", "mean and deviation of the batch", 2n * channels, normSize);
  }
  if (precision === "autocast") {
    const weights = ledger(net).rows.filter((row) => row.kind !== "normalization").map((row) => row.weights);
    once("all layers", "copies of the weights", sum(weights), size);
  }
  return { rows, bytes: sum(rows.map((row) => row.bytes)) };
}

// --- what it sees ---

// Size, jump and start of every layer's grid, in input pixels.
function receptiveField(net) {
  let [size, jump, start] = [1n, 1n, 0n]; // a pixel sees itself
  return net.layers.map(({ name, spec, inputShape, outputShape }) => {
    let [kernel, stride, padding] = [1n, 1n, 0n]; // LRN mixes channels, not positions
    if (spec.kind === "conv" || spec.kind === "pool") ({ kernel, stride, padding } = spec);
    if (spec.kind === "linear" && inputShape.length === 3) kernel = inputShape[1]; // a window that fits once
    size += (kernel - 1n) * jump;
    start -= padding * jump;
    jump *= stride;
    return { name, size, jump, start, grid: outputShape[1] ?? 1n, inputSize: net.inputSize };
  });
}

// The pixels that value `index` sees along one side: from `first` up to, not including, `end`; padding included.
function windowOf(field, index) {
  if (index < 0n || index >= field.grid)
    throw new ConfigurationError(
      `${field.name} has values 0 to ${field.grid - 1n} along a side; there is no value ${index}.`,
    );
  const first = field.start + index * field.jump;
  return { first, end: first + field.size };
}

// The same, cut at the borders of the image. Empty if the window lies in the padding altogether.
function clipped(field, index) {
  const { first, end } = windowOf(field, index);
  const from = first > 0n ? first : 0n;
  const to = end < field.inputSize ? end : field.inputSize;
  return { first: from, end: to > 0n ? to : 0n, empty: to <= from };
}

// --- one channel, convolved; plain numbers, as these are pictures and not counts ---

function convolve(image, kernel, stride, padding) {
  const at = (row, column) => image[row]?.[column] ?? 0; // padding is zeros
  const k = kernel.length;
  const out = Math.floor((image.length + 2 * padding - k) / stride) + 1;
  const places = [...Array(Math.max(out, 0)).keys()];
  return places.map((row) =>
    places.map((column) => {
      let total = 0;
      for (let i = 0; i < k; i++)
        for (let j = 0; j < k; j++)
          total += kernel[i][j] * at(row * stride - padding + i, column * stride - padding + j);
      return total;
    }),
  );
}

// --- a trained net, run: plain numbers in Float32Arrays; sums are kept in double precision and rounded once a value ---

// What each layer computes with, as views into one array. Their order is that of explorers._weights in Python. A
// fully-connected layer is a convolution whose window is as large as what reaches it.
function unpack(net, numbers) {
  let from = 0;
  const take = (length) => numbers.subarray(from, (from += length));
  const last = net.layers.length - 1;
  return net.layers.map(({ name, spec, inputShape, outputShape }, index) => {
    const [inChannels, size] = inputShape.length === 3 ? inputShape.map(Number) : [Number(inputShape[0]), 1];
    const [outChannels, grid] = outputShape.length === 3 ? outputShape.map(Number) : [Number(outputShape[0]), 1];
    const part = { name, kind: spec.kind, inChannels, size, outChannels, grid };
    const window = spec.kind === "linear" ? [BigInt(size), 1n, 0n] : [spec.kernel, spec.stride, spec.padding];
    [part.kernel, part.stride, part.padding] = window.map(Number);
    if (spec.kind === "pool") return part;
    part.weight = take(outChannels * inChannels * part.kernel ** 2);
    part.bias = take(outChannels);
    if (spec.kind === "conv" && net.batchNorm)
      part.norm = Object.fromEntries(["mean", "deviation", "scale", "shift"].map((key) => [key, take(outChannels)]));
    part.relu = spec.kind === "conv" || index !== last; // not behind the logits
    return part;
  });
}

// The values of some channels in the window behind one place, channel by channel and line by line, `outside` in the
// padding: one row of what is called im2col. They go into `values`, from `to` on.
function windowInto(values, to, part, input, row, column, first, end, outside) {
  const { size, kernel } = part;
  const [top, left] = [row * part.stride - part.padding, column * part.stride - part.padding];
  for (let channel = first; channel < end; channel++)
    for (let y = top; y < top + kernel; y++)
      for (let x = left; x < left + kernel; x++)
        values[to++] = y >= 0 && x >= 0 && y < size && x < size ? input[(channel * size + y) * size + x] : outside;
  return values;
}

function windowAt(part, input, row, column, { first = 0, channels = part.inChannels, outside = 0 } = {}) {
  const values = new Float64Array(channels * part.kernel ** 2);
  return windowInto(values, 0, part, input, row, column, first, first + channels, outside);
}

// The sum of products, made into the layer's value: bias, batch norm, ReLU. Every step, for who wants to see them.
function finish(part, channel, sum) {
  const { bias, norm, relu } = part;
  const biased = sum + bias[channel];
  const normed = norm
    ? ((biased - norm.mean[channel]) / norm.deviation[channel]) * norm.scale[channel] + norm.shift[channel]
    : biased;
  return { biased, normed, value: relu && normed < 0 ? 0 : normed };
}

// One layer's values from those of the layer before it, channel by channel, line by line.
function runLayer(part, input) {
  const { outChannels, grid } = part;
  const places = grid * grid;
  const output = new Float32Array(outChannels * places);
  if (part.kind === "pool") {
    const window = new Float64Array(part.kernel ** 2);
    for (let channel = 0, i = 0; channel < outChannels; channel++)
      for (let place = 0; place < places; place++)
        output[i++] = largest(windowInto(window, 0, part, input, Math.floor(place / grid), place % grid, channel, channel + 1, -Infinity));
    return output;
  }
  const length = part.inChannels * part.kernel ** 2;
  const windows = new Float64Array(length * 4 * Math.ceil(places / 4));
  for (let place = 0; place < places; place++)
    windowInto(windows, place * length, part, input, Math.floor(place / grid), place % grid, 0, part.inChannels, 0);
  const sums = new Float64Array(4);
  for (let channel = 0; channel < outChannels; channel++) {
    const filter = Float64Array.from(part.weight.subarray(channel * length, (channel + 1) * length));
    for (let place = 0; place < places; place += 4) {
      fourSums(filter, windows, place * length, sums);
      for (let i = 0; i < 4 && place + i < places; i++) output[channel * places + place + i] = finish(part, channel, sums[i]).value;
    }
  }
  return output;
}

function largest(values) {
  let most = values[0];
  for (let i = 1; i < values.length; i++) most = Math.max(most, values[i]);
  return most;
}

// A filter times four windows. Four sums at once: a processor need not wait for one addition to begin the next.
function fourSums(filter, windows, start, sums) {
  const length = filter.length;
  let a = 0.0, b = 0.0, c = 0.0, d = 0.0;
  for (let i = 0; i < length; i++) {
    const weight = filter[i];
    const at = start + i;
    a += weight * windows[at];
    b += weight * windows[at + length];
    c += weight * windows[at + 2 * length];
    d += weight * windows[at + 3 * length];
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

const poolWindow = (part, input, channel, row, column) =>
  windowAt(part, input, row, column, { outside: -Infinity, first: channel, channels: 1 });

// What each input channel adds to the sum of one value.
function contributions(part, input, channel, row, column) {
  const window = windowAt(part, input, row, column);
  const each = part.kernel ** 2;
  const sums = new Float64Array(part.inChannels);
  window.forEach((value, i) => (sums[Math.floor(i / each)] += value * part.weight[channel * window.length + i]));
  return sums;
}

// Probabilities from logits.
function softmax(logits) {
  const top = Math.max(...logits);
  const powers = [...logits].map((logit) => Math.exp(logit - top));
  const all = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / all);
}
