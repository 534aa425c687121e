/* Boomerang's push subscription: docs/channels/webpush.md. Apache-2.0 */
(() => {
  "use strict";
  const KEY = ""; // the collector's setting
  const DAY_MS = 864e5, STAMP = "boomerang.push";
  const script = document.currentScript || document.querySelector("script[src*='boomerang-push.js']");
  const option = (name) => script.getAttribute("data-" + name);
  const writeKey = option("key"), worker = option("worker") || "/boomerang-sw.js";
  const address = script.src.replace(/\/[^/]*$/, "/v1/track");
  const possible = () => Boolean(KEY && writeKey && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window);
  const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const remember = (value) => { try { localStorage.setItem(STAMP, value); } catch (error) { /* told again on the next page */ } };
  const remembered = () => { try { return localStorage.getItem(STAMP) || ""; } catch (error) { return ""; } };

  const tell = async (event, properties) => {
    const tracker = window.boomerang, who = tracker && tracker.user && tracker.user();
    const anonymousId = who && who.anonymousId();
    if (!anonymousId) return false;
    const body = {writeKey, type: "track", event, anonymousId, properties, messageId: "push-" + random(), timestamp: new Date()};
    const answer = await fetch(address, {method: "POST", body: JSON.stringify(body), keepalive: true, credentials: "omit"});
    return answer.ok;
  };
  const report = async (subscription) => {
    const stamp = subscription.endpoint + " " + Math.floor(Date.now() / DAY_MS); // once a day, so that it is known to live
    if (remembered() === stamp) return true;
    const told = await tell("Push Subscribed", {subscription});
    if (told) remember(stamp);
    return told;
  };
  const current = async () => {
    const registration = await navigator.serviceWorker.getRegistration(worker);
    return registration ? registration.pushManager.getSubscription() : null;
  };
  const guarded = (work, otherwise) => async () => {
    try { return possible() ? await work() : otherwise; } catch (error) { return otherwise; }
  };

  window.boomerangPush = {
    possible,
    permission: () => possible() ? Notification.permission : "denied",
    // To be called when the visitor presses a button: browsers ask for nothing else. Answers whether the browser is subscribed.
    subscribe: guarded(async () => {
      if (await Notification.requestPermission() !== "granted") return false;
      await navigator.serviceWorker.register(worker);
      const registration = await navigator.serviceWorker.ready;
      const old = await registration.pushManager.getSubscription();
      const made = old || await registration.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: bytes(KEY)});
      return report(made.toJSON());
    }, false),
    unsubscribe: guarded(async () => {
      const subscription = await current();
      if (!subscription) return true;
      await tell("Push Unsubscribed", {endpoint: subscription.endpoint});
      remember("");
      return subscription.unsubscribe();
    }, false),
    // For the shop's server, which vouches for a customer who has logged in.
    subscription: guarded(async () => {
      const subscription = await current();
      return subscription ? subscription.toJSON() : null;
    }, null),
  };
  const again = guarded(async () => {
    const subscription = Notification.permission === "granted" && await current();
    return subscription ? report(subscription.toJSON()) : false;
  }, false);
  if (document.readyState === "complete") again(); else addEventListener("load", again);
})();
