// Before anything is drawn: the theme that was chosen here before. Without a choice, the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("clickstream.theme");
  } catch {
    // storage may be forbidden
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
