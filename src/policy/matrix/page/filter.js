"use strict";
const filter = document.querySelector(".filter");
const table = document.querySelector("table");
// The columns before the first subject: the tool and its class.
const FIRST = 2;
// How many subjects fit on a printed page.
const PRINTED = 9;

const chosen = (name) =>
  new Set(Array.from(filter.querySelectorAll(`input[name=${name}]:checked`), (box) => box.value));

const show = () => {
  const [servers, classes, outcomes] = ["server", "class", "outcome"].map(chosen);
  const part = filter.elements.subject.value.toLowerCase();
  const heads = Array.from(table.tHead.rows[0].cells);
  const columns = heads.map((head, index) => index < FIRST || head.textContent.toLowerCase().includes(part));
  heads.forEach((head, index) => (head.hidden = !columns[index]));
  for (const row of table.querySelectorAll("tr[data-class]")) {
    let found = false;
    Array.from(row.cells).forEach((cell, index) => {
      cell.hidden = !columns[index];
      found ||= index >= FIRST && columns[index] && outcomes.has(cell.className);
    });
    row.hidden = !(found && servers.has(row.dataset.server) && classes.has(row.dataset.class));
  }
  for (const body of table.tBodies) {
    body.hidden = !body.querySelector("tr[data-class]:not([hidden])");
  }
};

// A page is not as wide as many subjects: each of its tables has as many as fit.
const split = () => {
  const shown = Array.from(table.tHead.rows[0].cells).flatMap((head, index) =>
    index >= FIRST && !head.hidden ? [index] : []);
  for (let from = 0; from < shown.length; from += PRINTED) {
    const columns = new Set(shown.slice(from, from + PRINTED));
    const copy = table.cloneNode(true);
    copy.classList.add("printed");
    for (const row of copy.rows) {
      if (row.className === "server") {
        row.cells[0].colSpan = columns.size + FIRST;
        continue;
      }
      Array.from(row.cells).forEach((cell, index) => {
        if (index >= FIRST && !columns.has(index)) cell.remove();
      });
    }
    table.before(copy);
  }
};
const join = () => document.querySelectorAll("table.printed").forEach((copy) => copy.remove());

filter.addEventListener("input", show);
filter.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("beforeprint", split);
window.addEventListener("afterprint", join);
filter.hidden = false;
show();
