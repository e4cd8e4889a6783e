"use strict";
/* Passkeys: carries to and fro between the server and whatever guards the keys. Keeps nothing. */
window.Passkeys = (() => {
  const can = () => window.isSecureContext && window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON && PublicKeyCredential.parseCreationOptionsFromJSON;
  const get = async (options) => (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })).toJSON();
  const create = async (options) => (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })).toJSON();
  const words = (error) => ({
    NotAllowedError: "No passkey was used: it was cancelled, or took too long.",
    SecurityError: "Passkeys of this server are for another address than the one that this page has.",
    InvalidStateError: "This device has a passkey for your account already.",
  })[error.name] || error.message || "That did not work.";
  const ways = {
    "sign-in": async () => {
      const asked = await Proof.post("/sign-in/passkey/options");
      const credential = await get(asked.options);
      const next = document.querySelector("input[name=next]")?.value ?? "/";
      location.assign((await Proof.post("/sign-in/passkey", { ceremony: asked.ceremony, credential, next })).next);
    },
    "step-up": async () => {
      const asked = await Proof.post("/step-up/passkey/options");
      await Proof.post("/step-up/passkey", { ceremony: asked.ceremony, credential: await get(asked.options) });
      Proof.proved();
    },
    "register": async () => {
      const asked = await Proof.post("/devices/passkeys/options");
      const credential = await create(asked.options);
      const page = await Proof.post("/devices/passkeys", { ceremony: asked.ceremony, credential });
      const list = document.getElementById("passkeys");
      const fresh = page.getElementById("passkeys");
      if (list && fresh) { list.replaceWith(fresh); htmx.process(fresh); Times.show(fresh); begin(); }
    },
  };
  const begin = (root = document) => {
    root.querySelectorAll("[data-passkey]").forEach((one) => { one.hidden = !can(); });
    root.querySelectorAll("[data-no-passkeys]").forEach((one) => { one.hidden = Boolean(can()); });
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-passkey]");
    if (!button || button.disabled) return;
    const place = button.parentElement.querySelector("[data-passkey-said]");
    const say = (text) => { if (place) { place.hidden = !text; place.textContent = text; } };
    say("");
    button.disabled = true;
    try { await ways[button.dataset.passkey](); } catch (error) { say(words(error)); } finally { button.disabled = false; }
  });
  document.addEventListener("htmx:afterSettle", () => begin());
  document.addEventListener("screen", () => begin());
  addEventListener("DOMContentLoaded", () => begin());
  if (document.readyState !== "loading") begin();
  return { begin };
})();
