"use strict";
/* Buttons that copy what a field of the page says. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  const field = button && document.getElementById(button.dataset.copy);
  if (!field) return;
  field.select?.();
  try { await navigator.clipboard.writeText(field.value ?? field.textContent); button.textContent = "Copied"; } catch { button.textContent = "Select and copy it"; }
});
