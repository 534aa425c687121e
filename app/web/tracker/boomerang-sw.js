/* Boomerang's service worker: shows notifications, says that they arrived. docs/channels/webpush.md. Apache-2.0 */
(() => {
  "use strict";
  const isPage = (text) => typeof text === "string" && /^https?:\/\//.test(text);
  const read = (event) => { try { return event.data.json() || {}; } catch (error) { return {}; } };
  const tell = (receipt, outcome) => isPage(receipt)
    ? fetch(receipt, {method: "POST", body: JSON.stringify({outcome, at: new Date()}), mode: "no-cors", credentials: "omit"}).catch(() => {})
    : Promise.resolve();

  self.addEventListener("push", (event) => {
    const {title, body, url, tag, receipt} = read(event);
    if (!title) return;
    const shown = self.registration.showNotification(title, {body: body || "", tag: tag || "boomerang", data: {url, receipt}});
    event.waitUntil(shown.then(() => tell(receipt, "delivered")));
  });

  self.addEventListener("notificationclick", (event) => {
    const {url, receipt} = event.notification.data || {};
    event.notification.close();
    event.waitUntil(Promise.all([tell(receipt, "clicked"), isPage(url) ? self.clients.openWindow(url) : null]));
  });
})();
