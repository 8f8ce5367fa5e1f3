"use strict";
// Filters and folds the list of credentials. The page is complete without it.
(() => {
  const form = document.getElementById("filter"), q = document.getElementById("q"), s = document.getElementById("s");
  const shown = document.getElementById("shown"), none = document.getElementById("none");
  const all = Array.from(document.querySelectorAll(".rows > details"), el => ({ el, text: null }));
  const wanted = {
    "": () => true,
    dead: el => el.dataset.s === "dead",
    rest: el => el.dataset.s !== "dead",
    found: el => "f" in el.dataset,
  };
  const apply = () => {
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const row of all) {
      if (words.length && row.text === null) row.text = row.el.textContent.toLowerCase();
      const ok = wanted[s.value](row.el) && words.every(w => row.text.includes(w));
      row.el.hidden = !ok;
      if (ok) n++;
    }
    shown.value = n + " of " + all.length + " shown";
    none.hidden = n > 0;
  };
  const fold = open => { for (const row of all) if (!open || !row.el.hidden) row.el.open = open; };
  let timer;
  q.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 80); });
  s.addEventListener("change", apply);
  form.addEventListener("submit", e => e.preventDefault());
  document.getElementById("unfold").addEventListener("click", () => fold(true));
  document.getElementById("fold").addEventListener("click", () => fold(false));
  addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details.rest")) d.open = true; });
  form.hidden = false;
  apply();
})();
