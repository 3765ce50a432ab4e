/* What HTML cannot do. No state of the application, no URL, no HTML; without this file every form still works.
   Loaded after htmx and hx-sse at the end of <body>, never with defer or async: htmx would start by a timer before the
   extensions are there. The htmx-config meta allows them by name: "sse, grow". */
"use strict";

/* --- hx-swap="grow": become this inside, but append to text that only got longer, so that a selection in it survives.
       The rest is htmx's morph. A <details> stays as the reader left it, in every morph. */
let morph;
htmx.registerExtension("grow", {
  init: (api) => { morph = api.morph; },
  handle_swap: (style, target, fragment) => {
    if (style !== "grow") return false;
    lengthen(target, fragment);
    morph(target, fragment, true);
    return target.closest("[hx-ignore]") ? [] : [...target.childNodes];
  },
  htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.localName === "details"),
});

function lengthen(old, fresh) {
  for (let a = old.firstChild, b = fresh.firstChild; a && b; a = a.nextSibling, b = b.nextSibling) {
    if (a.nodeName !== b.nodeName || a.id !== b.id) return;
    if (a.nodeType !== Node.TEXT_NODE) lengthen(a, b);
    else if (!b.data.startsWith(a.data)) return;
    else if (b.length > a.length) a.appendData(b.data.slice(a.length));
  }
}

/* --- The composer: Enter sends, Shift+Enter makes a line, and an input method's Enter only ends its composition.
       On a touch keyboard Enter makes a line. In the model panel Enter closes it; it must not send the form. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || event.keyCode === 229 || event.shiftKey) return;
  const field = event.target, panel = field.closest(".composer [popover]");
  if (panel && field.localName === "input") {
    event.preventDefault();
    if (field.type === "radio") panel.hidePopover();
  } else if (field.matches(".composer textarea") && matchMedia("(pointer: fine)").matches) {
    event.preventDefault();
    const send = field.form.querySelector("button.send:enabled");
    if (send && field.value.trim()) field.form.requestSubmit(send);
  }
});

/* After a successful send the box is empty and the view is at the end (0 in a column-reverse scroller). Every form that
   asks, a suggestion's too, leaves the focus in the box. */
document.addEventListener("htmx:after:request", ({ target, detail }) => {
  if (detail.ctx.response.status >= 300 || !target.matches?.("form[hx-target='#turns']")) return;
  const box = document.querySelector(".composer textarea");
  if (target.matches(".composer")) forget(box);
  else if (matchMedia("(pointer: fine)").matches) box?.focus();
  document.querySelector(".transcript")?.scrollTo(0, 0);
});

/* --- What is being written is kept in this tab until it was sent: over a reload, a lost network, an expired sign-in.
       data-draft says whose it is, the form in which chat; signing out (data-forget) throws all of it away. A question
       that a link prepares replaces nothing: it is put after what was being written, once. */
const draft = (box) => `draft ${box.dataset.draft} ${box.form.elements.session_id?.value}`;
const prepared = (box) => `${box.form.elements.context?.value} ${box.defaultValue}`;
const recall = (box) => {
  const [kept, over] = JSON.parse(sessionStorage.getItem(draft(box)) ?? "[]"), given = box.defaultValue;
  if (kept) box.value = over === prepared(box) || kept.includes(given) ? kept : `${kept.trimEnd()}\n\n${given}`;
};
const forget = (box) => { box.value = ""; sessionStorage.removeItem(draft(box)); };
document.addEventListener("input", ({ target: box }) => {
  if (box.matches("[data-draft]")) sessionStorage.setItem(draft(box), JSON.stringify([box.value, prepared(box)]));
});
document.addEventListener("submit", ({ target }) => target.matches("[data-forget]") && sessionStorage.clear());

/* --- What has just come into the page, at its start and in every fragment: times in the reader's zone and language,
       drafts, and the list of chats where it was, the one that is shown in view. */
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const reveal = (root) => root.querySelector(".sessions [aria-current], .model :checked")?.parentElement.scrollIntoView({ block: "nearest" });
let scrolled = 0;
document.addEventListener("scroll", ({ target }) => { if (target.matches?.(".sessions")) scrolled = target.scrollTop; }, true);
document.addEventListener("htmx:after:process", ({ target }) => {
  for (const time of target.querySelectorAll("time[datetime]")) time.textContent = clock.format(new Date(time.dateTime));
  target.querySelectorAll("[data-draft]").forEach(recall);
  const list = target.querySelector(".sessions");
  if (!list) return;
  list.scrollTop = scrolled;
  reveal(target);
});

/* --- Focus that a swap took away goes to the first control of what is left around it; failing that, to where the page
       has it first. */
const CONTROLS = "a[href], button:enabled, input:enabled, select, textarea:enabled, summary, [tabindex]";
let around = [];
document.addEventListener("htmx:before:swap", () => {
  around = [];
  for (let e = document.activeElement; e?.closest("main, .drawer"); e = e.parentElement) around.push(e.id);
});
document.addEventListener("htmx:after:swap", () => {
  if (!around.length || document.activeElement !== document.body) return;
  const left = around.map((id) => id && id !== "main" && document.getElementById(id)).find(Boolean);
  const near = [...left?.querySelectorAll(CONTROLS) ?? []].find((e) => e.checkVisibility());
  (near ?? document.querySelector("main [autofocus]"))?.focus({ preventScroll: true });
});

/* --- The network: a request that got no answer says so, and so does an answer that comes to a halt. */
const show = (id, place) => place?.append(document.getElementById(id)?.content.cloneNode(true) ?? "");
const hide = (id, place = document) => place.querySelector(`[data-from="${id}"]`)?.remove();
const answer = ({ target }) => target.matches?.("[hx-sse\\:connect]") && target.closest(".turn")?.querySelector(".answer");
const halt = (event) => {
  const place = answer(event);
  if (place && !place.querySelector("[data-from=reconnecting]")) show("reconnecting", place);
};
const goOn = (event) => hide("reconnecting", answer(event) || undefined);
document.addEventListener("htmx:error", (event) => {
  if (!event.detail.ctx || event.detail.ctx.response) return;
  halt(event);
  if (answer(event)) return;
  hide("unreachable");
  show("unreachable", document.getElementById(event.target.closest?.(".drawer") ? "drawer-notice" : "notice"));
});
document.addEventListener("htmx:after:request", () => hide("unreachable"));
document.addEventListener("htmx:sse:error", halt);
document.addEventListener("htmx:sse:after:connection", goOn);
document.addEventListener("htmx:sse:close", goOn);

/* --- One submit at a time. A form that navigates is freed when the page comes back, or after five seconds. */
const free = (form) => form?.removeAttribute("data-sending");
document.addEventListener("submit", (event) => {
  if (!event.target.hasAttribute("data-sending")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  event.target.setAttribute("data-sending", "");
  setTimeout(free, 5000, event.target);
});
document.addEventListener("htmx:before:request", ({ target }) => target.localName === "form" && target.setAttribute("data-sending", ""));
document.addEventListener("htmx:finally:request", ({ target }) => target.localName === "form" && free(target));
addEventListener("pageshow", () => document.querySelectorAll("[data-sending]").forEach(free));

/* --- Popovers. In a menu the arrow keys, Home and End go from item to item, and one that the keyboard opened begins with
       its first. In the model panel arrow down goes from the search to the list, and a click (not an arrow key, which
       clicks too, but no times) closes it. Escape presses what a form marks with data-escape. */
const items = (menu) => [...menu.querySelectorAll("[role^=menuitem]")];
document.addEventListener("toggle", ({ target, newState }) => {
  if (newState !== "open" || !target.matches("[popover]")) return;
  if (target.matches("[role=menu]") && document.activeElement.matches(":focus-visible")) items(target)[0]?.focus();
  reveal(target);
}, true);
document.addEventListener("keydown", (event) => {
  const { target, key } = event, menu = target.closest("[role=menu]"), all = menu ? items(menu) : [];
  const leave = key === "Escape" && target.closest("form")?.querySelector("[data-escape]");
  const at = all.indexOf(target), to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
  let next;
  if (all.length && to !== undefined) next = all.at(to % all.length);
  else if (key === "ArrowDown" && target.matches(".picker-search input")) next = target.closest("[popover]").querySelector("[type=radio]");
  if (next || leave) event.preventDefault();
  if (leave) leave.click();
  else next?.focus();
});
document.addEventListener("click", ({ target, detail }) => detail && target.matches(".model input") && target.closest("[popover]").hidePopover());

/* --- The drawer stands outside <main>, so that what is in it stays from page to page. What it shows, and whether it is
       open, is kept in this tab, for who and where data-whose says: a page that is loaded whole has it as it was, but for a
       phone, where it would hide the page. data-home is what a new conversation is at, data-place what is shown. */
const drawer = document.getElementById("drawer");
const box = () => document.querySelector(".composer textarea:enabled");
const into = ({ detail }) => drawer && detail.ctx.target?.id === "drawer-body";
let filling = 0, opener;
const kept = (...of) => [drawer.dataset.whose, "drawer", ...of].join(" ");
const keep = () => {
  const { home, place } = drawer.querySelector("[data-place]")?.dataset ?? {};
  if (home) sessionStorage.setItem(kept(home), place);
  if (home && drawer.matches(":popover-open")) sessionStorage.setItem(kept(), home);
  else sessionStorage.removeItem(kept());
};
const fill = (place) => htmx.ajax("GET", place, { source: drawer, target: "#drawer-body", swap: "outerHTML" });
const settle = () => {
  if (!drawer.hasAttribute("data-still")) (box() ?? drawer.querySelector("button")).focus();
  drawer.removeAttribute("data-still");
  keep();
};
drawer?.addEventListener("beforetoggle", ({ newState }) => {
  if (newState === "open") opener = document.activeElement;
  else if (drawer.contains(document.activeElement)) {
    const left = [opener, ...document.querySelectorAll("[popovertarget=drawer]")];
    left.find((e) => e?.isConnected && e !== document.body && !drawer.contains(e) && e.checkVisibility())?.focus();
  }
});
drawer?.addEventListener("toggle", ({ target, newState }) => {
  if (target !== drawer || filling) return;
  if (newState !== "open") return keep();
  const home = drawer.hasAttribute("data-still") ? sessionStorage.getItem(kept()) : document.querySelector("main")?.dataset.drawer;
  if (drawer.querySelector("[data-place]")?.dataset.home === home) settle();
  else fill(sessionStorage.getItem(kept(home)) ?? home);
});
document.addEventListener("htmx:before:request", (event) => {
  if (!into(event)) return;
  filling += 1;
  if (!drawer.matches(":popover-open")) drawer.showPopover();
});
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail, home = document.querySelector("main")?.dataset.drawer;
  if (!into(event) || ctx.response.status !== 404 || ctx.request.action === home) return;
  event.preventDefault();
  fill(home);
});
document.addEventListener("htmx:finally:request", (event) => { if (into(event)) filling -= 1; });
document.addEventListener("htmx:after:swap", (event) => {
  if (into(event)) settle();
  else if (event.target.closest?.(".drawer")) keep();
});
document.addEventListener("keydown", (event) => {
  if ((event.metaKey || event.ctrlKey) && !event.shiftKey && !event.altKey && event.key === "j" && (drawer ?? box())) {
    event.preventDefault();
    if (drawer) drawer.togglePopover();
    else box().focus();
  } else if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing && drawer?.matches(":popover-open")) {
    const at = document.activeElement, another = document.querySelector(":popover-open:not(.drawer)");
    if (!another && (at === document.body || drawer.contains(at))) drawer.hidePopover();
  }
});
if (drawer && sessionStorage.getItem(kept()) && matchMedia("(width > 800px)").matches) {
  drawer.setAttribute("data-still", "");
  drawer.showPopover();
}

/* --- A term shows what it means when it is pointed at or reached by the keyboard, too; a click does so without this. */
const told = (node) => document.getElementById(node?.closest?.(".term")?.getAttribute("aria-describedby"));
const tell = ({ target }) => told(target)?.showPopover({ source: target });
const hush = ({ target, relatedTarget: next }) => {
  const open = told(target) ?? target.closest?.(".definition");
  if (open && told(next) !== open && !open.contains(next)) open.hidePopover();
};
document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && tell(event));
document.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && tell(event));
document.addEventListener("pointerout", hush);
document.addEventListener("focusout", hush);

/* --- Copy: data-copy names what to copy, or is empty for the code beside the button. What stands in `.md` is copied as it
   is read, tables with tabs, without the heads of its code. */
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button || button.hasAttribute("data-copied")) return;
  const sources = button.dataset.copy ? document.querySelectorAll(button.dataset.copy) : [button.closest(".code").querySelector("pre")];
  const text = [...sources].map(read).join("\n\n");
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyBeside(button, text);
  const label = button.lastChild, was = label.textContent;
  label.textContent = "Copied";
  button.setAttribute("data-copied", "");
  setTimeout(() => { label.textContent = was; button.removeAttribute("data-copied"); }, 2000);
});
const read = (source) => {
  if (!source.matches(".md")) return source.value ?? source.textContent.replace(/\n$/, "");
  const heads = source.querySelectorAll(".code-head");
  heads.forEach((head) => (head.hidden = true)); // innerText leaves out what is not shown
  const text = source.innerText.trim();
  heads.forEach((head) => (head.hidden = false));
  return text;
};
const copyBeside = (button, text) => { // over plain http there is no clipboard
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "sr-only" });
  button.after(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  button.focus();
};
document.addEventListener("focusin", ({ target }) => target.matches("[data-select]") && target.select());

/* --- Clocks: data-until is the moment one counts down to, data-since (seconds) the one it counts from. */
setInterval(() => {
  for (const count of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Date.parse(count.dataset.until) - Date.now()) / 1000);
    count.textContent = left > 90 ? `${Math.ceil(left / 60)} min` : `${Math.max(left, 0)} s`;
  }
  for (const timer of document.querySelectorAll("[data-since]")) {
    timer.textContent = `${Math.max(0, Math.round(Date.now() / 1000 - timer.dataset.since))} s`;
  }
}, 1000);
