"use strict";
/* What takes a fresh proof: the dialog that asks for it, and then what was asked for again, with all that was typed. */
const Proof = (() => {
  let waits = [];
  const dialog = () => document.getElementById("proof");
  const headers = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");
  const show = async () => {
    const one = dialog();
    if (!one || one.open) return;
    try { await htmx.ajax("GET", "/step-up", { target: one, swap: "innerHTML" }); } catch { /* told beside the screen */ }
    if (!one.childElementCount) return settle(false);
    one.setAttribute("aria-labelledby", "proof-title");
    one.showModal();
    one.querySelector("[autofocus], button, input")?.focus();
    window.Passkeys?.begin(one);
  };
  /* Resolves with whether it was proved. */
  const ask = () => new Promise((done) => { waits.push(done); show(); });
  const settle = (proved) => { const now = waits; waits = []; now.forEach((done) => done(proved)); };
  const proved = () => {
    const page = document.querySelector("[data-proof-next]");
    settle(true);
    if (dialog()?.open) dialog().close();
    else if (page) location.assign(page.dataset.proofNext);
  };
  const failure = (words, requestId) => new Error((words || "That did not work.") + (requestId ? ` (request ${requestId})` : ""));
  /* A post of ours in JSON, as a form would be posted; asks for a proof where one is needed. */
  const post = async (path, body = {}) => {
    const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", "hx-request": "true", ...headers() }, body: JSON.stringify(body) });
    if (answer.headers.has("x-step-up")) {
      if (await ask()) return post(path, body);
      throw new Error("This takes a proof that it is you.");
    }
    if (answer.headers.has("hx-redirect")) { location.assign(answer.headers.get("hx-redirect")); return new Promise(() => {}); }
    const text = await answer.text();
    if ((answer.headers.get("content-type") || "").includes("json")) {
      const said = JSON.parse(text);
      if (answer.ok) return said;
      throw failure(said.error, said.request_id);
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    if (answer.ok) return page;
    throw failure(page.querySelector("p")?.textContent, page.querySelector(".reference")?.textContent.replace("Request ", ""));
  };
  const again = ({ elt, config }) => {
    const submitter = config.triggeringEvent?.submitter;
    if (submitter?.isConnected && submitter.form === elt) submitter.click();
    else if (elt.isConnected && elt.matches("form")) elt.requestSubmit();
    else if (elt.isConnected && elt.matches("a, button")) elt.click();
    else htmx.ajax(config.verb, config.path, { source: elt.isConnected ? elt : document.body, target: config.target, values: config.formData });
  };
  document.addEventListener("htmx:afterRequest", async (event) => {
    const { xhr, elt, requestConfig } = event.detail;
    if (!xhr?.getResponseHeader("x-step-up")) return;
    if (await ask()) again({ elt, config: requestConfig });
  });
  document.addEventListener("stepped-up", proved);
  document.addEventListener("click", (event) => {
    const one = dialog();
    if (one?.open && (event.target === one || event.target.closest?.("#proof [data-close]"))) one.close();
  });
  document.addEventListener("close", (event) => { if (event.target === dialog()) { event.target.replaceChildren(); settle(false); } }, true);
  return { ask, post, proved };
})();
