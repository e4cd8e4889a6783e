"use strict";
/* The one dialog: what is put into #dialog is shown, modal; Escape, its backdrop and [data-close] close it. */
const Dialog = (() => {
  const dialog = () => document.getElementById("dialog");
  const name = (one) => {
    const head = one.querySelector("h1, h2");
    if (!head) return;
    head.id ||= "dialog-title";
    one.setAttribute("aria-labelledby", head.id);
    one.removeAttribute("aria-label");
  };
  const show = () => {
    const one = dialog();
    if (!one || !one.childElementCount) return;
    name(one);
    if (!one.open) one.showModal();
    one.querySelector("[autofocus], input:not([type=hidden]), textarea, select, button")?.focus();
  };
  const fill = (content) => { dialog()?.replaceChildren(content); show(); };
  const close = () => { if (dialog()?.open) dialog().close(); };
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target?.id === "dialog") { if (event.detail.target.childElementCount) show(); else close(); } });
  /* Who marks words and lets go beside the dialog has not tapped its backdrop; who goes back leaves it. */
  let pressed = null;
  document.addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
  addEventListener("popstate", close);
  document.addEventListener("click", (event) => {
    const one = dialog();
    if ((event.target === one && pressed === one) || event.target.closest?.("#dialog [data-close]")) close();
  });
  document.addEventListener("close", (event) => { if (event.target.id === "dialog") { document.dispatchEvent(new Event("dialog:closed")); event.target.replaceChildren(); } }, true);
  return { show, fill, close };
})();
