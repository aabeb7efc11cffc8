// Sound in and out of the browser, in pieces of 20 ms (320 samples at 16 kHz).
class Mouth extends AudioWorkletProcessor {
  constructor() { super(); this.piece = new Int16Array(320); this.at = 0; }
  process(inputs) {
    const channel = inputs[0][0];
    if (channel) {
      for (const sample of channel) {
        this.piece[this.at++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
        if (this.at === 320) {
          this.port.postMessage(this.piece.buffer.slice(0));
          this.at = 0;
        }
      }
    }
    return true;
  }
}

// Plays what comes, each side at its own loudness, with a small store against jitter.
class Ear extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pieces = []; this.at = 0; this.playing = false;
    this.port.onmessage = ({ data }) => {
      this.pieces.push(new Int16Array(data));
      // More than 400 ms behind: the oldest goes.
      while (this.pieces.length > 20) this.pieces.shift();
    };
  }
  process(_inputs, outputs) {
    const out = outputs[0];
    if (!this.playing && this.pieces.length >= 4) this.playing = true;
    const stereo = this.pieces[0]?.length === 640;
    for (let i = 0; i < out[0].length; i++) {
      let left = 0, right = 0;
      const piece = this.playing ? this.pieces[0] : null;
      if (piece) {
        if (stereo) {
          // Both in the middle, a little apart, so that two people talking can be told apart.
          const caller = piece[this.at * 2] / 32768, line = piece[this.at * 2 + 1] / 32768;
          left = caller + line * 0.6; right = line + caller * 0.6;
        } else left = right = piece[this.at] / 32768;
        if (++this.at >= 320) { this.at = 0; this.pieces.shift(); if (!this.pieces.length) this.playing = false; }
      }
      out[0][i] = left;
      if (out[1]) out[1][i] = right;
    }
    return true;
  }
}
registerProcessor("mouth", Mouth);
registerProcessor("ear", Ear);
