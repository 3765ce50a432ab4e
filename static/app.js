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

/* After a successful send the box is empty and the view is at the end (0 in a column-reverse scroller). */
document.addEventListener("htmx:after:request", ({ target, detail }) => {
  if (!target.matches(".composer") || detail.ctx.response.status >= 300) return;
  for (const box of target.querySelectorAll("textarea")) box.value = "";
  document.querySelector(".transcript")?.scrollTo(0, 0);
});

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

/* --- Copy: data-copy names what to copy, or is empty for the code beside the button. */
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button || button.hasAttribute("data-copied")) return;
  const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : button.closest(".code").querySelector("pre");
  if (navigator.clipboard) await navigator.clipboard.writeText(source.value ?? source.textContent.replace(/\n$/, ""));
  else { source.select ? source.select() : getSelection().selectAllChildren(source); document.execCommand("copy"); }
  const label = button.lastChild, was = label.textContent;
  label.textContent = "Copied";
  button.setAttribute("data-copied", "");
  setTimeout(() => { label.textContent = was; button.removeAttribute("data-copied"); }, 2000);
});
document.addEventListener("focusin", ({ target }) => target.matches("[data-select]") && target.select());
