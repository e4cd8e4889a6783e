"use strict";
/* What one can do without a mouse from any screen; the list of it is on the settings screen. Typing is never a command. */
(() => {
  const PLACES = { w: "/", i: "/inbox", n: "/new", s: "/spend", m: "/more" };
  const PATIENCE = 1200;
  let went = 0;
  const isTyping = (one) => one instanceof HTMLElement && (one.isContentEditable || one.matches("input, textarea, select"));
  const go = (path) => {
    const link = document.querySelector(`#tabs a[href="${path}"]`);
    if (link) link.click(); else location.assign(path);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const follows = Date.now() - went < PATIENCE;
    went = 0;
    if (follows && PLACES[event.key]) go(PLACES[event.key]);
    else if (event.key === "g") { went = Date.now(); return; }
    else if (event.key === "r") document.getElementById("resync")?.click();
    else if (event.key === "?") location.assign("/settings#keys");
    else if (event.key === "/") {
      const field = document.querySelector("#screen input[type=search]") ?? document.querySelector("#list input[type=search]");
      if (!field) return;
      field.focus();
    } else return;
    event.preventDefault();
  });
})();
