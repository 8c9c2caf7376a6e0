// What of a page's text is cut, covered or beyond its edge.
() => {
  const found = [], boxes = [];
  const meet = (a, b) => Math.min(a[2], b[2]) - Math.max(a[0], b[0]) > 1 && Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 4;
  for (const [canvas, labels] of window.drawn ?? []) {
    if (!canvas.isConnected || !canvas.checkVisibility()) continue;
    for (const [words, [left, top, right, bottom]] of labels)
      if (left < -0.5 || top < -0.5 || right > canvas.width + 0.5 || bottom > canvas.height + 0.5) found.push(`cut on its chart: ${words}`);
    labels.forEach(([words, box], n) => labels.slice(n + 1).forEach(([other, its]) => meet(box, its) && found.push(`covered on its chart: ${words} by ${other}`)));
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement: holder } = texts.currentNode;
    const isForReadersAloud = (each) => each && (getComputedStyle(each).clipPath === "inset(50%)" || isForReadersAloud(each.parentElement));
    if (!data.trim() || isForReadersAloud(holder) || !holder.checkVisibility() || holder.closest(".unseen, .skip, .tip, script, noscript, option")) continue;
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    for (const { left, top, right, bottom, width } of range.getClientRects()) {
      if (!width) continue;
      let [x1, y1, x2, y2] = [left, top, right, bottom], scrolled = false;
      for (let each = holder; each !== document.documentElement; each = each.parentElement) {
        const style = getComputedStyle(each), edge = each.getBoundingClientRect();
        if (["auto", "scroll"].includes(style.overflowX) || ["auto", "scroll"].includes(style.overflowY)) scrolled = true;
        if (style.overflowX === "visible" || scrolled) {
          if (!scrolled) continue;
        } else if (style.textOverflow !== "ellipsis" && (x2 > edge.right + 1 || x1 < edge.left - 1)) found.push(`cut: ${data.trim()}`);
        [x1, y1, x2, y2] = [Math.max(x1, edge.left), Math.max(y1, edge.top), Math.min(x2, edge.right), Math.min(y2, edge.bottom)];
      }
      if (!scrolled && (x2 > innerWidth + 1 || x1 < -1)) found.push(`beyond the page: ${data.trim()}`);
      if (x2 > x1 && y2 > y1) boxes.push([[x1, y1, x2, y2], data.trim(), holder]);
    }
  }
  boxes.forEach(([box, words, holder], n) => boxes.slice(n + 1).forEach(([its, other, another]) => {
    if (meet(box, its) && holder !== another && !holder.contains(another) && !another.contains(holder)) found.push(`covered: ${words} by ${other}`);
  }));
  return [...new Set(found)];
}
