import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";
import type { Browser } from "playwright-core";

/** The same picture, opaque, in a quarter less: a browser writes it to be quick. */
export async function smallerPng(browser: Browser, png: Uint8Array): Promise<Uint8Array> {
  const page = await browser.newPage();
  const [width, height, base64] = await page.evaluate<[number, number, string]>(`(async () => {
    const picture = await fetch("data:image/png;base64,${Buffer.from(png).toString("base64")}");
    const bitmap = await createImageBitmap(await picture.blob());
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return [width, height, new Uint8Array(context.getImageData(0, 0, width, height).data.buffer).toBase64()];
  })()`);
  await page.close();
  const pixels = Buffer.from(base64, "base64");
  // Each row: no filter, and the three colours of each pixel.
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0, to = 0; y < height; y++) {
    to++;
    for (let x = 0; x < width; x++, to += 3) {
      pixels.copy(rows, to, 4 * (y * width + x), 4 * (y * width + x) + 3);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
