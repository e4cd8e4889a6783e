"use strict";
/* Nothing typed is ever lost: what stands in an element that is replaced goes on in the new one, or is kept beside it. */
const Typed = (() => {
  const FIELDS = "input[name]:not([type=hidden]), textarea[name], select[name]";
  const isChoice = (field) => ["radio", "checkbox"].includes(field.type);
  /* Forms of a kind ask by the same names, one for each question or device: where a form goes tells it from the others. */
  const owner = ({ form }) => form && (form.getAttribute("id") ?? form.getAttribute("hx-post") ?? form.getAttribute("action"));
  const same = (field, root) => [...root.querySelectorAll(FIELDS)].find((one) => one.name === field.name && one.type === field.type && owner(one) === owner(field) && (!isChoice(one) || one.value === field.value));
  const first = (select) => [...select.options].find((option) => option.defaultSelected) ?? select.options[0];
  const isTouched = (field) => isChoice(field) ? field.checked !== field.defaultChecked : field.value !== ((field.matches("select") ? first(field)?.value : field.defaultValue) ?? "");
  const written = (root) => [...root.querySelectorAll("textarea[name], input[name]:not([type=hidden], [type=password], [type=radio], [type=checkbox])")].filter((one) => isTouched(one) && one.value.trim());
  const words = (root) => written(root).map((one) => one.value);
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
    const lost = written(before).filter((field) => !same(field, after)).map((field) => field.value);
    before.querySelectorAll(FIELDS).forEach((field) => {
      const next = same(field, after);
      if (!next || !isTouched(field)) return;
      if (isChoice(field)) next.checked = field.checked;
      else if (!next.matches("select") || [...next.options].some((option) => option.value === field.value)) next.value = field.value;
    });
    keep(lost, after);
  };
  /* False where the old element has to stay, because somebody is typing in it. */
  const carry = (before, after) => {
    const active = document.activeElement;
    if (before.contains(active) && active.matches("input, textarea, select") && same(active, after)) return false;
    move(before, after);
    return true;
  };
  /* What stands in the new one for what had the focus: a field, what has its id, or is of its kind and leads to or says the
     same; else the whole of it. */
  const twin = (one, root) => {
    if (one.matches(FIELDS)) return same(one, root);
    const said = (each) => each.getAttribute("href") ?? each.getAttribute("aria-label") ?? each.textContent;
    const alike = [...root.querySelectorAll(one.tagName)];
    return alike.find((each) => one.id && each.id === one.id) ?? alike.find((each) => said(each) === said(one)) ?? root;
  };
  const goOn = (next, root) => {
    next?.focus({ preventScroll: true });
    if (root.contains(document.activeElement)) return;
    if (!root.hasAttribute("tabindex")) root.tabIndex = -1;
    root.focus({ preventScroll: true });
  };
  /* The new one in any case; who is somewhere in it goes on there. */
  const replace = (before, after) => {
    const active = document.activeElement;
    const isIn = before.contains(active), next = isIn ? twin(active, after) : null;
    const at = next?.matches(FIELDS) && typeof active.selectionStart === "number" ? [active.selectionStart, active.selectionEnd] : null;
    move(before, after);
    before.replaceWith(after);
    if (isIn) goOn(next, after);
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
  return { carry, replace, isAny, twin, goOn };
})();
