/* Counts visits and purchases of the shop that this page belongs to. No cookie; two random numbers in localStorage.
   Nothing is stored or sent while Do Not Track or Global Privacy Control is on. Of the address only the path and the
   campaign's parameters leave the page.
     collect("view_item")  collect("add_to_cart")  collect("checkout")
     collect("purchase", {order: "1001", value: 59.90, currency: "EUR"}) */
(function (w, d, n) {
  var tag = d.currentScript, early = (w.collect || {}).q || [], idle = 18e5, place = "collect";
  var no = n.doNotTrack == "1" || w.doNotTrack == "1" || n.globalPrivacyControl;
  var marks = location.search.slice(1).split("&").filter(function (part) {
    return /^(utm_\w+|gclid|gbraid|wbraid|dclid|fbclid)=/.test(part);
  }).map(function (part) { return part.slice(0, 200); }).join("&");

  function who() {
    var now = Date.now(), me = {};
    try { me = JSON.parse(localStorage.getItem(place)) || {}; } catch (_) { /* unreadable: begin anew */ }
    if (!me.v) me.v = crypto.getRandomValues(new Uint32Array(3)).join("-");
    if (!(now - me.t < idle) || (marks && marks != me.m)) { me.s = now.toString(36); me.m = marks; }
    me.t = now;
    localStorage.setItem(place, JSON.stringify(me));
    return me;
  }

  function send(event, more) {
    if (no || !tag) return;
    try {
      var me = who(), sold = more || {};
      n.sendBeacon(new URL(place, tag.src), JSON.stringify({
        k: tag.dataset.shop, e: event, v: me.v, s: me.s, p: location.pathname, q: marks, r: d.referrer.split("?")[0],
        o: sold.order, a: sold.value, c: sold.currency
      }));
    } catch (_) { /* no storage: visits could not be told apart */ }
  }

  w.collect = send;
  send(tag && tag.dataset.event || "pageview");
  early.forEach(function (args) { send.apply(null, args); });
})(window, document, navigator);
