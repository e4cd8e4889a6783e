"use strict";
/* From any screen to another without a mouse: g, then a letter. What else there is, is its screen's; the list of all is
   on the settings screen. Typing is never a command. */
(() => {
  const PLACES = { w: "/", i: "/inbox", n: "/new", s: "/spend", m: "/more" };
  const PATIENCE = 1200;
  let went = 0;
  const isTyping = (one) => one instanceof HTMLElement && (one.isContentEditable || one.matches("input, textarea, select"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const follows = Date.now() - went < PATIENCE;
    went = event.key === "g" ? Date.now() : 0;
    const path = follows && PLACES[event.key];
    if (!path) return;
    event.preventDefault();
    const link = document.querySelector(`#tabs a[href="${path}"]`);
    if (link) link.click(); else location.assign(path);
  }, true);
})();
