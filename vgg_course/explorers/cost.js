// Edit a configuration and watch shapes, parameters, MACs, memory and receptive field change together.

function costView(root, { configurations, layers, inputSize, inChannels, batchNorm, batch, precision, precisions }) {
  const $ = (id) => root.getElementById(id);
  const QUANTITIES = {
    parameters: "parameters",
    macs: "MACs",
    activations: "activations",
    kept: "kept for backward",
    sees: "receptive field",
  };
  let now; // the last good state: a configuration with everything computed from it
  let reference; // the totals of the configuration that the reader started from
  let selected = 0; // the layer that the buttons work on; -1 is the input

  // --- computing ---

  function compute(text) {
    const options = {
      inputSize: typed($("size").value),
      inChannels: typed($("channels").value),
      batchNorm: $("norm").checked,
    };
    const net = read(text, options, configurations);
    const many = whole(typed($("batch").value), "batch", 1n);
    const costs = ledger(net);
    const precision = $("precision").value;
    const saved = savedForBackward(net, many, precision);
    const fields = receptiveField(net);
    const width = bytesPerValue(precision);
    // What is kept, row by row of the ledger. What is kept once for the whole batch is shared out to those it comes from.
    const rows = costs.rows.map((row) => {
      const norm = row.name.startsWith("bn");
      const own = sum(saved.rows.filter((kept) => kept.layer === row.layer).map((kept) => kept.bytes));
      const statistics = 2n * row.shape[0] * (precision === "bfloat16" ? 2n : 4n);
      const copies = precision === "autocast" ? row.weights * width : 0n;
      return {
        ...row,
        norm,
        activations: row.values * width * many,
        kept: norm ? statistics : own + copies,
        sees: row.layer < 0 ? 1n : fields[row.layer].size,
      };
    });
    const totals = {
      parameters: costs.parameters,
      macs: costs.macs,
      activations: costs.values * width * many,
      kept: saved.bytes,
      sees: fields.at(-1).size,
    };
    return { net, rows, totals, fields, batch: many, precision };
  }

  // Take over the layers in `text` and the fields. A wrong one leaves everything shown as it was.
  function update(text, field) {
    const good = attempt(() => (now = compute(text)), $("error"), field ? [field] : []);
    if (good) {
      selected = Math.min(selected, now.net.specs.length - 1);
      for (const each of root.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
      if (root.activeElement !== $("words")) $("words").value = notation(now.net.specs);
      $("configuration").value = now.net.name;
      draw();
    }
    return good;
  }

  // --- what the reader changes ---

  $("configuration").addEventListener("change", () => {
    const letter = $("configuration").value;
    if (letter === OWN) return $("words").focus();
    if (update(configurations[letter])) startFrom();
    else $("configuration").value = now.net.name;
  });
  for (const id of ["size", "channels", "batch", "precision", "norm"])
    $(id).addEventListener("input", () => update($("words").value, $(id)));
  $("words").addEventListener("input", () => update($("words").value, $("words")));

  // The buttons make new layers out of the last good ones.
  function edit(change, then = selected) {
    const specs = [...now.net.specs];
    change(specs);
    const before = selected;
    selected = then;
    if (!update(specs.map(spell).join(" "))) selected = before;
  }
  const widen = (factor) => () =>
    edit((specs) => {
      const spec = { ...specs[selected] };
      const what = spec.kind === "conv" ? "channels" : "features";
      spec[what] = factor < 1 ? (spec[what] + 1n) / 2n : spec[what] * 2n;
      specs[selected] = spec;
    });
  $("narrow").addEventListener("click", widen(0.5));
  $("wide").addEventListener("click", widen(2));
  $("remove").addEventListener("click", () => edit((specs) => specs.splice(selected, 1), Math.max(selected - 1, 0)));
  $("add-conv").addEventListener("click", () =>
    edit((specs) => {
      const shape = selected < 0 ? now.net.inputShape : now.net.layers[selected].outputShape;
      const like = specs[selected]?.kind === "conv" ? specs[selected] : specs.slice(0, selected + 1).findLast((s) => s.kind === "conv");
      specs.splice(selected + 1, 0, conv(like?.channels ?? (shape.length === 3 && selected >= 0 ? shape[0] : 64n)));
    }, selected + 1),
  );
  $("add-pool").addEventListener("click", () => edit((specs) => specs.splice(selected + 1, 0, maxPool()), selected + 1));
  $("word").addEventListener("input", () => {
    const specs = now.net.specs.map(spell);
    specs[selected] = $("word").value;
    update(specs.join(" "), $("word"));
  });

  // --- drawing ---

  function startFrom() {
    reference = { name: now.net.name, totals: now.totals };
    drawTotals();
  }

  function drawTotals() {
    const { net, totals, fields, precision } = now;
    const images = now.batch === 1n ? "one image" : count(now.batch, "image");
    const start = reference.name === OWN ? "the start" : reference.name;
    const unchanged = Object.keys(QUANTITIES).every((quantity) => totals[quantity] === reference.totals[quantity]);
    const change = (quantity) => {
      if (unchanged) return "";
      const ratio = Number(totals[quantity]) / Number(reference.totals[quantity]);
      if (totals[quantity] === reference.totals[quantity]) return `as ${start}`;
      return `${ratio.toLocaleString("en-US", { maximumSignificantDigits: 3 })} × ${start}`;
    };
    const card = (quantity, term, text, note) =>
      make(
        "div",
        {},
        make("dt", {}, term),
        make("dd", { id: `total-${quantity}` }, data(totals[quantity], text), make("small", {}, note), make("small", { class: "change" }, change(quantity))),
      );
    $("totals").replaceChildren(
      card("parameters", "parameters", short(totals.parameters), `${exact(totals.parameters)} in ${count(depth(net), "layer")}`),
      card("macs", "MACs", short(totals.macs), `${exact(totals.macs)} an image`),
      card("activations", "activations", bytes(totals.activations), `listed outputs, ${images}, ${precision}`),
      card("kept", "kept for backward", bytes(totals.kept), `by PyTorch, ${images}, ${precision}`),
      card("sees", "receptive field", exact(totals.sees), `pixels, of ${fields.at(-1).name}`),
    );
  }

  function draw() {
    const { rows, totals } = now;
    if (reference) drawTotals();
    const most = Object.fromEntries(
      Object.keys(QUANTITIES).map((q) => [q, Math.max(...rows.map((row) => Number(row[q])), 1)]),
    );
    const text = { parameters: short, macs: short, activations: bytes, kept: bytes, sees: exact };
    const cell = (row, q) =>
      make(
        "td",
        { class: `quantity ${q}` },
        make("div", { class: "ink", style: `width:${(100 * Number(row[q])) / most[q]}%` }),
        row[q] ? data(row[q], text[q](row[q])) : make("data", { value: 0, class: "none" }, "0"),
      );
    const choose = (row) => {
      if (row.norm) return make("span", { class: "pad" }, row.name);
      const radio = make("input", { type: "radio", name: "layer", value: row.layer, onchange: () => select(row.layer) });
      radio.checked = row.layer === selected;
      return make("label", {}, radio, row.name);
    };
    const spelled = (row) => (row.layer < 0 || row.norm ? "" : spell(now.net.specs[row.layer]));
    const focused = root.activeElement?.name === "layer";
    root.querySelector("thead").replaceChildren(
      make("tr", {}, ...["layer", "output"].map((h) => make("th", { scope: "col" }, h)), ...Object.entries(QUANTITIES).map(([q, h]) => make("th", { scope: "col", class: `quantity ${q}` }, h))),
    );
    root.querySelector("tbody").replaceChildren(
      ...rows.map((row) =>
        make(
          "tr",
          { class: row.kind.replace(" ", "-") + (row.layer === selected && !row.norm ? " selected" : ""), onclick: () => !row.norm && select(row.layer) },
          make("th", { scope: "row" }, choose(row)),
          make("td", { class: "shape", title: spelled(row) }, row.shape.map(exact).join(" × ")),
          ...Object.keys(QUANTITIES).map((q) => cell(row, q)),
        ),
      ),
    );
    root.querySelector("tfoot").replaceChildren(
      make(
        "tr",
        {},
        make("th", { scope: "row" }, "total"),
        make("td", {}),
        ...Object.keys(QUANTITIES).map((q) => make("td", { class: `quantity ${q}` }, q === "sees" ? "" : data(totals[q], text[q](totals[q])))),
      ),
    );
    if (focused) root.querySelector("input[name=layer]:checked")?.focus();
    const { net } = now;
    const more = [
      net.inputSize !== 224n ? `, input_size=${net.inputSize}` : "",
      net.inChannels !== 3n ? `, in_channels=${net.inChannels}` : "",
      net.batchNorm ? ", batch_norm=True" : "",
    ].join("");
    $("python").textContent = `Configuration.parse("""\n${notation(net.specs)}\n"""${more})`;
    drawBench();
  }

  function select(layer) {
    if (layer === selected) return;
    selected = layer;
    draw();
  }

  function drawBench() {
    const spec = now.net.specs[selected];
    $("chosen").textContent = selected < 0 ? "input" : now.net.layers[selected].name;
    if (root.activeElement !== $("word")) {
      $("word").value = spec ? spell(spec) : "";
      $("word").removeAttribute("aria-invalid");
    }
    $("word").disabled = $("remove").disabled = !spec;
    const widths = spec?.kind === "conv" || spec?.kind === "linear";
    $("wide").disabled = !widths;
    $("narrow").disabled = !widths || (spec.channels ?? spec.features) === 1n;
    $("add-conv").disabled = $("add-pool").disabled = spec?.kind === "linear";
  }

  // On a narrow screen the table shows one quantity at a time.
  for (const [q, label] of Object.entries(QUANTITIES)) {
    const radio = make("input", { type: "radio", name: "which", value: q, onchange: () => ($("table").dataset.show = q) });
    radio.checked = q === "parameters";
    $("which").append(make("label", {}, radio, label));
  }
  $("table").dataset.show = "parameters";

  offerConfigurations($("configuration"), configurations);
  for (const name of precisions) $("precision").append(make("option", {}, name));
  $("size").value = inputSize;
  $("channels").value = inChannels;
  $("batch").value = batch;
  $("norm").checked = batchNorm;
  $("precision").value = precision;
  update(layers);
  startFrom();
}
