// The live feed: one EventSource that is reopened for as long as the page is open.

const SILENCE_MS = 20_000; // the server sends a picture every half second: this much silence is a dead connection
const REOPEN_MS = 2_000;

// `address` says where to listen; `reopen` goes there again after it has changed.
export function openFeed({ address, onPicture, onConnection }) {
  let source = null;
  let heard = Date.now();

  function open() {
    source?.close();
    heard = Date.now();
    const opened = (source = new EventSource(address()));
    opened.addEventListener("picture", (event) => {
      if (opened !== source) return;
      heard = Date.now();
      onConnection(true);
      onPicture(JSON.parse(event.data));
    });
    opened.addEventListener("error", () => {
      if (opened !== source) return;
      onConnection(false);
      // the browser retries by itself unless the answer was no event stream
      if (opened.readyState === EventSource.CLOSED) setTimeout(open, REOPEN_MS);
    });
  }

  open();
  setInterval(() => {
    if (Date.now() - heard < SILENCE_MS) return;
    onConnection(false);
    open();
  }, REOPEN_MS);
  return { reopen: open };
}
