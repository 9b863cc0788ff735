// The stream of a page: what changes in the log, as long as the page can be seen.

/**
 * @typedef {object} Handlers
 * @property {Record<string, (data: any, id: string) => void>} events What to do with each event.
 * @property {(status: string) => void} status Called with what the reader should know.
 */

/**
 * Open the stream, and close it while the page is hidden: a browser has only six connections to a
 * host, and one that is not looked at needs none.
 *
 * @param {() => string} url The URL of the stream from what the page shows on.
 * @param {Handlers} handlers
 * @returns {() => void} Closes the stream for good.
 */
export function follow(url, handlers) {
  /** @type {EventSource | null} */
  let source = null;
  let over = false;

  function close() {
    source?.close();
    source = null;
  }

  function end(/** @type {string} */ status) {
    over = true;
    close();
    handlers.status(status);
  }

  function open() {
    if (over || source !== null || document.visibilityState === "hidden") return;
    const opened = new EventSource(url());
    source = opened;
    opened.onopen = () => handlers.status("live");
    opened.onerror = () => {
      if (opened.readyState === EventSource.CLOSED) end("not live: reload the page");
      else handlers.status("not live: no connection");
    };
    opened.addEventListener("ok", () => handlers.status("live"));
    opened.addEventListener("problem", (event) => handlers.status(`not live: ${sentence(event)}`));
    opened.addEventListener("over", () => end("not live: the server has ended"));
    opened.addEventListener("gone", (event) => end(sentence(event)));
    for (const [name, handle] of Object.entries(handlers.events)) {
      opened.addEventListener(name, (event) => handle(JSON.parse(event.data), event.lastEventId));
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden") return open();
    close();
    if (!over) handlers.status("not live");
  });
  // A page that is kept for the button "back" must hold no connection.
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
  return () => end("");
}

/** @param {MessageEvent} event */
function sentence(event) {
  const { message, hint } = JSON.parse(event.data);
  return hint ? `${message}. ${hint}` : message;
}
