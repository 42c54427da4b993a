// Resamples pixels (RGBA, 8 bits) to another size: lanczos3 where an axis shrinks, cubic where it grows, aligned by centres.

const lanczos3 = (x) => (x === 0 ? 1 : Math.abs(x) >= 3 ? 0 : (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2);
const cubic = (distance) => {
  const x = Math.abs(distance); // Catmull-Rom
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
};

// Returns a picture {data, width, height}. Colours and opacity are filtered by themselves.
export function resample(picture, width, height) {
  const [rows, columns] = [weights(picture.height, height), weights(picture.width, width)];
  const data = new Uint8ClampedArray(4 * width * height);
  const line = new Float32Array(4 * picture.width);
  rows.forEach(({ pixels, shares }, row) => {
    line.fill(0);
    pixels.forEach((pixel, n) => {
      const from = 4 * pixel * picture.width;
      for (let k = 0; k < line.length; k++) line[k] += shares[n] * picture.data[from + k];
    });
    columns.forEach((column, place) => {
      for (let k = 0; k < 4; k++) {
        let sum = 0;
        for (let n = 0; n < column.pixels.length; n++) sum += column.shares[n] * line[4 * column.pixels[n] + k];
        data[4 * (row * width + place) + k] = sum;
      }
    });
  });
  return { data, width, height };
}

// Returns the pixels that each pixel of the result is made of, and their shares.
function weights(length, result) {
  const step = length / result;
  const [kernel, reach, stretch] = step > 1 ? [lanczos3, 3 * step, step] : [cubic, 2, 1];
  return Array.from({ length: result }, (_, place) => {
    const center = (place + 0.5) * step - 0.5;
    const pixels = [], shares = [];
    for (let pixel = Math.ceil(center - reach); pixel <= center + reach; pixel++) {
      pixels.push(Math.min(Math.max(pixel, 0), length - 1));
      shares.push(kernel((pixel - center) / stretch));
    }
    const sum = shares.reduce((total, share) => total + share, 0);
    return { pixels, shares: shares.map((share) => share / sum) };
  });
}
