// Before the page's own scripts: every label that is drawn on a canvas, with its box there. A canvas that is cleared begins anew.
(() => {
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  window.drawn = new Map();
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    window.drawn.set(this.canvas, []);
    return clearRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (words, x, y, ...rest) {
    const size = this.measureText(words), { e, f } = this.getTransform();
    const box = [x + e - size.actualBoundingBoxLeft, y + f - size.actualBoundingBoxAscent, x + e + size.actualBoundingBoxRight, y + f + size.actualBoundingBoxDescent];
    if (!window.drawn.has(this.canvas)) window.drawn.set(this.canvas, []);
    window.drawn.get(this.canvas).push([words, box]);
    return fillText.call(this, words, x, y, ...rest);
  };
})()
