"use strict";
/* Notifications in this browser: whether it can be told, and turning that on and off. The server keeps the place. */
(() => {
  const one = (id) => document.getElementById(id);
  const say = (words) => { const place = one("push-state"); if (place) place.textContent = words; };
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(text.length / 4) * 4, "=")), (letter) => letter.charCodeAt(0));
  const missing = () => {
    if (!window.isSecureContext) return "Notifications need https: over plain HTTP no browser takes them.";
    if (!navigator.serviceWorker || !window.PushManager) {
      const isApple = /iPhone|iPad/.test(navigator.userAgent);
      return isApple ? "On an iPhone or iPad, add Autopilot to the home screen first (Share, then Add to Home Screen), and open it from there." : "This browser takes no notifications.";
    }
    if (Notification.permission === "denied") return "Notifications of this page are blocked: allow them in the browser's settings of this page.";
    return "";
  };
  const registration = async () => (await navigator.serviceWorker.getRegistration()) ?? navigator.serviceWorker.ready;
  const digest = async (text) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const held = async () => (await registration())?.pushManager.getSubscription() ?? null;
  const show = async () => {
    const box = one("push");
    if (!box) return;
    const why = missing();
    if (why) return say(why);
    const subscription = await held();
    const isOn = subscription && box.dataset.known.split(" ").includes(await digest(subscription.endpoint));
    one("push-on").hidden = Boolean(isOn);
    one("push-off").hidden = !isOn;
    say(isOn ? "This browser is told." : "This browser is not told yet.");
  };
  const reload = async () => { if (one("push")) { await htmx.ajax("GET", "/settings", { target: "#screen", swap: "outerHTML" }); } };
  const turnOn = async () => {
    const box = one("push");
    if ((await Notification.requestPermission()) !== "granted") throw new Error("The browser was not allowed to show notifications.");
    const known = await held();
    if (known) await known.unsubscribe();
    const key = box.dataset.publicKey;
    const subscription = await (await registration()).pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    const { endpoint, keys } = subscription.toJSON();
    try {
      await Proof.post("/settings/notifications/subscribe", { endpoint, keys, public_key: key });
    } catch (error) { await subscription.unsubscribe(); throw error; }
    await reload();
  };
  const turnOff = async () => {
    const subscription = await held();
    const mine = subscription && document.querySelector(`[data-subscription="${await digest(subscription.endpoint)}"] form`);
    await subscription?.unsubscribe();
    if (mine) mine.requestSubmit(); else await show();
  };
  const tryIt = async () => say((await Proof.post("/settings/notifications/test")).words);
  const acts = { "push-on": turnOn, "push-off": turnOff, "push-test": tryIt };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("#push button");
    if (!button || button.disabled) return;
    button.disabled = true;
    try { await acts[button.id](); } catch (error) { say(error.message || "That did not work."); } finally { button.disabled = false; }
  });
  const begin = () => show().catch((error) => say(error.message));
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id === "screen" || event.detail.elt?.id === "screen") begin(); });
  document.addEventListener("screen", begin);
  begin();
})();
