// An image goes through a trained net, here in the page: every map of every layer, what a value sees, how it was made, and
// what becomes of it when a filter is changed. `root.host.activations` holds the numbers, for who wants to compare.

function featuresView(root, { layers, inputSize, inChannels, batchNorm, classes, mean, std, weights, images, labels, note }) {
  const $ = (id) => root.getElementById(id);
  const explorer = root.querySelector(".explorer");
  const n = inputSize;
  const area = n * n;
  const net = parse(layers, { inputSize: BigInt(n), inChannels: BigInt(inChannels), batchNorm });
  const shipped = new Float32Array(unbase64(weights).buffer);
  const numbers = shipped.slice(); // those that the reader changes
  const [parts, original] = [unpack(net, numbers), unpack(net, shipped)];
  const shown = unbase64(images); // the images that came with the page, one behind the other
  const fields = [{ name: "input", size: 1n, jump: 1n, start: 0n, grid: BigInt(n), inputSize: BigInt(n) }, ...receptiveField(net)];
  const pictures = []; // {name, pixels: channel by channel, line by line, 0 to 255; own}
  let picture; // the one that is shown
  let values = []; // of the input and of each layer
  let answer = []; // probabilities with the shipped weights
  let at = { layer: 1, channel: 0, row: 0, column: 0 }; // the chosen value
  let now = at; // the one that is shown: pointing changes it
  let from = 0; // the input channel whose weights stand in the table
  let picked = null; // the one that the reader picked or changed; until then it is the one that adds most
  let changed = false; // whether any weight differs from the shipped net's
  let brush = [n >> 1, n >> 1]; // [row, column], for who draws by keyboard

  const channelsOf = (layer) => (layer === 0 ? inChannels : parts[layer - 1].outChannels);
  const gridOf = (layer) => (layer === 0 ? n : parts[layer - 1].grid);
  const isSigned = (layer) => layer === 0 || (parts[layer - 1].kind === "pool" ? isSigned(layer - 1) : !parts[layer - 1].relu);
  const valueAt = ({ layer, channel, row, column }) => values[layer][(channel * gridOf(layer) + row) * gridOf(layer) + column];
  const isAnswer = (layer) => layer === parts.length;

  function nameOfMap(layer, channel) {
    if (layer === 0) return (inChannels === 3 ? ["red", "green", "blue"] : ["gray"])[channel];
    return isAnswer(layer) ? classes[channel] : `map ${channel}`;
  }

  // --- computing ---

  function normalize(pixels) {
    const f = Math.fround; // in the steps in which PyTorch rounds
    return Float32Array.from(pixels, (value, i) => {
      const channel = Math.floor(i / area);
      return f(f(f(value / 255) - f(mean[channel])) / f(std[channel]));
    });
  }

  // Everything from one layer on; 0 is the image itself.
  function compute(first) {
    const began = performance.now();
    if (first === 0) values[0] = normalize(picture.pixels);
    for (let layer = Math.max(first, 1); layer <= parts.length; layer++) values[layer] = runLayer(parts[layer - 1], values[layer - 1]);
    const took = performance.now() - began;
    if (first === 0) answer = softmax(changed ? original.reduce((x, part) => runLayer(part, x), values[0]) : values.at(-1));
    if (first === 0) explorer.dataset.milliseconds = took;
    if (first === 0) $("speed").textContent = `all maps of all layers: ${short(ledger(net).macs)} products in ${Math.ceil(took)} ms`;
    root.host.activations = Object.fromEntries(values.map((numbers, layer) => [fields[layer].name, numbers]));
    for (let layer = first; layer <= parts.length; layer++) drawTile(layer);
    drawAnswer();
    show(at, true);
  }

  const differs = (a, b) => a.some((value, i) => value !== b[i]);

  // --- the image ---

  function addPicture(name, pixels, own) {
    const each = { name, pixels, own };
    each.canvas = make("canvas", { width: n, height: n });
    each.input = make("input", { type: "radio", name: "image", onchange: () => choosePicture(each) });
    $("images").append(make("label", { class: "tile", title: name }, each.input, each.canvas, make("span", {}, name)));
    drawPixels(each.canvas, pixels);
    pictures.push(each);
    return each;
  }

  function choosePicture(each) {
    picture = each;
    each.input.checked = true;
    drawPixels($("pixels"), each.pixels);
    compute(0);
  }

  function drawPixels(canvas, pixels) {
    [canvas.width, canvas.height] = [n, n];
    const image = new ImageData(n, n);
    for (let i = 0; i < area; i++)
      for (let color = 0; color < 4; color++) image.data[4 * i + color] = color === 3 ? 255 : pixels[(inChannels === 3 ? color * area : 0) + i];
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // A file of the reader's, as the net takes it: the square in its middle, in the net's size.
  async function readImage(file) {
    const name = file.name || "The file";
    const refuse = (why) => { throw new ConfigurationError(`${name} ${why}`); };
    if (file.size === 0) refuse("is empty, 0 bytes; choose another file.");
    if (file.size > 64e6) refuse(`has ${bytes(file.size)}; up to 64 MB are read. Shrink it first.`);
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      refuse("could not be read as an image. Browsers read JPEG, PNG, GIF, WebP and BMP; it may be damaged, cut off, too large, or something else under that name.");
    }
    const { width, height } = bitmap;
    let [source, side] = [bitmap, Math.min(width, height)];
    let [x, y] = [(width - side) >> 1, (height - side) >> 1];
    let context;
    do {
      const next = side > 2 * n ? Math.max(n, Math.min(side >> 1, 2048)) : n; // by halves: every pixel has its say
      context = make("canvas", { width: next, height: next }).getContext("2d", { willReadFrequently: next === n });
      context.imageSmoothingEnabled = side !== next;
      context.imageSmoothingQuality = "high";
      context.drawImage(source, x, y, side, side, 0, 0, next, next);
      [source, side, x, y] = [context.canvas, next, 0, 0];
    } while (side !== n);
    bitmap.close(); // a photograph takes 50 MB
    const rgba = context.getImageData(0, 0, n, n).data;
    const color = (i, k) => Math.round((rgba[4 * i + k] * rgba[4 * i + 3]) / 255 + 255 - rgba[4 * i + 3]); // on white
    const gray = (i) => Math.round(0.299 * color(i, 0) + 0.587 * color(i, 1) + 0.114 * color(i, 2));
    const pixels = Uint8ClampedArray.from({ length: inChannels * area }, (_, i) => (inChannels === 3 ? color(i % area, Math.floor(i / area)) : gray(i)));
    const done = [
      width === height ? "" : "its middle square",
      Math.min(width, height) === n ? "" : `${Math.min(width, height) > n ? "shrunk" : "enlarged"} to ${n} × ${n}`,
      rgba.some((value, i) => i % 4 === 3 && value < 255) ? "on white where it is transparent" : "",
    ].filter(Boolean);
    return { name, pixels, own: `${exact(width)} × ${exact(height)} pixels` + (done.length ? ": " + done.join(", ") : "") };
  }

  async function take(files) {
    const problems = [];
    for (const file of [...files].slice(0, 20))
      try {
        const { name, pixels, own } = await readImage(file);
        choosePicture(addPicture(name, pixels, own));
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(error.message);
      }
    if (files.length > 20) problems.push(`${exact(files.length)} files came; the first 20 were looked at.`);
    complain(problems.join(" "));
  }

  function complain(problem) {
    $("error").textContent = problem;
    $("error").hidden = !problem;
  }

  $("file").addEventListener("change", async () => {
    await take($("file").files);
    $("file").value = ""; // the same file can be chosen again
  });
  explorer.addEventListener("dragover", (event) => {
    event.preventDefault();
    explorer.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) explorer.addEventListener(name, () => explorer.classList.remove("over"));
  explorer.addEventListener("drop", (event) => {
    event.preventDefault();
    const { files } = event.dataTransfer;
    files.length ? take(files) : complain("What was dropped is no file. Save the image first, then drop its file.");
  });

  $("blank").addEventListener("click", () => {
    choosePicture(addPicture("blank", new Uint8ClampedArray(inChannels * area).fill(255), "drawn by you"));
    $("draw").checked = true;
    setDrawing();
  });

  const drawing = () => $("draw").checked;
  function setDrawing() {
    for (const field of root.querySelectorAll(".pen")) field.hidden = !drawing();
    $("image").classList.toggle("drawing", drawing());
    show(at, true);
  }
  $("draw").addEventListener("change", setDrawing);

  // Paint a square of the brush's size around each of the given [row, column].
  function paint(places) {
    if (!picture.own) picture = addPicture(`${picture.name}, changed`, picture.pixels.slice(), "drawn on by you");
    picture.input.checked = true;
    const value = parseInt($("color").value.slice(1), 16);
    const rgb = [value >> 16, (value >> 8) & 255, value & 255];
    const gray = Math.round(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]);
    const wide = Number($("brush").value);
    for (const [row, column] of places)
      for (let y = row - ((wide - 1) >> 1), i = 0; i < wide; i++, y++)
        for (let x = column - ((wide - 1) >> 1), j = 0; j < wide; j++, x++)
          if (x >= 0 && y >= 0 && x < n && y < n)
            for (let c = 0; c < inChannels; c++) picture.pixels[c * area + y * n + x] = inChannels === 3 ? rgb[c] : gray;
    drawPixels($("pixels"), picture.pixels);
    drawPixels(picture.canvas, picture.pixels);
    computeSoon(0);
  }

  let waiting = null; // the first layer to compute when the browser draws next
  function computeSoon(first) {
    if (waiting === null) requestAnimationFrame(() => { const since = waiting; waiting = null; compute(since); });
    waiting = Math.min(waiting ?? first, first);
  }

  const pixelUnder = (event) => {
    const box = $("image").getBoundingClientRect();
    const m = margin(fields[at.layer]);
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].map((f) => Math.floor(f * (n + 2 * m) - m));
  };
  let stroke = null; // where the pen was last
  $("image").addEventListener("pointerdown", (event) => {
    if (!drawing() || event.button !== 0) return;
    try { $("image").setPointerCapture(event.pointerId); } catch { /* a pointer that is already gone */ }
    stroke = brush = pixelUnder(event);
    paint([stroke]);
  });
  $("image").addEventListener("pointermove", (event) => {
    if (!stroke) return;
    const [row, column] = pixelUnder(event);
    const steps = Math.max(Math.abs(row - stroke[0]), Math.abs(column - stroke[1]), 1);
    const along = (i, k, end) => Math.round(stroke[k] + ((end - stroke[k]) * i) / steps);
    paint(Array.from({ length: steps }, (_, i) => [along(i + 1, 0, row), along(i + 1, 1, column)]));
    stroke = brush = [row, column];
  });
  for (const name of ["pointerup", "pointercancel"]) $("image").addEventListener(name, () => (stroke = null));

  // --- the layers and their maps ---

  function choose(layer) {
    // Stay over the same part of the image.
    const move = (i) => Math.floor(((i + 0.5) / gridOf(at.layer)) * gridOf(layer));
    at = { layer, channel: layer === 0 ? 0 : busiest(layer), row: move(at.row), column: move(at.column) };
    tiles[layer].querySelector("input").checked = true;
    picked = null;
    show(at, true);
  }

  // Where the largest value stands, and in which map: something to look at.
  const largestAt = (layer) => Math.max(values[layer].indexOf(largest(values[layer])), 0);
  const busiest = (layer) => Math.floor(largestAt(layer) / gridOf(layer) ** 2);

  const tiles = fields.map(({ name }, layer) => {
    const input = make("input", { type: "radio", name: "layer", onchange: () => choose(layer) });
    const tile = make("label", { class: "tile" }, input, make("canvas"), make("span", {}, name));
    $("layers").append(tile);
    return tile;
  });

  function drawTile(layer) {
    const canvas = tiles[layer].querySelector("canvas");
    drawSheet(canvas, layer, Math.ceil(Math.sqrt(channelsOf(layer))));
    canvas.style.imageRendering = canvas.width < 48 ? "pixelated" : "auto";
  }

  // Colors: from dark to light for sizes, red and blue for signs, as in the figures of the course.
  const VIRIDIS = ["440154", "472c7a", "3b518b", "2c718e", "21908d", "27ad81", "5cc863", "aadc32", "fde725"];
  const RED_BLUE = ["67001f", "b2182b", "d6604d", "f4a582", "fddbc7", "f7f7f7", "d1e5f0", "92c5de", "4393c3", "2166ac", "053061"];
  const [sizes, signs] = [VIRIDIS, RED_BLUE].map((stops) =>
    Uint32Array.from({ length: 256 }, (_, i) => {
      const place = (i / 255) * (stops.length - 1);
      const [a, b] = [Math.floor(place), Math.ceil(place)].map((k) => stops[k].match(/../g).map((hex) => parseInt(hex, 16)));
      const [red, green, blue] = a.map((value, k) => Math.round(value + (b[k] - value) * (place % 1)));
      return 0xff000000 + (blue << 16) + (green << 8) + red; // a pixel, as it lies in memory
    }),
  );
  const NO_NUMBER = 0xff808080;
  const topOf = (numbers) => numbers.reduce((top, value) => Math.max(top, Math.abs(value)), 0);

  // All maps of a layer, one pixel a value, so many in a row.
  function drawSheet(canvas, layer, columns, channels = null) {
    const [g, all] = [gridOf(layer), channels ?? [...Array(channelsOf(layer)).keys()]];
    [canvas.width, canvas.height] = [columns * g, Math.ceil(all.length / columns) * g];
    const image = new ImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const layerTop = topOf(values[layer]);
    const colors = isSigned(layer) ? signs : sizes;
    all.forEach((channel, k) => {
      const map = values[layer].subarray(channel * g * g, (channel + 1) * g * g);
      const top = ($("own").checked ? topOf(map) : layerTop) || 1;
      map.forEach((value, i) => {
        const share = isSigned(layer) ? (value / top + 1) / 2 : value / top;
        const [x, y] = [(k % columns) * g + (i % g), Math.floor(k / columns) * g + Math.floor(i / g)];
        pixels[y * canvas.width + x] = colors[Math.round(255 * share)] ?? NO_NUMBER;
      });
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  // How the maps of the chosen layer lie, in pixels of the page.
  function plan() {
    const [width, channels] = [Math.max($("atlas-stack").clientWidth, 120), channelsOf(at.layer)];
    const columns = Math.min(channels, (width < 520 ? 4 : 8) * (channels > 16 ? 2 : 1));
    const rows = Math.ceil(channels / columns);
    const step = Math.floor(Math.min(width / columns, gridOf(at.layer) === 1 ? 28 : 110));
    const gap = step > 30 ? 4 : 2;
    return { columns, rows, step, gap, side: step - gap, width: columns * step, height: rows * step };
  }

  let laid; // the plan that the maps on the page follow
  function drawAtlas() {
    laid = plan();
    const { columns, rows, step, side, width, height } = laid;
    const [canvas, g, zoom] = [$("atlas"), gridOf(at.layer), window.devicePixelRatio || 1];
    const sheet = drawSheet(make("canvas"), at.layer, columns);
    [canvas.width, canvas.height] = [width * zoom, height * zoom];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns && row * columns + column < channelsOf(at.layer); column++)
        context.drawImage(sheet, column * g, row * g, g, g, column * step * zoom, row * step * zoom, side * zoom, side * zoom);
    for (const each of [canvas, $("maps")]) [each.style.width, each.style.height] = [`${width}px`, `${height}px`];
    $("maps").setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  function drawScale() {
    const [signed, top] = [isSigned(at.layer), topOf(values[at.layer])];
    const canvas = make("canvas", { width: 256, height: 1 });
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(signed ? signs : sizes);
    canvas.getContext("2d").putImageData(image, 0, 0);
    const ends = $("own").checked ? [signed ? "−" : "0", signed ? "+" : "its largest"] : [signed ? words(-top) : "0", words(top)];
    $("scale").replaceChildren(ends[0], canvas, ends[1]);
  }

  function describeLayer() {
    const [channels, g, all] = [channelsOf(at.layer), gridOf(at.layer), values[at.layer]];
    const name = fields[at.layer].name;
    const what = at.layer === 0 ? "colors, as the net takes them" : isAnswer(at.layer) ? "logits" : "maps";
    const zeros = all.reduce((count, value) => count + (value === 0), 0);
    const empty = [...Array(channels).keys()].filter((c) => topOf(all.subarray(c * g * g, (c + 1) * g * g)) === 0).length;
    const sparse = isSigned(at.layer) ? "" : `; ${Math.round((100 * zeros) / all.length)} % of the values are zero` + (empty ? `, and so ${empty === 1 ? "is one map as a whole" : `are ${empty} maps as a whole`}` : "");
    $("atlas-title").textContent = `${name}: ${channels} ${what} of ${g} × ${g}${sparse}`;
  }

  $("own").addEventListener("change", () => {
    fields.forEach((_, layer) => drawTile(layer));
    show(at, true);
  });

  // --- one value ---

  // Four figures, and a minus that can be seen.
  const words = (value) => String(Number(value.toPrecision(4))).replaceAll("-", "−");
  const signed = (value) => (value < 0 ? "− " : "+ ") + words(Math.abs(value));

  function show(value, kept) {
    const sameFilter = value.layer === at.layer && value.channel === at.channel;
    now = value;
    if (kept && !sameFilter) picked = null;
    if (kept) {
      at = value;
      drawAtlas();
      drawScale();
      describeLayer();
    }
    from = (sameFilter ? picked : null) ?? strongest();
    drawAtlasMarks();
    drawMap();
    drawImage();
    say();
    explain();
  }

  function drawAtlasMarks() {
    const { columns, step, side } = laid;
    const g = gridOf(now.layer);
    const [x, y, cell] = [(now.channel % columns) * step, Math.floor(now.channel / columns) * step, side / g];
    const frame = { x: x + 2, y: y + 2, width: side - 4, height: side - 4 };
    const spot = { x: x + now.column * cell, y: y + now.row * cell, width: cell, height: cell };
    $("maps").replaceChildren(
      make("svg:rect", { ...frame, class: "map-edge" }),
      make("svg:rect", { ...frame, class: "map-here" }),
      g > 1 ? make("svg:rect", { ...spot, class: "seen-edge" }) : "",
      g > 1 ? make("svg:rect", { ...spot, class: "seen" }) : "",
    );
  }

  const rect = (x, y, width, height, more) => make("svg:rect", { x, y, width, height, "vector-effect": "non-scaling-stroke", ...more });

  function drawMap() {
    const g = gridOf(now.layer);
    drawSheet($("map"), now.layer, 1, [now.channel]);
    $("grid").setAttribute("viewBox", `0 0 ${g} ${g}`);
    const spot = [now.column, now.row, 1, 1];
    $("grid").replaceChildren(rect(...spot, { class: "seen-edge" }), rect(...spot, { class: "seen" }));
    $("map-title").textContent = `${fields[now.layer].name}, ${nameOfMap(now.layer, now.channel)}: ${g} × ${g}`;
  }

  // How far around the image the drawing reaches: as far as this layer's windows, but no farther than a quarter of it.
  function margin(field) {
    const over = Math.max(-Number(field.start), Number(windowOf(field, field.grid - 1n).end) - n, 0);
    return Math.min(over, n / 4) + n / 64;
  }

  function drawImage() {
    const field = fields[now.layer];
    const [rows, columns] = [now.row, now.column].map((i) => windowOf(field, BigInt(i)));
    const [inRows, inColumns] = [now.row, now.column].map((i) => clipped(field, BigInt(i)));
    const box = (r, c) => [c.first, r.first, c.end - c.first, r.end - r.first].map(Number);
    const m = margin(fields[at.layer]);
    const whole = n + 2 * m;
    const seen = inRows.empty || inColumns.empty ? [0, 0, 0, 0] : box(inRows, inColumns);
    const path = (x, y, w, h) => `M${x} ${y}h${w}v${h}h${-w}z`;
    Object.assign($("pixels").style, { left: `${(100 * m) / whole}%`, top: `${(100 * m) / whole}%`, width: `${(100 * n) / whole}%`, height: `${(100 * n) / whole}%` });
    $("image").setAttribute("viewBox", `${-m} ${-m} ${whole} ${whole}`);
    $("image").replaceChildren(
      make("svg:pattern", { id: "padding", width: whole / 50, height: whole / 50, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        make("svg:line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: whole / 50, "stroke-width": whole / 100 })),
      drawing() ? "" : make("svg:path", { d: path(0, 0, n, n) + path(...seen), fill: "#000", "fill-opacity": 0.5, "fill-rule": "evenodd" }),
      rect(0, 0, n, n, { class: "frame" }),
      make("svg:path", { d: path(...box(rows, columns)) + path(...seen), fill: "url(#padding)", "fill-rule": "evenodd" }),
      rect(...box(rows, columns), { class: "window" }),
      drawing() ? "" : rect(...seen, { class: "seen-edge" }),
      rect(...seen, { class: "seen" }),
      drawing() ? rect(brush[1], brush[0], 1, 1, { class: "brush" }) : "",
    );
    $("image-title").textContent = `${picture.name}: ${n} × ${n} pixels`;
    $("legend").textContent =
      (picture.own ? `Yours, ${picture.own}. ` : "") +
      (drawing() ? "Draw with the pen; or go with the arrow keys and paint with Space." : "Bright and framed: what the chosen value sees. Hatched: its window in the padding.");
  }

  function say() {
    const field = fields[now.layer];
    const [rows, columns] = [now.row, now.column].map((i) => windowOf(field, BigInt(i)));
    const [inRows, inColumns] = [now.row, now.column].map((i) => clipped(field, BigInt(i)));
    const span = ({ first, end }) => `${exact(first)} to ${exact(end - 1n)}`.replaceAll("-", "−");
    const all = Number(field.size) ** 2;
    const length = ({ first, end }) => Math.max(Number(end - first), 0);
    const outside = all - length(inRows) * length(inColumns);
    $("says").replaceChildren(
      make("strong", {}, `${field.name}, ${nameOfMap(now.layer, now.channel)}`),
      `, row ${now.row}, column ${now.column}, is `,
      make("strong", { id: "value" }, words(valueAt(now))),
      now.layer === 0 ? "." : `. It sees ${exact(field.size)} × ${exact(field.size)} pixels: rows ${span(rows)}, columns ${span(columns)}. ` +
        (outside ? `${Math.max(Math.round((100 * outside) / all), 1)} % of them are padding.` : "All of them lie in the image."),
    );
  }

  // --- how it was made ---

  // The input channel that adds most to the shown value, up or down.
  function strongest() {
    const part = parts[now.layer - 1];
    if (!part?.weight) return 0;
    const sums = contributions(part, values[now.layer - 1], now.channel, now.row, now.column).map(Math.abs);
    return Math.max(sums.indexOf(topOf(sums)), 0); // none, if they are no numbers
  }

  function explain() {
    const { layer, channel, row, column } = now;
    const part = parts[layer - 1];
    $("making-title").textContent = `How ${words(valueAt(now))} was made`;
    for (const id of ["parts", "tools"]) $(id).hidden = !part?.weight;
    for (const id of ["weights", "products"]) $(id).parentElement.hidden = !part?.weight;
    $("window").parentElement.hidden = layer === 0;
    if (layer === 0) {
      const pixel = picture.pixels[(channel * n + row) * n + column];
      const result = `(${pixel} / 255 ${signed(-mean[channel])}) / ${words(std[channel])} = ${words(valueAt(now))}`;
      return void ($("formula").textContent = `The pixel's ${nameOfMap(0, channel)} is ${pixel} of 255. Less the mean of the training images, by their deviation: ${result}.`);
    }
    const before = fields[layer - 1].name;
    if (part.kind === "pool") {
      const window = [...poolWindow(part, values[layer - 1], channel, row, column)];
      const most = Math.max(...window);
      $("formula").textContent = `The largest of ${window.length} values of ${before}, ${nameOfMap(layer - 1, channel)}.`;
      $("window-title").textContent = `${before}, ${nameOfMap(layer - 1, channel)}`;
      return fillNumbers($("window"), window, part.kernel, (value) => value === most);
    }
    const sums = contributions(part, values[layer - 1], channel, row, column);
    const total = sums.reduce((a, b) => a + b, 0);
    const { biased, normed, value } = finish(part, channel, total);
    const { norm, relu } = part;
    const each = part.kernel ** 2;
    $("formula").textContent = [
      `${exact(sums.length)} ${layer === 1 ? "colors" : "maps"} × ${exact(each)} weights: ${exact(sums.length * each)} products add up to ${words(total)}.`,
      `Bias: ${words(total)} ${signed(part.bias[channel])} = ${words(biased)}.`,
      norm ? `Batch norm: (${words(biased)} ${signed(-norm.mean[channel])}) / ${words(norm.deviation[channel])} × ${words(norm.scale[channel])} ${signed(norm.shift[channel])} = ${words(normed)}.` : "",
      relu ? (normed < 0 ? "Below zero: ReLU makes it 0." : "ReLU leaves it as it is.") : "",
      isAnswer(layer) ? `This is the logit of ${classes[channel]}; softmax makes it ${percent(softmax(values.at(-1))[channel])}.` : "",
    ].filter(Boolean).join(" ");
    drawBars(sums, before);
    const window = windowAt(part, values[layer - 1], row, column, { first: from, channels: 1 });
    const start = (channel * sums.length + from) * each;
    const weights = part.weight.subarray(start, start + each);
    $("window-title").textContent = `${before}, ${nameOfMap(layer - 1, from)}`;
    $("weights-title").textContent = `Weights [${channel}, ${from}]`;
    $("products-title").textContent = `Products: ${words(sums[from])}`;
    fillNumbers($("window"), window, part.kernel);
    fillNumbers($("products"), window.map((value, i) => value * weights[i]), part.kernel);
    fillWeights(weights, part.kernel);
    $("slice").textContent = `these ${exact(each)} weights`.replace("these 1 weights", "this weight");
    $("whole").textContent = `all ${exact(sums.length * each)} of this filter`;
  }

  function tint(element, value, top) {
    element.style.setProperty("--tint", `var(--${value < 0 ? "fully-connected" : "convolution"})`);
    element.style.setProperty("--much", top && Number.isFinite(value) ? Math.abs(value) / top : 0);
  }

  const finite = (values) => [...values].filter(Number.isFinite);

  function fillNumbers(place, values, columns, marked = () => false) {
    const top = topOf(finite(values));
    place.style.setProperty("--cells", columns);
    place.replaceChildren(...[...values].map((value) => {
      const cell = make("span", { class: marked(value) ? "largest" : null }, Number.isFinite(value) ? String(brief(value)).replaceAll("-", "−") : "–");
      tint(cell, value, top);
      return cell;
    }));
  }

  const brief = (value) => Number(value.toPrecision(Math.abs(value) < 0.1 ? 2 : 3));

  // The table is kept while it has the right size: whoever types in it does not lose the place.
  function fillWeights(weights, columns) {
    const place = $("weights");
    place.style.setProperty("--cells", columns);
    if (place.children.length !== weights.length)
      place.replaceChildren(...Array.from(weights, (_, i) =>
        make("input", { type: "number", step: 0.05, inputmode: "decimal", "aria-label": `weight row ${Math.floor(i / columns)}, column ${i % columns}`, oninput: (event) => typeWeight(i, event.target) }),
      ));
    const top = topOf(weights);
    [...place.children].forEach((input, i) => {
      if (input !== root.activeElement || !input.dataset.typing) input.value = brief(weights[i]);
      tint(input, weights[i], top);
    });
  }

  function drawBars(sums, before) {
    const top = topOf(sums) || 1;
    const wide = 0.8;
    const bar = (value, i) => {
      const height = (38 * Math.abs(value)) / top;
      return `M${i + 0.5 - wide / 2} 40v${value < 0 ? height : -height}h${wide}V40z`;
    };
    const bars = (sign) => [...sums].map((value, i) => (value * sign > 0 ? bar(value, i) : "")).join("");
    $("bars").setAttribute("viewBox", `0 0 ${sums.length} 80`);
    $("bars").replaceChildren(
      rect(from, 0, 1, 80, { class: "chosen-bar" }),
      make("svg:path", { d: bars(1), class: "plus" }),
      make("svg:path", { d: bars(-1), class: "minus" }),
      make("svg:line", { x1: 0, x2: sums.length, y1: 40, y2: 40, class: "zero", "vector-effect": "non-scaling-stroke" }),
    );
    $("parts-title").textContent = `What each of ${before}'s ${sums.length} ${now.layer === 1 ? "colors" : "maps"} adds; chosen: ${nameOfMap(now.layer - 1, from)}, ${words(sums[from])}`;
  }

  // --- changing a filter ---

  // What is changed is what is shown, and from then on it is the chosen one.
  function pin() {
    at = now;
    picked = from;
  }

  // The weights that are meant, in `numbers` and in `shipped` alike.
  function meant() {
    pin();
    const { layer, channel } = at;
    const [part, first] = [parts[layer - 1], original[layer - 1]];
    const each = part.kernel ** 2;
    const all = part.inChannels * each;
    const whole = root.querySelector("[name=target]:checked").value === "filter";
    const begin = channel * all + (whole ? 0 : from * each);
    const end = begin + (whole ? all : each);
    return { k: part.kernel, weights: part.weight.subarray(begin, end), first: first.weight.subarray(begin, end) };
  }

  function change(edit) {
    edit(meant());
    afterChange();
  }

  function afterChange(first = at.layer) {
    parts.forEach((part, i) => part.weight && tiles[i + 1].classList.toggle("changed", differs(part.weight, original[i].weight)));
    const count = numbers.reduce((sum, value, i) => sum + (value !== shipped[i]), 0);
    changed = count > 0;
    $("code").textContent = code();
    $("in-pytorch").hidden = !changed;
    $("changed").textContent = count ? `${exact(count)} ${count === 1 ? "weight differs" : "weights differ"} from the net as it was trained.` : "The net is as it was trained.";
    compute(first);
  }

  function typeWeight(i, input) {
    const value = Math.fround(input.valueAsNumber);
    if (!Number.isFinite(value)) {
      input.setAttribute("aria-invalid", "true");
      return complain(`${input.getAttribute("aria-label")} is ${repr(input.value)}; it must be a number.`);
    }
    input.removeAttribute("aria-invalid");
    complain("");
    input.dataset.typing = "yes";
    pin();
    const { weight, kernel, inChannels } = parts[at.layer - 1];
    weight[(at.channel * inChannels + from) * kernel ** 2 + i] = value;
    afterChange();
    delete input.dataset.typing;
  }

  // The changes as lines of Python, for who wants to go on in the notebook.
  function code() {
    const lines = [];
    parts.forEach(({ name, kind, kernel: k, inChannels, outChannels, weight }, layer) => {
      const was = original[layer].weight;
      if (!weight || !differs(weight, was)) return;
      lines.push(`weight = net.layers["${name}"].weight.data`);
      const mirrored = (place) => place + k - 1 - 2 * (place % k);
      // In few words what became of the weights from `begin` up to `end`, which Python calls `target`.
      const inWords = (target, begin, end) => {
        const all = (rule) => { for (let i = begin; i < end; i++) if (!rule(i)) return false; return true; };
        if (all((i) => weight[i] === 0)) return `${target} = 0`;
        if (all((i) => weight[i] === -was[i])) return `${target} *= -1`;
        return kind === "conv" && all((i) => weight[i] === was[mirrored(i)]) ? `${target} = ${target}.flip(-1)` : null;
      };
      const [each, length] = [k * k, inChannels * k * k];
      const rows = (numbers) => Array.from({ length: k }, (_, row) => `[${numbers.slice(row * k, (row + 1) * k).join(", ")}]`);
      for (let channel = 0; channel < outChannels; channel++) {
        const begin = channel * length;
        if (!differs(weight.subarray(begin, begin + length), was.subarray(begin, begin + length))) continue;
        const whole = inWords(`weight[${channel}]`, begin, begin + length);
        if (whole) lines.push(whole);
        else
          for (let input = 0; input < inChannels; input++) {
            const [start, end] = [begin + input * each, begin + (input + 1) * each];
            if (!differs(weight.subarray(start, end), was.subarray(start, end))) continue;
            const target = `weight[${channel}, ${kind === "conv" ? input : `${input * each}:${(input + 1) * each}`}]`;
            const numbers = [...weight.subarray(start, end)].map(shortest);
            lines.push(inWords(target, start, end) ?? `${target} = torch.tensor([${(kind === "conv" ? rows(numbers) : numbers).join(", ")}])`);
          }
      }
    });
    return lines.join("\n");
  }

  // As few figures as say exactly this float32.
  const shortest = (value) => [6, 7, 8, 9].map((figures) => Number(value.toPrecision(figures))).find((said) => Math.fround(said) === value);

  $("zero").addEventListener("click", () => change(({ weights }) => weights.fill(0)));
  $("negate").addEventListener("click", () => change(({ weights }) => weights.forEach((value, i) => (weights[i] = -value))));
  $("flip").addEventListener("click", () => change(({ weights, k }) => {
    for (let line = 0; line < weights.length; line += k) weights.subarray(line, line + k).reverse(); // left for right
  }));
  $("restore").addEventListener("click", () => change(({ weights, first }) => weights.set(first)));
  $("restore-all").addEventListener("click", () => {
    numbers.set(shipped);
    afterChange(1);
  });

  // --- the answer ---

  const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "no number");

  function drawAnswer() {
    const shares = softmax(values.at(-1));
    const top = shares.indexOf(Math.max(...shares));
    $("answer").replaceChildren(...classes.map((name, i) =>
      make("div", { class: i === top ? "top" : null },
        make("strong", {}, make("span", {}, name), make("data", { value: shares[i] }, percent(shares[i]))),
        make("div", { class: "track" },
          make("div", { class: "ink", style: `width:${100 * shares[i]}%` }),
          changed ? make("div", { class: "was", style: `left:${100 * answer[i]}%` }) : ""),
        changed ? make("small", {}, `was ${percent(answer[i])}`) : ""),
    ));
  }

  // --- pointing ---

  pickable($("grid"), {
    size: () => gridOf(at.layer),
    chosen: () => [at.row, at.column],
    show: (row, column, kept) => show({ ...at, row, column }, kept),
    place: (x, y) => [y, x].map((f) => Math.floor(f * gridOf(at.layer))),
  });

  pickable($("maps"), {
    size: () => [laid.rows * gridOf(at.layer), laid.columns * gridOf(at.layer)],
    far: () => gridOf(at.layer),
    chosen: () => {
      const [g, { columns }] = [gridOf(at.layer), laid];
      return [Math.floor(at.channel / columns) * g + at.row, (at.channel % columns) * g + at.column];
    },
    show: (row, column, kept) => {
      const g = gridOf(at.layer);
      const channel = Math.floor(row / g) * laid.columns + Math.floor(column / g);
      if (channel < channelsOf(at.layer)) show({ layer: at.layer, channel, row: row % g, column: column % g }, kept);
    },
    place: (x, y) => {
      const { step, side, width, height } = laid;
      const g = gridOf(at.layer);
      return [y * height, x * width].map((pixel) => {
        const map = Math.floor(pixel / step);
        return map * g + Math.min(Math.floor(((pixel - map * step) / side) * g), g - 1);
      });
    },
  });

  pickable($("image"), {
    size: () => (drawing() ? n : gridOf(at.layer)),
    chosen: () => (drawing() ? brush : [at.row, at.column]),
    show: (row, column, kept) => {
      if (!drawing()) return show({ ...at, row, column }, kept);
      brush = [row, column];
      drawImage();
    },
    place: (x, y) => {
      const [field, m] = [fields[at.layer], margin(fields[at.layer])];
      return [y, x].map((f) => {
        const pixel = f * (n + 2 * m) - m;
        if (drawing()) return Math.floor(pixel);
        return Math.round((pixel - Number(field.start) - Number(field.size) / 2) / Number(field.jump));
      });
    },
  });
  $("image").addEventListener("keydown", (event) => {
    if (!drawing() || (event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault();
    paint([brush]);
  });

  pickable($("bars"), {
    size: () => [1, at.layer ? parts[at.layer - 1].inChannels : 1],
    chosen: () => [0, from],
    show: (row, channel, kept) => {
      if (!kept) return;
      from = picked = channel;
      explain();
    },
    place: (x) => [0, Math.floor(x * parts[at.layer - 1].inChannels)],
  });

  // --- start ---

  for (const wide of [1, 2, 3, 5, 8]) $("brush").append(make("option", { value: wide }, `${wide} × ${wide}`));
  $("brush").value = 2;
  $("note").textContent = note;
  for (let i = 0; i * inChannels * area < shown.length; i++)
    addPicture(labels ? `${classes[labels[i]]} ${i + 1}` : `image ${i + 1}`, shown.slice(i * inChannels * area, (i + 1) * inChannels * area), "");
  tiles[1].querySelector("input").checked = true;
  choosePicture(pictures[0]);
  const place = largestAt(1) % gridOf(1) ** 2;
  at = { ...at, row: Math.floor(place / gridOf(1)), column: place % gridOf(1) };
  choose(1);
  afterChange(parts.length + 1);
  new ResizeObserver(() => laid.width !== plan().width && show(at, true)).observe($("atlas-stack"));
}

// Bytes from text.
function unbase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
