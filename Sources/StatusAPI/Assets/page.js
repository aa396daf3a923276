// Keeps the page fresh: fetches it again every two seconds and changes what has changed, so that focus, selection and
// scroll position stay. Says so when what stands there is old.
"use strict";

const interval = 2000;
const patience = 5000;
const stale = document.getElementById("stale");
let freshAt = new Date();
let waiting = null;

function change(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
        old.replaceWith(fresh.cloneNode(true));
        return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
        if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
        return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((node, index) => {
        if (index < before.length) change(before[index], node);
        else old.append(node.cloneNode(true));
    });
    before.slice(after.length).forEach((node) => node.remove());
}

function showStale(why) {
    const seconds = Math.round((Date.now() - freshAt) / 1000);
    stale.textContent = `${why} What stands here is ${seconds} s old.`;
    stale.hidden = false;
    document.body.classList.add("is-stale");
}

function showFresh() {
    freshAt = new Date();
    stale.hidden = true;
    document.body.classList.remove("is-stale");
}

async function refresh() {
    waiting = null;
    try {
        const answer = await fetch(location.href, {
            headers: { Accept: "text/html" },
            signal: AbortSignal.timeout(patience),
        });
        if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) {
            throw new Error(`The service answered ${answer.status}.`);
        }
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.title = fresh.title;
        change(document.getElementById("main"), fresh.getElementById("main"));
        showFresh();
    } catch (error) {
        showStale(error instanceof TypeError || error.name === "TimeoutError" ? "The service does not answer." : error.message);
    }
    if (!document.hidden) waiting = setTimeout(refresh, interval);
}

document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(waiting);
    else refresh();
});
waiting = setTimeout(refresh, interval);
