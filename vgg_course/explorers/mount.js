// What the views share: a place of their own in the page, numbers as words, and pointing at a cell of a grid.

// Fill every element of this id that is still empty. Each gets a shadow root: no style and no id leaks in or out.
function mount(id, view) {
  for (const host of document.querySelectorAll(`[id="${id}"]`)) {
    if (host.shadowRoot) continue;
    const root = host.attachShadow({ mode: "open" });
    root.append(host.querySelector("template").content.cloneNode(true));
    followTheme(host, root.querySelector(".explorer"));
    keepKeys(host);
    view(root, JSON.parse(host.dataset.options));
  }
}

// JupyterLab takes single letters and digits for commands of its own: what is typed in a view stays there.
function keepKeys(host) {
  host.dataset.lmSuppressShortcuts = "true";
  host.addEventListener("keydown", (event) => {
    if (!event.altKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
}

// The book, Jupyter and Colab each have their own way to be dark. What they have in common is the color of the text.
function followTheme(host, explorer) {
  const look = () => {
    const [red, green, blue] = getComputedStyle(host).color.match(/[\d.]+/g).map(Number);
    explorer.style.colorScheme = 0.3 * red + 0.6 * green + 0.1 * blue > 127 ? "dark" : "light";
  };
  const soon = () => [0, 100, 600].forEach((delay) => setTimeout(look, delay)); // a page may fade from one to the other
  const observer = new MutationObserver(soon);
  for (const element of [document.documentElement, document.body]) observer.observe(element, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  soon();
}

// --- numbers as words ---

const exact = (number) => number.toLocaleString("en-US");

// Four figures: 138.4 M, 15.47 G; below ten thousand exactly.
function short(number, units = ["", " k", " M", " G", " T", " P", " E"]) {
  let value = Number(number);
  if (value < 10000) return exact(number) + units[0];
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return value.toLocaleString("en-US", { maximumSignificantDigits: value < 1e4 ? 4 : 21 }) + units[unit];
}

const bytes = (number) => short(number, [" B", " kB", " MB", " GB", " TB", " PB", " EB"]);
const count = (number, one, many = one + "s") => `${exact(number)} ${Number(number) === 1 ? one : many}`;

// --- elements ---

// make("td", {class: "number", onclick: f}, "text", child, ...); a "svg:" in front makes a drawing's element.
function make(name, attributes = {}, ...children) {
  const element = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  element.append(...children);
  return element;
}

const data = (number, text) => make("data", { value: number, title: exact(number) }, text);

// --- configurations ---

const OWN = "custom";

// Fill a <select> with the paper's six and "your own"; `all` maps letters to layers.
function offerConfigurations(select, all) {
  for (const name of Object.keys(all)) select.append(make("option", { value: name }, name));
  select.append(make("option", { value: OWN }, "your own"));
}

// Which of the six these layers are, or `OWN`.
function nameOf(specs, all) {
  const words = specs.map(spell).join(" ");
  return Object.keys(all).find((name) => all[name].split(/\s+/).filter(Boolean).join(" ") === words) ?? OWN;
}

// The configuration that the words say, under its letter if it is one of the six.
function read(words, options, all) {
  const net = parse(words, options);
  return { ...net, name: nameOf(net.specs, all) };
}

// Run `change`. If it refuses, say why in `place`, mark the fields, and leave everything as it was.
function attempt(change, place, fields = []) {
  let problem = "";
  try {
    change();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problem = error.message;
  }
  place.textContent = problem;
  place.hidden = !problem;
  for (const field of fields) problem ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
  return !problem;
}

// --- pointing at a cell ---

// Let the reader choose a cell of the grid that `svg` shows. Pointing shows a cell for as long as the pointer is there; a
// click, a tap or an arrow key chooses it.
//   size(): cells along one side, or [rows, columns].  place(x, y): the [row, column] at a fraction of the drawing's width
//   and height.  chosen(): the [row, column] now.  show(row, column, kept).  far(): cells of a step with Shift.
function pickable(svg, { size, place, chosen, show, far: leap = () => 8 }) {
  const sides = () => [size(), size()].flat(); // [rows, columns, ...]
  const inside = (index, axis) => Math.min(Math.max(index, 0), sides()[axis] - 1);
  const under = (event) => {
    const box = svg.getBoundingClientRect();
    return place((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height).map(inside);
  };
  svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && show(...under(event), false));
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(...chosen(), true));
  svg.addEventListener("click", (event) => show(...under(event), true));
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  svg.addEventListener("keydown", (event) => {
    let [row, column] = chosen();
    const far = event.shiftKey ? leap() : 1;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in steps) [row, column] = [row + far * steps[event.key][0], column + far * steps[event.key][1]];
    else if (event.key === "Home") [row, column] = [0, 0];
    else if (event.key === "End") [row, column] = sides().map((side) => side - 1);
    else return;
    event.preventDefault();
    show(inside(row, 0), inside(column, 1), true);
  });
}
