/**
 * Random numbers as NumPy's legacy generator draws them from a seed.
 *
 * Source: Matsumoto and Nishimura 1998 (MT19937), and the bounded draws of `RandomState`.
 * @module
 */

const SIZE = 624;
const SHIFT = 397;

/** Generator of one seed. */
export class MersenneTwister {
  /** @param {number} seed */
  constructor(seed) {
    this.state = new Uint32Array(SIZE);
    this.place = SIZE;
    this.state[0] = seed >>> 0;
    for (let i = 1; i < SIZE; i += 1) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = (Math.imul(before, 1812433253) + i) >>> 0;
    }
  }

  /** @returns {number} Next whole number of 32 bits. */
  next() {
    if (this.place === SIZE) this.#renew();
    let y = this.state[this.place];
    this.place += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #renew() {
    for (let i = 0; i < SIZE; i += 1) {
      const y = (this.state[i] & 0x80000000) | (this.state[(i + 1) % SIZE] & 0x7fffffff);
      const odd = y & 1 ? 0x9908b0df : 0;
      this.state[i] = this.state[(i + SHIFT) % SIZE] ^ (y >>> 1) ^ odd;
    }
    this.place = 0;
  }

  /** Draw a number from 0 to 1, of which nothing is made here. */
  skipShare() {
    this.next();
    this.next();
  }

  /**
   * Return a whole number from 0 to a largest one.
   * @param {number} largest
   * @returns {number}
   */
  upTo(largest) {
    if (largest === 0) return 0;
    const mask = 2 ** (32 - Math.clz32(largest)) - 1;
    for (;;) {
      const value = (this.next() & mask) >>> 0;
      if (value <= largest) return value;
    }
  }

  /**
   * Return some of the numbers below another one, without repetition.
   * @param {number} below
   * @param {number} count
   * @returns {number[]}
   */
  choice(below, count) {
    const numbers = Array.from({ length: below }, (_, number) => number);
    for (let i = below - 1; i > 0; i -= 1) {
      const j = this.upTo(i);
      [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
    }
    return numbers.slice(0, count);
  }
}
