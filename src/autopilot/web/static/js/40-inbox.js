"use strict";
/* Questions on the screen: those that ended leave after a while, keys move among them and answer. */
(() => {
  const STAYS = 15000;
  const cards = () => [...document.querySelectorAll("#screen .approval")];
  /* Not while somebody is in it; who was left standing at it, by the keys or by answering, goes on at the next one. */
  const leave = (card) => setTimeout(() => {
    if (!card.isConnected) return;
    const at = document.activeElement, isAt = at === card;
    if (card.matches(":hover") || (!isAt && card.contains(at)) || card.querySelector(".typed")) return leave(card);
    const all = cards(), next = all[all.indexOf(card) + 1] ?? all[all.indexOf(card) - 1] ?? document.getElementById("screen");
    card.remove();
    if (isAt) next?.focus({ preventScroll: true });
  }, STAYS);
  const look = (card) => {
    if (!card?.matches?.(".approval[data-ended]") || !card.closest("#inbox-cards, .asks") || card.dataset.leaves) return;
    card.dataset.leaves = "yes";
    leave(card);
  };
  document.addEventListener("placed", (event) => look(event.detail));
  document.addEventListener("htmx:afterSettle", () => cards().forEach(look));
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-clears]");
    if (button) document.getElementById(button.dataset.clears)?.replaceChildren();
  });
  const chosen = () => document.activeElement?.closest?.(".approval") ?? cards()[0];
  const move = (by) => {
    const all = cards();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement?.closest?.(".approval"));
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  /* By a key nothing is answered at once: the server asks back. */
  const answer = (effects) => {
    const form = chosen()?.querySelector("form");
    const button = effects.map((effect) => form?.querySelector(`button[data-effect="${effect}"]`)).find(Boolean);
    if (!button) return;
    const ask = Object.assign(document.createElement("input"), { type: "hidden", name: "ask", value: "1" });
    form.append(ask);
    button.click();
    ask.remove();
  };
  document.addEventListener("keydown", (event) => {
    if (!document.getElementById("inbox-cards") && document.getElementById("screen")?.dataset.screen !== "inbox-one") return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, textarea, select") || document.querySelector("dialog[open]")) return;
    const acts = { j: () => move(1), k: () => move(-1), a: () => answer(["accept", "answer"]), d: () => answer(["decline", "cancel"]) };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });
})();
