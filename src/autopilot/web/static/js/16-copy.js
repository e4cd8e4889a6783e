"use strict";
/* Copies what an element says: [data-copy] names it, or stands beside it. */
(() => {
  const DONE = 1600;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const from = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.parentElement.querySelector("pre, code");
    if (!from) return;
    try { await navigator.clipboard.writeText((from.value ?? from.textContent)); } catch {
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      return;
    }
    button.dataset.copied = "";
    setTimeout(() => { delete button.dataset.copied; }, DONE);
  });
})();
