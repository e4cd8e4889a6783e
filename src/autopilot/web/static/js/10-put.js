"use strict";
/* Puts pieces of HTML, made by the server, into their places. Owns nothing else; reads no content. */
const Put = (() => {
  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };
  const order = (element) => {
    const at = element.dataset.at ?? "";
    return at !== "" && !isNaN(at) ? Number(at) : at;
  };
  const END = 1e7;
  /* What a person opened or typed in an element that is replaced stays so. */
  const carryOver = (before, after) => {
    const open = [...before.querySelectorAll("details")].map((one) => one.open);
    after.querySelectorAll("details").forEach((one, index) => { if (index < open.length) one.open = open[index]; });
    before.querySelectorAll("pre").forEach((one, index) => {
      const same = after.querySelectorAll("pre")[index];
      if (same && one.scrollTop) same.dataset.scroll = one.scrollTop + one.clientHeight < one.scrollHeight - 4 ? one.scrollTop : END;
    });
  };
  const place = (element, box, newestFirst) => {
    const at = order(element);
    let after = box.lastElementChild;
    if (newestFirst) {
      let next = box.firstElementChild;
      while (next && order(next) >= at) next = next.nextElementSibling;
      box.insertBefore(element, next);
      return;
    }
    while (after && order(after) > at) after = after.previousElementSibling;
    if (after) after.after(element); else box.prepend(element);
  };
  const put = ({ id, into, desc, html }) => {
    const before = document.getElementById(id);
    const box = into ? into.split(" ").map((one) => document.getElementById(one)).find(Boolean) ?? null : null;
    if (!before && !box) return null;
    const element = parsed(html);
    if (!element) return null;
    if (before) {
      const moved = desc && before.dataset.at !== element.dataset.at;
      if (before.querySelector("[aria-current]")) element.querySelector("a")?.setAttribute("aria-current", "true");
      carryOver(before, element);
      if (!Typed.carry(before, element)) return before;
      const at = document.activeElement, isIn = before.contains(at);
      before.replaceWith(element);
      if (moved && box) { element.remove(); place(element, box, true); }
      if (isIn) Typed.goOn(at === before ? element : Typed.twin(at, element), element);
    } else {
      place(element, box, desc);
    }
    element.querySelectorAll("pre[data-scroll]").forEach((one) => { one.scrollTop = Number(one.dataset.scroll); });
    window.htmx?.process(element);
    Times.show(element);
    document.dispatchEvent(new CustomEvent("placed", { detail: element }));
    return element;
  };
  return { put, place };
})();
