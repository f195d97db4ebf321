// One output value of a convolution: its window, the products with the kernel, and their sum. One channel, no bias.

function convolutionView(root, start) {
  const $ = (id) => root.getElementById(id);
  const places = (size) => [...Array(size).keys()];
  const square = (size, value) => places(size).map((row) => places(size).map((column) => value(row, column)));

  const PICTURES = {
    "a disk": (n) => square(n, (r, c) => [9, 9, 6, 2][Math.floor((8 * Math.hypot(r - (n - 1) / 2, c - (n - 1) / 2)) / n)] ?? 0),
    "an edge": (n) => square(n, (r, c) => (c < n / 2 ? 1 : 8)),
    "a slope": (n) => square(n, (r, c) => Math.round((9 * (r + c)) / Math.max(2 * n - 2, 1))),
    noise: (n) => square(n, (r, c) => (r * r * 31 + c * 17 + r * c * 7 + 3) % 10),
  };
  const PRESETS = {
    "left against right": (k) => square(k, (r, c) => Math.sign(c - (k - 1) / 2)),
    "top against bottom": (k) => square(k, (r) => Math.sign(r - (k - 1) / 2)),
    "all ones": (k) => square(k, () => 1),
    "center only": (k) => square(k, (r, c) => Number(r === (k - 1) >> 1 && c === (k - 1) >> 1)),
    "center against the rest": (k) => square(k, (r, c) => (r === (k - 1) >> 1 && c === (k - 1) >> 1 ? k * k - 1 : -1)),
  };
  const MOST = { size: 12, padding: 6 };
  let now; // the last good {image, kernel, stride, padding, output}
  let at = null; // the chosen [row, column] of the output

  // --- what the reader changes ---

  function field(id, least) {
    const value = whole(typed($(id).value), id, BigInt(least));
    if (value > (MOST[id] ?? 99)) throw new ConfigurationError(`${id} is ${value}; this picture goes up to ${MOST[id] ?? 99}.`);
    return value;
  }

  function compute() {
    const [size, stride, padding] = [field("size", 1), field("stride", 1), field("padding", 0)];
    const inputs = [...$("kernel").querySelectorAll("input")];
    const k = Math.sqrt(inputs.length);
    const numbers = inputs.map((input) => {
      if (input.value.trim() === "" || !Number.isFinite(input.valueAsNumber))
        throw new ConfigurationError(`${input.getAttribute("aria-label")} is ${repr(input.value)}; it must be a number.`);
      return input.valueAsNumber;
    });
    parse(`conv${k}-1/s${stride}/p${padding}`, { inputSize: size, inChannels: 1n }); // says so if the window does not fit
    const image = PICTURES[$("picture").value](Number(size));
    const kernel = places(k).map((row) => numbers.slice(row * k, (row + 1) * k));
    const [s, p] = [Number(stride), Number(padding)];
    return { image, kernel, stride: s, padding: p, output: convolve(image, kernel, s, p) };
  }

  function update(marked) {
    if (!attempt(() => (now = compute()), $("error"), marked ? [marked] : [])) return;
    for (const each of root.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
    const last = now.output.length - 1;
    at = at ? at.map((i) => Math.min(i, last)) : [Math.min(3, last), Math.min(2, last)];
    show(...at, true);
  }

  function fillKernel() {
    const k = Number($("kernel-size").value);
    const values = PRESETS[$("preset").value];
    const old = now?.kernel;
    const input = (value, row, column) =>
      make("input", { type: "number", step: "any", value, "aria-label": `kernel row ${row}, column ${column}`, oninput: typing });
    const numbers = values ? values(k) : square(k, (r, c) => old?.[r]?.[c] ?? 0);
    root.querySelector(".middle").style.setProperty("--cells", k);
    $("kernel").replaceChildren(...numbers.flatMap((line, row) => line.map((value, column) => input(value, row, column))));
    $("kernel-title").textContent = `Kernel: ${k} × ${k}`;
    update();
  }

  function typing(event) {
    $("preset").value = OWN;
    update(event.target);
  }

  $("picture").addEventListener("change", () => update());
  for (const id of ["size", "stride", "padding"]) $(id).addEventListener("input", () => update($(id)));
  for (const id of ["kernel-size", "preset"]) $(id).addEventListener("change", fillKernel);

  // --- drawing ---

  const words = (value) => String(Number(value.toFixed(3))).replace("-", "−");

  // A grid of numbers, tinted by size: blue for positive, red for negative, which also have a minus sign.
  function draw(svg, values, { border = 0, look = () => "", outline = null }) {
    const n = values.length;
    const [from, side] = [-border - 0.1, n + 2 * border + 0.2];
    const most = Math.max(...values.flat().map(Math.abs), 1e-9);
    const cells = [];
    for (let row = -border; row < n + border; row++)
      for (let column = -border; column < n + border; column++) {
        const inside = row >= 0 && column >= 0 && row < n && column < n;
        const value = inside ? values[row][column] : 0;
        const text = words(value);
        cells.push(
          make(
            "svg:g",
            { class: inside ? look(row, column) : "outside" },
            make("svg:rect", { x: column, y: row, width: 1, height: 1, fill: inside ? `var(--${value < 0 ? "fully-connected" : "convolution"})` : "url(#outside)", "fill-opacity": inside ? 0.06 + (0.5 * Math.abs(value)) / most : 1, class: "square" }),
            make("svg:text", { x: column + 0.5, y: row + 0.5, "font-size": Math.min(0.4, 1.4 / text.length), dy: "0.35em", "text-anchor": "middle" }, text),
          ),
        );
      }
    svg.setAttribute("viewBox", `${from} ${from} ${side} ${side}`);
    svg.style.maxWidth = `${side * 44}px`; // one scale for all four grids
    svg.replaceChildren(
      make(
        "svg:pattern",
        { id: "outside", width: 0.2, height: 0.2, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        make("svg:line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 0.2, "stroke-width": 0.06 }),
      ),
      ...cells,
      outline ? make("svg:rect", { ...outline, class: "here-edge" }) : "",
      outline ? make("svg:rect", { ...outline, class: "here" }) : "",
    );
  }

  function show(row, column, kept) {
    if (kept) at = [row, column];
    const { image, kernel, stride, padding, output } = now;
    const [n, k, out] = [image.length, kernel.length, output.length];
    const [top, left] = [row * stride - padding, column * stride - padding];
    const end = (out - 1) * stride - padding + k; // the first row and column that no window reaches
    const products = square(k, (i, j) => kernel[i][j] * (image[top + i]?.[left + j] ?? 0));
    draw($("input"), image, {
      border: padding,
      look: (r, c) => (r >= end || c >= end ? "unseen" : ""),
      outline: { x: left, y: top, width: k, height: k },
    });
    draw($("products"), products, {});
    draw($("output"), output, { outline: { x: column, y: row, width: 1, height: 1 } });
    $("input-title").textContent = `Input: ${n} × ${n}` + (padding ? `, padding ${padding}` : "");
    $("output-title").textContent = `Output: ${out} × ${out}`;
    const unseen = n - end;
    $("legend").textContent = [
      "Framed: the window.",
      padding ? "Hatched: padding, all zeros." : "",
      unseen > 0 ? `Pale: the last ${unseen === 1 ? "row and column" : `${unseen} rows and columns`}, which no window reaches.` : "",
    ].join(" ");
    say(row, column, products);
  }

  function say(row, column, products) {
    const total = now.output[row][column];
    const terms = products.flat().filter((value) => value !== 0);
    const signed = (value, index) => (index === 0 ? words(value) : (value < 0 ? " − " : " + ") + words(Math.abs(value)));
    const long = terms.length > 14;
    $("says").replaceChildren(
      make("strong", {}, `Row ${row}, column ${column}`),
      ` of the output: ${count(products.flat().length, "product")}` + (terms.length > 1 && !long ? ", those that are not zero: " : " with the sum "),
      terms.length > 1 && !long ? terms.map(signed).join("") + " = " : "",
      make("strong", { id: "sum" }, words(total)),
      ".",
    );
  }

  const chosen = () => at;
  const size = () => now.output.length;
  const inside = (f, cells) => Math.floor(f * (cells + 0.2) - 0.1);
  pickable($("output"), { size, chosen, show, place: (x, y) => [inside(y, size()), inside(x, size())] });
  pickable($("input"), {
    size,
    chosen,
    show, // the output whose window has its middle nearest to the pointer
    place: (x, y) => {
      const { image, kernel, stride, padding } = now;
      return [y, x].map((f) => Math.round((f * (image.length + 2 * padding + 0.2) - 0.1 - kernel.length / 2) / stride));
    },
  });

  for (const name of Object.keys(PICTURES)) $("picture").append(make("option", {}, name));
  for (const name of Object.keys(PRESETS)) $("preset").append(make("option", {}, name));
  $("preset").append(make("option", { value: OWN }, "your own"));
  for (const k of places(7)) $("kernel-size").append(make("option", { value: k + 1 }, `${k + 1} × ${k + 1}`));
  $("size").value = 8;
  $("kernel-size").value = start.kernel;
  $("stride").value = start.stride;
  $("padding").value = start.padding;
  fillKernel();
}
