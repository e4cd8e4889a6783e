"use strict";
/* Nothing typed is ever lost: what stands in an element that is replaced goes on in the new one, or is kept beside it. */
const Typed = (() => {
  const FIELDS = "input[name]:not([type=hidden]), textarea[name], select[name]";
  const same = (field, root) => [...root.querySelectorAll(FIELDS)].find((one) => one.name === field.name && one.type === field.type && (!["radio", "checkbox"].includes(one.type) || one.value === field.value));
  const isTouched = (field) => ["radio", "checkbox"].includes(field.type) ? field.checked !== field.defaultChecked : field.value !== (field.defaultValue ?? "");
  const words = (root) => [...root.querySelectorAll("textarea[name], input[name]:not([type=hidden], [type=password], [type=radio], [type=checkbox])")].filter((one) => isTouched(one) && one.value.trim()).map((one) => one.value);
  const keep = (said, after) => {
    if (!said.length || !after) return;
    const box = document.createElement("details");
    const title = document.createElement("summary");
    const text = document.createElement("pre");
    box.className = "typed";
    title.textContent = "What you had typed";
    text.textContent = said.join("\n\n");
    box.append(title, text);
    after.append(box);
  };
  const move = (before, after) => {
    const lost = words(before).length && !after.querySelector(FIELDS);
    before.querySelectorAll(FIELDS).forEach((field) => {
      const next = same(field, after);
      if (!next || !isTouched(field)) return;
      if (["radio", "checkbox"].includes(field.type)) next.checked = field.checked; else next.value = field.value;
    });
    if (lost) keep(words(before), after);
  };
  /* False where the old element has to stay, because somebody is typing in it. */
  const carry = (before, after) => {
    const active = document.activeElement;
    if (before.contains(active) && active.matches("input, textarea, select") && same(active, after)) return false;
    move(before, after);
    return true;
  };
  /* The new one in any case; who is typing goes on in it. */
  const replace = (before, after) => {
    const active = document.activeElement;
    const next = before.contains(active) && active.matches(FIELDS) ? same(active, after) : null;
    const at = next && typeof active.selectionStart === "number" ? [active.selectionStart, active.selectionEnd] : null;
    move(before, after);
    before.replaceWith(after);
    next?.focus({ preventScroll: true });
    if (at) next.setSelectionRange(...at);
  };
  /* Whether this page holds words that are nowhere else: drafts are kept, what is searched for is nothing. */
  const isAny = () => [...document.querySelectorAll("form")].some((form) => form.id !== "message" && !form.querySelector("[type=search]") && words(form).length > 0);
  let before = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    before = xhr.status >= 400 && target.id ? { id: target.id, said: words(target) } : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const after = before && document.getElementById(before.id);
    if (after && !after.querySelector(FIELDS)) keep(before.said, after);
    before = null;
  });
  return { carry, replace, isAny };
})();
