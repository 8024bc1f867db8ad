// The activation map over the picture: colours, and the line around what counts.

const FINENESS = 10; // samples a map cell along each side

/** Bilinear samples of a map, cell centres aligned as image resizing does, values in [0, 1]. */
export function sampled(levels, [rows, columns]) {
  const height = rows * FINENESS;
  const width = columns * FINENESS;
  const ys = positions(height, rows);
  const xs = positions(width, columns);
  const values = new Float32Array(height * width);
  let at = 0;
  for (const [y0, y1, fy] of ys) {
    for (const [x0, x1, fx] of xs) {
      const top = levels[y0 * columns + x0] * (1 - fx) + levels[y0 * columns + x1] * fx;
      const bottom = levels[y1 * columns + x0] * (1 - fx) + levels[y1 * columns + x1] * fx;
      values[at++] = (top * (1 - fy) + bottom * fy) / 255;
    }
  }
  return { values, height, width };
}

function positions(fine, coarse) {
  return Array.from({ length: fine }, (_, index) => {
    const place = Math.min(Math.max((index + 0.5) / FINENESS - 0.5, 0), coarse - 1);
    const low = Math.floor(place);
    return [low, Math.min(low + 1, coarse - 1), place - low];
  });
}

/** Paint the samples into a small canvas that is then stretched over the picture. */
export function painted(canvas, { values, height, width }, palette, strength) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let at = 0; at < values.length; at++) {
    const colour = 3 * Math.round(255 * values[at]);
    image.data[4 * at] = palette[colour];
    image.data[4 * at + 1] = palette[colour + 1];
    image.data[4 * at + 2] = palette[colour + 2];
    image.data[4 * at + 3] = 255 * strength * Math.sqrt(values[at]);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * The line around the samples above a threshold (marching squares), in samples.
 * Each square of four samples gives the segments between the sides that the line crosses.
 */
export function outline({ values, height, width }, threshold) {
  const path = new Path2D();
  const cross = (a, b) => (threshold - a) / (b - a);
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0; x < width - 1; x++) {
      const [a, b] = [values[y * width + x], values[y * width + x + 1]];
      const [d, c] = [values[(y + 1) * width + x], values[(y + 1) * width + x + 1]];
      const points = [];
      if (a > threshold !== b > threshold) points.push([x + cross(a, b), y]);
      if (b > threshold !== c > threshold) points.push([x + 1, y + cross(b, c)]);
      if (d > threshold !== c > threshold) points.push([x + cross(d, c), y + 1]);
      if (a > threshold !== d > threshold) points.push([x, y + cross(a, d)]);
      for (let at = 0; at + 1 < points.length; at += 2) {
        path.moveTo(points[at][0] + 0.5, points[at][1] + 0.5);
        path.lineTo(points[at + 1][0] + 0.5, points[at + 1][1] + 0.5);
      }
    }
  }
  return path;
}
