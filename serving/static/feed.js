// The live feed: one EventSource that is reopened for as long as the page is open.

const SILENCE_MS = 20_000; // the server sends a picture every second: this much silence is a dead connection
const REOPEN_MS = 2_000;

export function openFeed({ onPicture, onConnection }) {
  let source = null;
  let heard = Date.now();

  function open() {
    source?.close();
    heard = Date.now();
    source = new EventSource("/v1/live");
    source.addEventListener("picture", (event) => {
      heard = Date.now();
      onConnection(true);
      onPicture(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      onConnection(false);
      // the browser retries by itself unless the answer was no event stream
      if (source.readyState === EventSource.CLOSED) setTimeout(open, REOPEN_MS);
    });
  }

  open();
  setInterval(() => {
    if (Date.now() - heard < SILENCE_MS) return;
    onConnection(false);
    open();
  }, REOPEN_MS);
}
