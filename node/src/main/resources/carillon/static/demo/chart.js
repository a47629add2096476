// Two small charts in SVG. Each draws itself anew when its data or its width change; what it shows is said in its label.

const SVG = 'http://www.w3.org/2000/svg';
const LEFT = 30;    // for the scale
const BOTTOM = 18;  // for the times
const TOP = 6;

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The end of a scale from 0 that has room for a value and whole numbers at its half. */
export function top(value) {
  if (value <= 2) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  return [2, 4, 6, 8, 10, 20].map((step) => step * power).find((end) => end >= value && end % 2 === 0);
}

function frame(svg, end, minutes, now) {
  const width = svg.clientWidth || 300;
  const height = svg.clientHeight || 176;
  const x = (ago) => LEFT + (width - LEFT) * (1 - ago / minutes);
  const y = (value) => TOP + (height - TOP - BOTTOM) * (1 - value / end);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.replaceChildren();
  for (const value of [0, end / 2, end]) {
    svg.append(shape('line', { class: 'grid', x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
      shape('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, value));
  }
  for (let ago = 0; ago < minutes; ago += minutes / 3) {
    const time = new Date(now - ago * 60_000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    svg.append(shape('text', { x: x(ago), y: height - 4, 'text-anchor': ago ? 'middle' : 'end' }, time));
  }
  return { x, y };
}

/** Bars of a minute each, the last at the right: `{fresh, again}`, one upon the other. */
export function bars(svg, values, now) {
  const { x, y } = frame(svg, top(Math.max(...values.map(({ fresh, again }) => fresh + again))), values.length, now);
  const width = Math.max(1, (x(0) - x(1)) * 0.72);
  values.forEach(({ fresh, again }, i) => {
    const left = x(values.length - i) + (x(0) - x(1) - width) / 2;
    for (const [name, from, to] of [['fresh', 0, fresh], ['again', fresh, fresh + again]]) {
      if (to > from) svg.append(shape('rect', { class: name, x: left, y: y(to), width, height: y(from) - y(to), rx: 1.5 }));
    }
  });
}

/** As many minutes as it takes to show what there is, in thirds of whole minutes. */
export function span(since, now, least, most) {
  return Math.min(most, Math.max(least, 3 * Math.ceil((now - since) / 180_000)));
}

/** A stepped line over the last minutes: `{time, value}`, oldest first; the last value holds until now. */
export function steps(svg, values, minutes, now) {
  const { x, y } = frame(svg, top(Math.max(0, ...values.map(({ value }) => value))), minutes, now);
  if (!values.length) return;
  const at = (time) => x(Math.min(minutes, Math.max(0, (now - time) / 60_000)));
  let line = `M${at(values[0].time)} ${y(values[0].value)}`;
  for (const { time, value } of values.slice(1)) line += `H${at(time)}V${y(value)}`;
  line += `H${x(0)}`;
  svg.append(shape('path', { class: 'area', d: `${line}V${y(0)}H${at(values[0].time)}Z` }), shape('path', { class: 'line', d: line }));
}
