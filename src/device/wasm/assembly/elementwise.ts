// Fill, copy and add over flat arrays. Items are elements of four bytes.

export function fill(out: usize, value: f32, begin: i32, end: i32, _thread: i32): void {
  const values = f32x4.splat(value);
  let at = out + ((<usize>begin) << 2);
  const last = out + ((<usize>end) << 2);
  while (at + 16 <= last) {
    v128.store(at, values);
    at += 16;
  }
  while (at < last) {
    store<f32>(at, value);
    at += 4;
  }
}

export function copy(source: usize, out: usize, begin: i32, end: i32, _thread: i32): void {
  const offset = (<usize>begin) << 2;
  memory.copy(out + offset, source + offset, (<usize>(end - begin)) << 2);
}

export function add(a: usize, b: usize, out: usize, begin: i32, end: i32, _thread: i32): void {
  const offset = (<usize>begin) << 2;
  a += offset;
  b += offset;
  let at = out + offset;
  const last = out + ((<usize>end) << 2);
  while (at + 16 <= last) {
    v128.store(at, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    at += 16;
  }
  while (at < last) {
    store<f32>(at, load<f32>(a) + load<f32>(b));
    a += 4;
    b += 4;
    at += 4;
  }
}
