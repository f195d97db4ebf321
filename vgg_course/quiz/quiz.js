// Questions with a reply to every answer. Nothing leaves the page and nothing is kept.

function quizView(root, { hidden }) {
  const $ = (id) => root.getElementById(id);
  const text = new TextDecoder().decode(Uint8Array.from(atob(hidden), (character) => character.charCodeAt(0)));
  const questions = JSON.parse(text).map((question) => ({ ...question, tries: 0, solvedAt: 0 }));

  questions.forEach((question, place) => {
    const form = $(`form${place + 1}`);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { problem, answer } = question.otherwise ? numbered(question, $(`q${place + 1}`).value) : chosen(question, form);
      if (problem) return say(place, "", problem); // no answer yet, so no try either
      question.tries += 1;
      if (answer.right && !question.solvedAt) question.solvedAt = question.tries;
      say(place, answer.right ? "right" : "not-yet", answer.reply, answer);
      score();
    });
  });

  $("again").addEventListener("click", () => {
    questions.forEach((question, place) => {
      question.tries = question.solvedAt = 0;
      $(`form${place + 1}`).reset();
      say(place, "", "");
    });
    score();
  });
  score();

  // --- what was answered ---

  function chosen({ answers }, form) {
    const choice = form.querySelector(":checked");
    return choice ? { answer: answers[Number(choice.value)] } : { problem: "Choose one of the answers first." };
  }

  function numbered({ answers, otherwise, within, unit }, typed) {
    const { problem, number } = numberOf(typed, unit);
    if (problem) return { problem };
    const same = ({ value }) => Math.abs(number - value) <= within * Math.abs(value);
    const right = answers.find((answer) => answer.right);
    const size = number < right.value ? "Too small." : "Too large.";
    const other = { ...otherwise, reply: `${size} ${otherwise.reply}` };
    return { answer: same(right) ? right : (answers.find(same) ?? other) };
  }

  // {number}, or {problem}: 1234, 1,234, 1 234, 1_234, 1.234e3 and 1.234 x 10^3 are one number.
  function numberOf(typed, unit) {
    let words = typed.trim().replace(/\u2212/g, "-");
    if (unit && words.toLowerCase().endsWith(unit.toLowerCase())) words = words.slice(0, -unit.length).trim();
    if (!words) return { problem: "Type a number first." };
    words = words.replace(/\s*[x\u00d7*\u00b7]\s*10\s*(?:\^|\*\*)\s*/i, "e");
    if (/^[+-]?\d{1,3}([,\s_'\u2019])\d{3}(?:\1\d{3})*(?:\.\d+)?$/.test(words)) words = words.replace(/[,\s_'\u2019]/g, "");
    if (/^[+-]?\d+,\d+$/.test(words))
      return { problem: `Is the comma a decimal point? Then write ${safe(words.replace(",", "."))}.` };
    if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(words))
      return { problem: `\u201c${safe(typed.trim())}\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3.` };
    return { number: Number(words) };
  }

  function safe(words) {
    const holder = document.createElement("span");
    holder.textContent = words.length > 40 ? `${words.slice(0, 40)}\u2026` : words;
    return holder.innerHTML;
  }

  // --- what is said ---

  function say(place, mark, reply, { section, anchor } = {}) {
    const says = $(`says${place + 1}`);
    const word = { right: "<strong>Right.</strong> ", "not-yet": "<strong>Not yet.</strong> " }[mark] ?? "";
    says.className = `says ${mark}`;
    says.innerHTML = word + reply;
    if (section) says.append(" See ", link(section, anchor), ".");
  }

  // The section is on this page: the book knows it by id, a notebook by its words. Where neither does, its name must do.
  function link(section, anchor) {
    const slug = (words) => words.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[-0-9]+|-+$/g, "");
    const headings = [...document.querySelectorAll("h2, h3, h4")];
    const target = document.getElementById(anchor) ?? headings.find((heading) => slug(heading.textContent) === anchor);
    const place = document.createElement(target ? "a" : "em");
    place.innerHTML = section;
    if (target) {
      place.href = `#${target.id}`;
      if (target.id !== anchor)
        place.addEventListener("click", (event) => {
          event.preventDefault();
          target.scrollIntoView();
        });
    }
    return place;
  }

  function score() {
    const solved = questions.filter((question) => question.solvedAt);
    const first = solved.filter((question) => question.solvedAt === 1);
    $("score").textContent = `${solved.length} of ${questions.length} solved, ${first.length} at first try.`;
  }
}
