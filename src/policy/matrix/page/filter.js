"use strict";
const filter = document.querySelector(".filter");
const show = () => {
  const shown = new Set(Array.from(filter.querySelectorAll("input:checked"), (box) => box.value));
  for (const row of document.querySelectorAll("tr[data-class]")) {
    row.hidden = !shown.has(row.dataset.class);
  }
  for (const body of document.querySelectorAll("tbody")) {
    body.hidden = !body.querySelector("tr[data-class]:not([hidden])");
  }
};
filter.addEventListener("change", show);
filter.hidden = false;
show();
