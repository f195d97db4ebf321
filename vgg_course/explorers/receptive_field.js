// Point at a value of a layer's grid and see the region of the input that it depends on.

function receptiveFieldView(root, { configurations, name, layers, inputSize, layer }) {
  const $ = (id) => root.getElementById(id);
  const kinds = { conv: "convolution", pool: "pool", lrn: "normalization", linear: "fully-connected" };
  let net, fields, field, at; // the last good configuration, the chosen layer, and its chosen [row, column]

  // --- what the reader changes ---

  function build(words, size) {
    const made = read(words, { inputSize: size }, configurations);
    const before = field?.name;
    [net, fields] = [made, receptiveField(made)];
    $("configuration").value = net.name;
    $("layer").replaceChildren(...fields.map((f, i) => make("option", { value: i }, f.name)));
    const same = fields.findIndex((f) => f.name === before);
    choose(same >= 0 ? same : fields.length - 1);
  }

  const rebuild = (...marked) => attempt(() => build($("words").value, typed($("size").value)), $("error"), marked);

  function choose(index, cell) {
    const old = field;
    field = fields[index];
    $("layer").value = index;
    const middle = field.grid / 2n;
    // Stay over the same part of the picture when the layer changes.
    const move = (i) => (old ? min(BigInt(Math.floor(((Number(i) + 0.5) / Number(old.grid)) * Number(field.grid))), field.grid - 1n) : middle);
    at = cell ?? (at ? at.map(move) : [middle, middle]);
    for (const id of ["row", "column"]) $(id).max = field.grid - 1n;
    drawGrowth(index);
    show(...at, true);
  }

  const min = (a, b) => (a < b ? a : b);

  $("configuration").addEventListener("change", () => {
    const letter = $("configuration").value;
    if (letter === OWN) {
      $("own").open = true;
      return $("words").focus();
    }
    $("words").value = tidy(configurations[letter]);
    if (!rebuild()) [$("configuration").value, $("words").value] = [net.name, notation(net.specs)];
  });
  $("words").addEventListener("input", () => rebuild($("words")));
  $("size").addEventListener("input", () => rebuild($("size")));
  $("layer").addEventListener("change", () => choose(Number($("layer").value)));
  for (const id of ["row", "column"])
    $(id).addEventListener("input", () =>
      attempt(() => show(whole(typed($("row").value), "row", 0n), whole(typed($("column").value), "column", 0n), true), $("error"), [$(id)]),
    );

  // --- drawing ---

  // One bar a layer: how the receptive field grows. A dashed line marks the size of the input.
  function drawGrowth(index) {
    const top = Math.max(Number(net.inputSize), ...fields.map((f) => Number(f.size)));
    const bars = fields.map((f, i) =>
      make(
        "div",
        { class: `bar ${kinds[net.layers[i].spec.kind]}${i === index ? " chosen" : ""}`, onclick: () => choose(i), title: `${f.name}: ${exact(f.size)}` },
        make("div", { class: "stand" }, make("span", {}, exact(f.size)), make("div", { class: "ink", style: `height:${(100 * Number(f.size)) / top}%` })),
        make("div", { class: "name" }, f.name),
      ),
    );
    const line = make("div", { class: "input-line", style: `--at:${Number(net.inputSize) / top}` }, make("span", {}, `input ${exact(net.inputSize)}`));
    $("growth").replaceChildren(make("div", { class: "bars" + (fields.length > 26 ? " many" : "") }, ...bars), line);
  }

  function show(row, column, kept) {
    const [rows, columns] = [windowOf(field, row), windowOf(field, column)];
    const [inRows, inColumns] = [clipped(field, row), clipped(field, column)];
    if (kept) {
      at = [row, column];
      if (root.activeElement !== $("row")) $("row").value = row;
      if (root.activeElement !== $("column")) $("column").value = column;
    }
    drawGrid(row, column);
    drawImage(rows, columns, inRows, inColumns);
    say(row, column, rows, columns, inRows, inColumns);
  }

  const rect = (x, y, width, height, more) => make("svg:rect", { x, y, width, height, "vector-effect": "non-scaling-stroke", ...more });
  const hatch = (id, unit) =>
    make(
      "svg:pattern",
      { id, width: unit, height: unit, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      make("svg:line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: unit, "stroke-width": unit * 0.5 }),
    );
  const lines = (size, most) => {
    if (size > most) return "";
    const d = [...Array(size + 1).keys()].map((i) => `M${i} 0V${size}M0 ${i}H${size}`).join("");
    return make("svg:path", { d, class: "lines", "vector-effect": "non-scaling-stroke" });
  };

  // The layer's grid; hatched where a window reaches into the padding.
  function drawGrid(row, column) {
    const size = Number(field.grid);
    const first = Math.max(0, Math.ceil(-Number(field.start) / Number(field.jump)));
    const last = Math.min(size - 1, Math.floor(Number(field.inputSize - field.size - field.start) / Number(field.jump)));
    const whole = last - first + 1;
    const pad = size * 0.01;
    $("grid").setAttribute("viewBox", `${-pad} ${-pad} ${size + 2 * pad} ${size + 2 * pad}`);
    const cell = Math.max(1, size / 45); // never smaller than a few pixels
    $("grid").replaceChildren(
      hatch("cut", size / 40),
      whole > 0 ? rect(first, first, whole, whole, { class: "whole" }) : "",
      make("svg:path", {
        d: `M${outline(0, 0, size, size)}` + (whole > 0 ? `M${outline(first, first, whole, whole)}` : ""),
        fill: "url(#cut)",
        "fill-rule": "evenodd",
      }),
      lines(size, 56),
      rect(0, 0, size, size, { class: "frame" }),
      rect(Number(column) + 0.5 - cell / 2, Number(row) + 0.5 - cell / 2, cell, cell, { class: "cell" }),
    );
    $("grid-title").textContent = `${field.name}: ${exact(field.grid)} × ${exact(field.grid)} values`;
  }

  // How far around the image this layer's windows reach; at most so far that the image stays the larger part.
  const margin = () => {
    const n = Number(net.inputSize);
    const over = Math.max(-Number(field.start), Number(windowOf(field, field.grid - 1n).end) - n, 0);
    return Math.min(over, 0.5 * n) + 0.015 * n;
  };

  // The input, dark but for what the value sees; what lies in the padding is hatched.
  function drawImage(rows, columns, inRows, inColumns) {
    const n = Number(net.inputSize);
    const m = margin();
    const box = (r, c) => [c.first, r.first, c.end - c.first, r.end - r.first].map(Number);
    const [x, y, width, height] = box(inRows, inColumns);
    const none = inRows.empty || inColumns.empty;
    const hole = none ? "" : `M${outline(x, y, width, height)}`;
    const jump = Number(field.jump);
    const dots = [];
    if (jump / (n + 2 * m) > 0.04 && field.grid < 64n)
      for (let i = 0; i < field.grid; i++)
        for (let j = 0; j < field.grid; j++) dots.push(`M${center(j)} ${center(i)}h0`);
    $("image").setAttribute("viewBox", `${-m} ${-m} ${n + 2 * m} ${n + 2 * m}`);
    $("image").replaceChildren(
      hatch("padding", (n + 2 * m) / 50),
      rect(-m, -m, n + 2 * m, n + 2 * m, { class: "around" }),
      picture(n),
      lines(n, 40),
      make("svg:path", { d: `M${outline(0, 0, n, n)}${hole}`, fill: "#000", "fill-opacity": 0.58, "fill-rule": "evenodd" }),
      rect(0, 0, n, n, { class: "frame" }),
      make("svg:path", {
        d: `M${outline(...box(rows, columns))}${hole}`,
        fill: "url(#padding)",
        "fill-rule": "evenodd",
      }),
      rect(...box(rows, columns), { class: "window" }),
      make("svg:path", { d: dots.join(""), class: "dots", "vector-effect": "non-scaling-stroke" }),
      none ? "" : rect(x, y, width, height, { class: "seen-edge" }),
      none ? "" : rect(x, y, width, height, { class: "seen" }),
    );
    $("image-title").textContent = `Input: ${exact(n)} × ${exact(n)} pixels`;
    $("legend").textContent =
      "Bright: what it sees. Hatched: its window in the padding." + (dots.length > 1 ? ` Dots: the middles of all ${field.name} windows.` : "");
  }

  const outline = (x, y, width, height) => `${x} ${y}h${width}v${height}h${-width}z`;
  const center = (index) => Number(field.start) + index * Number(field.jump) + Number(field.size) / 2;

  function say(row, column, rows, columns, inRows, inColumns) {
    const length = ({ first, end }) => (end > first ? end - first : 0n);
    const seen = length(inRows) * length(inColumns);
    const all = field.size * field.size;
    const share = 100 - (100 * Number(seen)) / Number(all);
    const span = ({ first, end }) => `${exact(first)} to ${exact(end - 1n)}`.replaceAll("-", "−");
    const wide = `${exact(field.size)} × ${exact(field.size)}`;
    const padded = !seen ? "All of it is padding." : seen === all ? "All of them lie in the image." : `${share < 0.05 ? "Under 0.1" : share.toFixed(1)} % of them are padding.`;
    $("says").replaceChildren(
      make("strong", {}, field.name),
      `, row ${exact(row)}, column ${exact(column)}, sees ${wide} pixels: rows ${span(rows)}, columns ${span(columns)}. ${padded}`,
    );
    const fact = (id, term, value, note) =>
      make("div", {}, make("dt", {}, term), make("dd", { id }, value, make("small", {}, note)));
    $("facts").replaceChildren(
      fact("fact-size", "size", data(field.size, exact(field.size)), "pixels along a side"),
      fact("fact-jump", "jump", data(field.jump, exact(field.jump)), "pixels to the next window"),
      fact("fact-start", "start", data(field.start, exact(field.start).replace("-", "−")), "first pixel of the first window"),
      fact("fact-rows", "rows seen", seen ? span(inRows) : "none", `${exact(length(inRows))} of the window's ${exact(field.size)}`),
      fact("fact-columns", "columns seen", seen ? span(inColumns) : "none", `${exact(length(inColumns))} of the window's ${exact(field.size)}`),
    );
  }

  const chosen = () => at.map(Number);
  const size = () => Number(field.grid);
  const pointed = (row, column, kept) => show(BigInt(row), BigInt(column), kept);
  pickable($("grid"), { size, chosen, show: pointed, place: (x, y) => [y, x].map((f) => Math.floor((f * 1.02 - 0.01) * size())) });
  pickable($("image"), {
    size,
    chosen,
    show: pointed, // the value whose window has its middle nearest to the pointer
    place: (x, y) => [y, x].map((f) => {
      const pixel = f * (Number(net.inputSize) + 2 * margin()) - margin();
      return Math.round((pixel - center(0)) / Number(field.jump));
    }),
  });

  offerConfigurations($("configuration"), configurations);
  $("words").value = tidy(layers);
  $("size").value = inputSize;
  build($("words").value, BigInt(inputSize));
  if (layer !== null) choose(fields.findIndex((f) => f.name === layer));
}

const tidy = (layers) => notation(layers.split(/\s+/).filter(Boolean).map(parseLayer));

// Something to look at: an airplane over hills, on 100 x 100 units.
function picture(size) {
  const path = (d, fill) => make("svg:path", { d, fill });
  return make(
    "svg:g",
    { transform: `scale(${size / 100})` },
    path("M0 0H100V100H0z", "#a9cdf0"),
    path("M0 0H100V34Q60 44 0 30z", "#8fbbe6"),
    make("svg:circle", { cx: 80, cy: 20, r: 8, fill: "#ffd57a" }),
    path("M6 24q3-6 9-3q4-7 11-1q7-1 6 5H7q-3 0-1-1z", "#eef5fc"),
    path("M66 47q2-5 7-2q4-5 9 0q5 0 5 4H67q-2-1-1-2z", "#eef5fc"),
    path("M0 72Q22 56 46 70T100 62V100H0z", "#7fb08a"),
    path("M0 84Q30 70 60 82T100 78V100H0z", "#5f9570"),
    path("M0 94Q40 84 100 92V100H0z", "#4a7d5c"),
    path("M22 47Q24 43 31 43L62 43Q71 43 75 47Q71 51 62 51L31 51Q25 51 22 47z", "#f4f4f6"),
    path("M22 47L17 36L23 36L32 44z", "#e42536"),
    path("M42 47L33 64L40 64L57 48z", "#c9cdd6"),
    path("M46 43L41 33L46 33L56 43z", "#c9cdd6"),
    path("M64 44.5L70 44.5Q72 45.5 73 46.5L64 46.5z", "#4a6a8c"),
    path("M34 46h2v2h-2zM40 46h2v2h-2zM46 46h2v2h-2zM52 46h2v2h-2zM58 46h2v2h-2z", "#4a6a8c"),
  );
}
