/** Colour ranges of text without changing the document. */

/** Colour `ranges` as ::highlight(name); none removes the colour. */
export function paint(name, ranges) {
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

export function rangeOf(node) {
  const range = new Range();
  range.selectNodeContents(node);
  return range;
}

/** Ranges of the text positions [[start, end], …], ascending, inside `root`. */
export function rangesAt(root, places) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  let before = 0;
  const seek = (place, atEnd) => {
    while (node && (atEnd ? place > before + node.length : place >= before + node.length)) {
      before += node.length;
      node = walker.nextNode();
    }
    return [node, place - before];
  };
  return places.map(([start, end]) => {
    const range = new Range();
    range.setStart(...seek(start, false));
    range.setEnd(...seek(end, true));
    return range;
  });
}
